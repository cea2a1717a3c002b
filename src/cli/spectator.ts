import type { Machine } from '../machine/machine.js';
import type { Witnesses } from './panic-text.js';
import type { Ending } from './session.js';

/** Someone who watches the machine of a session. */
export interface Spectator {
  /** Called before the machine runs. `kernel` is the file in it. */
  attach(machine: Machine, kernel: Uint8Array): void;
  /** Asked after each slice whether the session is to end. */
  ending(): Ending | undefined;
  /** Whether what the guest prints goes to standard output. */
  readonly showsOutput: boolean;
  /** Lines about what it has seen since it was last asked. */
  news?(): string[];
  /** How far the run is, in one line. */
  progress?(): string;
  /** Looks for lost frames; returns a line about that. */
  search?(): string;
  /** What it knows of the past of the frame at a physical address, for the explanation of a panic. */
  historyOf?: Witnesses['historyOf'];
}
