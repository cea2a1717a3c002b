/** `rvemu qemu`: takes QEMU's place in a Makefile, a grade script or an editor's settings. */
import { BadInputError } from '../machine/errors.js';
import { say } from './messages.js';
import type { QemuCommand } from './qemu-command.js';
import { OPTIONS, readQemuCommand, WITHOUT_MEANING } from './qemu-options.js';

/** The QEMU whose behaviour was observed; Makefiles ask for at least 7.2. */
const QEMU_VERSION = '7.2.0';

/**
 * Does what QEMU's options ask for and returns the process's exit code. Throws `BadInputError` and `BlockStoreError`.
 * `version` is rvemu's.
 */
export async function qemu(words: readonly string[], version: string): Promise<number> {
  const command = readQemuCommand(words);
  if (command.shows === 'version') process.stdout.write(versionText(version));
  else if (command.shows === 'help') process.stdout.write(helpText());
  else return run(command);
  return 0;
}

async function run(command: QemuCommand): Promise<number> {
  const { kernel } = command;
  if (kernel === undefined) throw new BadInputError('no kernel is named; give -kernel FILE');
  const { debugger: port, waitsForDebugger } = command;
  if (waitsForDebugger && port === undefined) {
    throw new BadInputError('-S waits for a debugger; give -gdb tcp::PORT or -s, so that one can connect');
  }
  if (command.verbose) command.ignored.forEach((option) => say(`without meaning here: ${option}`));
  command.notices.forEach((notice) => say(notice));
  const drive = command.disk === undefined ? undefined : command.drives.get(command.disk)!;
  const files = {
    kernel,
    disk: drive?.file,
    keepsWritesInMemory: command.keepsWritesInMemory || (drive?.keepsWritesInMemory ?? false),
    description: `${kernel} with ${drive?.file ?? 'no disk'}`,
  };
  // Not for -version and -help, which every make asks for: the machine takes longer to load than they take.
  const { bootFiles } = await import('./boot.js');
  return bootFiles(files, {
    smp: command.harts,
    memory: command.memoryBytes,
    virtio: command.virtio,
    seed: command.seed,
    trace: command.trace,
    prompt: /^\$ /,
    jit: true,
    gdb: port?.port,
    gdbHost: port?.host || undefined,
    wait: waitsForDebugger,
    standsInForQemu: true,
  });
}

const versionText = (version: string): string =>
  `QEMU emulator version ${QEMU_VERSION} (rvemu ${version})\nThis is rvemu, in QEMU's place.\n`;

function helpText(): string {
  const width = Math.max(...[...OPTIONS, ...WITHOUT_MEANING].map(({ usage }) => usage.length));
  const list = (rows: typeof OPTIONS): string =>
    rows.map(({ usage, help }) => `${usage.padEnd(width)}  ${help}\n`).join('');
  return [
    'rvemu in place of qemu-system-riscv64. The guest has standard input and output for its serial port;',
    'Ctrl-A x ends, Ctrl-A h helps. "rvemu boot" can do more.\n',
    'Options:',
    list(OPTIONS),
    'Accepted, without a meaning here:',
    list(WITHOUT_MEANING),
  ].join('\n');
}
