/** Real gdb against a real rvemu process. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

const GDB = 'gdb-multiarch';
export const isGdbInstalled = spawnSync(GDB, ['--version']).status === 0;

const KERNEL = new URL('../../images/kernel.elf', import.meta.url).pathname;

/** What gdb prints when it runs `commands` on a guest that has not executed anything; `words` are for `rvemu boot`. */
export async function debug(commands: readonly string[], words: readonly string[] = []): Promise<string> {
  return (await debugged(commands, words)).output;
}

/** The same, and what rvemu has to say, to which `input` is typed. */
export async function debugged(
  commands: readonly string[],
  words: readonly string[] = [],
  input = '',
): Promise<{ output: string; errors: string }> {
  const rvemu = spawn(process.execPath, [
    ...['--import', 'tsx', 'src/cli/main.ts', 'boot', '--gdb', '0', '--wait', '--ephemeral', ...words],
  ]);
  let errors = '';
  rvemu.stderr.on('data', (bytes) => (errors += bytes));
  rvemu.stdout.resume();
  rvemu.stdin.write(input);
  const ended = once(rvemu, 'close');
  try {
    let port: string | undefined;
    while (port === undefined) {
      await Promise.race([once(rvemu.stderr, 'data'), ended]);
      if (rvemu.exitCode !== null) throw new Error(`rvemu ended: ${errors}`);
      port = /target remote \S+:(\d+)/.exec(errors)?.[1];
    }
    const settings = ['set pagination off', 'set confirm off', 'set width 0', `target remote :${port}`];
    const words = [...settings, ...commands].flatMap((command) => ['-ex', command]);
    const gdb = spawn(GDB, ['-nx', '-batch', ...words, KERNEL], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
    });
    let output = '';
    for (const stream of [gdb.stdout, gdb.stderr]) stream.on('data', (bytes) => (output += bytes));
    await once(gdb, 'close');
    rvemu.kill();
    await ended;
    return { output, errors };
  } finally {
    rvemu.kill();
    await ended;
  }
}
