/** The user's terminal while it belongs to the guest: raw mode, and the few keys that rvemu keeps for itself. */
import type { ReadStream } from 'node:tty';

const CONTROL_A = 0x01;

/** `searches` says whether there is something that looks for lost frames. */
export const keyHelp = (searches: boolean): string =>
  [
    'Ctrl-A x       end rvemu',
    'Ctrl-A h       this help',
    ...(searches ? ['Ctrl-A l       look for lost frames'] : []),
    'Ctrl-A Ctrl-A  send Ctrl-A to the guest',
    'Any other key, Ctrl-C too, goes to the guest.',
  ].join('\n');

export interface KeyActions {
  send(bytes: Uint8Array): void;
  end(): void;
  help(): void;
  /** Looks for lost frames. */
  search?(): void;
}

/** Tells the keys for rvemu, which follow a Ctrl-A, from those for the guest. */
export class EscapeKeys {
  private escaped = false;

  constructor(private readonly actions: KeyActions) {}

  /** Takes keys as they were typed. Nothing typed after the key that ends rvemu has an effect. */
  take(keys: Uint8Array): void {
    const forGuest: number[] = [];
    for (const key of keys) {
      if (!this.escaped) {
        if (key === CONTROL_A) this.escaped = true;
        else forGuest.push(key);
        continue;
      }
      this.escaped = false;
      const name = String.fromCharCode(key).toLowerCase();
      if (key === CONTROL_A) forGuest.push(key);
      else if (name === 'h' || name === '?') this.actions.help();
      else if (name === 'l') this.actions.search?.();
      else if (name === 'x') {
        this.actions.end();
        return;
      }
    }
    if (forGuest.length > 0) this.actions.send(Uint8Array.from(forGuest));
  }
}

/** What `RawMode` needs of a terminal's read stream. */
export type RawInput = Pick<ReadStream, 'setRawMode'>;

/** Holds a terminal in raw mode and gives it back on every way out of the process that can be noticed. */
export class RawMode {
  constructor(
    private readonly input: RawInput,
    private readonly process: Pick<NodeJS.Process, 'on' | 'off'>,
  ) {}

  enter(): void {
    this.input.setRawMode(true);
    this.process.on('exit', this.restore);
    this.process.on('SIGCONT', this.reenter);
  }

  leave(): void {
    this.process.off('exit', this.restore);
    this.process.off('SIGCONT', this.reenter);
    this.restore();
  }

  private readonly restore = (): void => {
    this.input.setRawMode(false);
  };

  /** A shell that stopped and resumed the process has set the terminal its own way meanwhile. */
  private readonly reenter = (): void => {
    this.input.setRawMode(false);
    this.input.setRawMode(true);
  };
}
