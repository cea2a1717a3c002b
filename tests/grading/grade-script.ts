/**
 * A stand-in for the grade scripts of xv6 courses: starts make, which starts QEMU; connects to QEMU's gdb port as soon as
 * make has printed a line; has the guest go on; plays commands at its prompts; ends with a signal to make. Its gdb client is
 * as careless as theirs: it acknowledges nothing, asks for nothing, and looks at nothing but stops.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Running } from '../support/process.js';

/** How long make may take from its first line until the port is open. */
const CONNECT_MILLIS = 2000;
/** How long the processes may take to end, and the connection to close, after make was told to. */
const END_MILLIS = 5000;

const packet = (command: string): string => {
  const sum = [...command].reduce((total, character) => total + character.charCodeAt(0), 0) % 256;
  return `$${command}#${sum.toString(16).padStart(2, '0')}`;
};

export class GradedRun {
  /** Everything that came from the gdb port. */
  heard = '';
  private hungUp = false;

  private constructor(
    readonly make: Running,
    private readonly socket: Socket,
  ) {
    socket.on('data', (bytes) => (this.heard += bytes));
    socket.on('close', () => (this.hungUp = true));
    socket.on('error', () => {});
  }

  /** Starts `make` with these arguments and connects. Throws when the port does not open in time. */
  static async start(port: number, words: string[], env: NodeJS.ProcessEnv): Promise<GradedRun> {
    const command = ['make', '-s', '--no-print-directory', '-C', 'tests/grading', `PORT=${port}`, ...words];
    // As a script would have it: what make and QEMU say of themselves is among the output.
    const make = new Running(['sh', '-c', 'exec "$@" 2>&1', 'sh', ...command], { env });
    await make.see('\n');
    for (const deadline = Date.now() + CONNECT_MILLIS; ;) {
      const socket = connect(port, '127.0.0.1');
      try {
        await once(socket, 'connect');
        return new GradedRun(make, socket);
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await delay(10);
      }
    }
  }

  send(command: string): void {
    this.socket.write(packet(command));
  }

  /** Waits until the guest stopped at a breakpoint. */
  async stopped(): Promise<void> {
    while (!/\$T05[^#]*#[0-9a-f]{2}/.test(this.heard)) await delay(10);
  }

  /** Plays commands at prompts, which end no line; a command and its newline are written one after the other. */
  async play(...commands: string[]): Promise<void> {
    for (const command of commands) {
      await this.make.see('$ ');
      this.make.type(command);
      await delay(1);
      this.make.type('\n');
    }
    await this.make.see('$ ');
  }

  /** Tells make to end, and waits until everyone that it started is gone. Throws when that takes too long. */
  async end(): Promise<void> {
    this.make.child.kill('SIGTERM');
    const tooLong = delay(END_MILLIS).then(() => {
      throw new Error(`still running ${END_MILLIS} ms after SIGTERM:\n${this.make.output}`);
    });
    await Promise.race([this.make.ended, tooLong]);
    while (!this.hungUp) await delay(1);
    this.socket.destroy();
  }
}
