/**
 * QEMU's command line, as the Makefiles of xv6 courses write it: single-dash options (two dashes are as good), each
 * with its value, if it has one, in a word of its own. What an option means here is a row of `OPTIONS`; an option that
 * cannot mean anything on this machine is a row of `WITHOUT_MEANING`, accepted with its reason.
 */
import { InvalidArgumentError } from 'commander';
import { closest, distance } from 'fastest-levenshtein';
import { BadInputError } from '../machine/errors.js';
import { hartCount, memorySize, portNumber, seedValue } from './options.js';
import { newQemuCommand, type QemuCommand } from './qemu-command.js';
import { attach, defineDrive, firstOf } from './qemu-devices.js';

interface Row {
  /** With what stands for the value, if it takes one, as the help shows it. */
  readonly usage: string;
  readonly help: string;
  /** Throws InvalidArgumentError for a value that cannot be used. */
  readonly take: (command: QemuCommand, value: string) => void;
}

const row = (usage: string, help: string, take: Row['take']): Row => ({ usage, help, take });

/** A row for a value that can only be one of a few, all of which are as it always is here. */
const only = (usage: string, values: readonly string[], help: string): Row =>
  row(usage, help, (_, value) => {
    if (!values.includes(firstOf(value)))
      throw new InvalidArgumentError(`Here it can be ${values.join(' or ')}.`);
  });

export const OPTIONS: readonly Row[] = [
  row('-kernel FILE', 'the kernel, an ELF file', (command, file) => (command.kernel = file)),
  row('-m SIZE', 'RAM, in MiB or such as 1G (128M)', (command, size) => {
    const bytes = firstOf(size).replace(/^size=/, '');
    command.memoryBytes = memorySize(/^\d+$/.test(bytes) ? `${bytes}M` : bytes);
  }),
  row('-smp N', 'harts, 1 to 8 (1)', (command, count) => {
    command.harts = hartCount(firstOf(count).replace(/^cpus=/, ''));
  }),
  row('-drive PROPERTIES', 'a disk image: file=FILE,if=none,format=raw,id=NAME', defineDrive),
  row('-device PROPERTIES', 'virtio-blk-device,drive=NAME,bus=virtio-mmio-bus.0', attach),
  row(
    '-global PROPERTY',
    'virtio-mmio.force-legacy=false for a disk of virtio version 2 (without: version 1)',
    (command, property) => {
      const [, value] = /^virtio-mmio\.force-legacy=(.*)$/.exec(property) ?? [];
      if (value === undefined) command.ignored.push(`-global ${property}: nothing here has such a property`);
      else command.virtio = /^(false|off|no|n)$/.test(value) ? 'modern' : 'legacy';
    },
  ),
  row('-snapshot', 'keep disk writes in memory', (command) => (command.keepsWritesInMemory = true)),
  row('-gdb DEVICE', 'let a debugger connect: tcp::PORT, or none', (command, device) => {
    command.debugger = debuggerAt(device);
  }),
  row('-s', 'short for -gdb tcp::1234', (command) => {
    command.debugger = { host: '', port: command.defaultPort };
  }),
  row('-p PORT', 'the port that -s means', (command, port) => {
    command.defaultPort = portNumber(port);
    if (command.debugger) command.debugger.port = command.defaultPort;
  }),
  row(
    '-S',
    'wait for a debugger before the first instruction',
    (command) => (command.waitsForDebugger = true),
  ),
  row('-d ITEMS', 'trace on standard error: int, in_asm, exec or cpu', (command, items) => {
    command.trace = traceOf(items);
  }),
  row('-seed NUMBER', 'choose another order of the harts', (command, seed) => {
    command.seed = seedValue(seed);
  }),
  row(
    '-verbose',
    'list the options that were accepted and mean nothing',
    (command) => (command.verbose = true),
  ),
  row('-version', 'print the version', (command) => (command.shows = 'version')),
  row('-help', 'show this help', (command) => (command.shows = 'help')),
  row('-h', 'the same', (command) => (command.shows = 'help')),
];

