/** A page of code, decoded instruction by instruction as it is first executed. */
import type { Hart } from './hart.js';
import type { Run } from './row.js';
import { decodeAndRun } from './decode-and-run.js';

/**
 * Called before the instruction it was set at is executed; it may look at everything and change nothing. With HOLD as
 * its result the instruction is not executed, and the hart's `run` returns.
 */
export type Probe = (hart: Hart) => unknown;

export const HOLD = Symbol('hold');

/** A page has a possible instruction at every second byte. */
const SLOTS = 2048;

export class CodePage {
  /** What executes the instruction at each slot; `decodeAndRun` where none has been executed yet. */
  readonly run: Run[] = new Array<Run>(SLOTS).fill(decodeAndRun);
  /**
   * The instruction words. A compressed instruction stands as the 32-bit word it is short for, with bit 1
   * cleared to tell its length.
   */
  readonly word = new Int32Array(SLOTS);

  /** How often execution has jumped to each slot, and where the translator keeps its entry map; both are its own. */
  readonly heat = new Uint8Array(SLOTS);
  entryMap = 0;

  /**
   * @param frame of RAM; -1 for a page that is none
   * @param probes the page's, by slot
   */
  constructor(
    readonly frame: number,
    private readonly probes?: ReadonlyMap<number, Probe>,
  ) {}

  hasProbe(slot: number): boolean {
    return this.probes !== undefined && this.probes.has(slot);
  }

  get hasProbes(): boolean {
    return this.probes !== undefined;
  }

  /**
   * Keeps what executes the instruction at a slot. Returns what is to be called for it: `run`, and before that the
   * probe that was set there.
   */
  keep(slot: number, run: Run, word: number): Run {
    const probed = this.withProbe(slot, run);
    this.run[slot] = probed;
    this.word[slot] = word;
    return probed;
  }

  withProbe(slot: number, run: Run): Run {
    const probe = this.probes?.get(slot);
    if (probe === undefined) return run;
    return (h, i) => {
      if (probe(h) === HOLD) return h.hold();
      run(h, i);
      h.turn();
    };
  }

  /** Whether a store of `bytes` bytes at `offset` in the page touches an instruction that has been decoded. */
  isDecoded(offset: number, bytes: number): boolean {
    const last = (offset + bytes - 1) >>> 1;
    for (let slot = Math.max(0, (offset >>> 1) - 1); slot <= last; slot++) {
      if (this.run[slot] !== decodeAndRun) return true;
    }
    return false;
  }
}
