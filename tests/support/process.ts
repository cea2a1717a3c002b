/** The built `rvemu`, or something that runs it, as another program sees it: pipes, signals and an exit code. */
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Words that start the built rvemu. */
export const RVEMU: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL('../../dist/cli/main.cjs', import.meta.url)),
];

const PATIENCE_MILLIS = 30_000;

export class Running {
  /** All of standard output so far. */
  output = '';
  errors = '';
  readonly child: ChildProcess;
  /** The exit code, once the process is gone and its output is closed: null after a signal. */
  readonly ended: Promise<number | null>;
  private taken = 0;

  constructor(words: readonly string[], options: SpawnOptions = {}) {
    const [command, ...rest] = words;
    const env = { ...process.env, FORCE_COLOR: undefined, npm_command: undefined, ...options.env };
    this.child = spawn(command, rest, { ...options, env });
    this.child.stdout?.on('data', (bytes) => (this.output += bytes));
    this.child.stderr?.on('data', (bytes) => (this.errors += bytes));
    this.child.stdin?.on('error', () => {}); // The process may be gone.
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
  }

  type(text: string): void {
    this.child.stdin!.write(text);
  }

  /** Waits for text on standard output after what was waited for last. Throws when it does not come. */
  async see(expected: string): Promise<void> {
    const { stdout } = this.child;
    const deadline = Date.now() + PATIENCE_MILLIS;
    while (!this.output.includes(expected, this.taken)) {
      if (Date.now() > deadline || stdout!.destroyed || stdout!.readableEnded) {
        throw new Error(
          `no ${JSON.stringify(expected)} in:\n${this.output.slice(this.taken)}\n${this.errors}`,
        );
      }
      await delay(10);
    }
    this.taken = this.output.indexOf(expected, this.taken) + expected.length;
  }
}