/** They take a value that says how QEMU should do what is done in one way here, or they say what is so anyway. */
export const WITHOUT_MEANING: readonly Row[] = [
  only('-machine NAME', ['virt', 'type=virt'], 'the machine always is the virt board'),
  only('-M NAME', ['virt', 'type=virt'], 'the machine always is the virt board'),
  only('-bios FILE', ['none'], 'there is no firmware'),
  only('-serial DEVICE', ['stdio', 'mon:stdio'], 'the serial port always is standard input and output'),
  only('-monitor DEVICE', ['none', 'null'], 'there is no monitor'),
  ...without('the serial port always is standard input and output', '-nographic'),
  ...without('there is no display', '-display TYPE', '-vga TYPE'),
  ...without('there is none', '-parallel DEVICE', '-usb', '-audiodev PROPERTIES', '-watchdog-action ACTION'),
  ...without(
    'there is no network',
    '-netdev PROPERTIES',
    '-nic PROPERTIES',
    '-net PROPERTIES',
    '-object PROPERTIES',
  ),
  ...without('harts are RV64IMAC with Sv39', '-cpu MODEL'),
  ...without('there is one way to run code', '-accel NAME', '-singlestep'),
  ...without('every run counts instructions', '-icount PROPERTIES'),
  ...without('time begins at zero in every run', '-rtc PROPERTIES'),
  ...without('a reset by the guest always ends rvemu', '-no-reboot'),
  ...without('the kernel gets no command line', '-append TEXT'),
  ...without('the kernel always is what boots', '-boot PROPERTIES'),
  ...without('nobody asks for it', '-name NAME', '-uuid UUID'),
  ...without('there are no defaults to leave out', '-nodefaults', '-no-user-config'),
];

function without(reason: string, ...usages: string[]): Row[] {
  return usages.map((usage) => row(usage, reason, () => {}));
}

const nameOf = ({ usage }: Row): string => usage.split(' ')[0];

const MEANINGLESS = new Set(WITHOUT_MEANING);
const ROWS = new Map([...OPTIONS, ...WITHOUT_MEANING].map((each) => [nameOf(each), each]));

/** Reads a command line as QEMU would. Throws BadInputError, with the option's name in it. */
export function readQemuCommand(words: readonly string[]): QemuCommand {
  const command = newQemuCommand();
  const rest = [...words];
  while (rest.length > 0 && command.shows === undefined) {
    const word = rest.shift()!;
    const option = rowFor(word);
    const name = nameOf(option);
    const takesValue = option.usage !== name;
    if (takesValue && rest.length === 0) throw new BadInputError(`${name} needs a value: ${option.usage}`);
    const value = takesValue ? rest.shift()! : '';
    const asWritten = takesValue ? `${name} ${value}` : name;
    try {
      option.take(command, value);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      throw new BadInputError(`${asWritten}: ${error.message}`);
    }
    if (MEANINGLESS.has(option)) command.ignored.push(`${asWritten}: ${option.help}`);
  }
  if (command.disk !== undefined && !command.drives.has(command.disk)) {
    throw new BadInputError(
      `-device virtio-blk-device,drive=${command.disk}: no -drive has id=${command.disk}`,
    );
  }
  return command;
}

function rowFor(word: string): Row {
  if (!word.startsWith('-')) {
    throw new BadInputError(
      `"${word}" belongs to no option; a kernel is named with -kernel, a disk with -drive`,
    );
  }
  const name = word.replace(/^--/, '-');
  const found = ROWS.get(name);
  if (found !== undefined) return found;
  const nearest = closest(name, [...ROWS.keys()]);
  const isNear = distance(name, nearest) <= Math.max(1, (name.length - 1) / 3);
  const hint = isNear ? `did you mean ${nearest}?` : 'those that are known are listed by -help';
  throw new BadInputError(`QEMU option ${word} is not known here; ${hint}`);
}

/** Items of QEMU's log that have a counterpart in rvemu's trace. */
const TRACES: Record<string, string> = {
  int: 'traps',
  in_asm: 'instructions',
  exec: 'instructions',
  cpu: 'instructions',
};

function traceOf(items: string): string {
  const filters = items.split(',').map((item) => {
    if (Object.hasOwn(TRACES, item)) return TRACES[item];
    throw new InvalidArgumentError(`Of QEMU's items rvemu can show ${Object.keys(TRACES).join(', ')}.`);
  });
  return [...new Set(filters)].join(',');
}

function debuggerAt(device: string): QemuCommand['debugger'] {
  if (device === 'none') return undefined;
  const [, host, port] = /^tcp:([^:]*):(\d+)$/.exec(firstOf(device)) ?? [];
  if (port === undefined) throw new InvalidArgumentError('Write tcp::PORT.');
  return { host: host === 'localhost' ? '' : host, port: portNumber(port) };
}
