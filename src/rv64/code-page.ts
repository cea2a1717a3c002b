/**
 * A page of code, decoded instruction by instruction as it is first executed. Most pages of a guest that forks are never
 * interpreted, for what they say was translated before: so they are to cost little.
 */
import { decodeAndRun } from './decode-and-run.js';
import type { EmitProbe } from './emitter.js';
import { lengthOf } from './fields.js';
import type { Hart } from './hart.js';
import type { Run } from './row.js';

/**
 * Called before the instruction it was set at is executed; it may look at everything and change nothing. With HOLD as
 * its result the instruction is not executed, and the hart's `run` returns.
 */
export type Probe = (hart: Hart) => unknown;

export const HOLD = Symbol('hold');

/** A probe where it was set, and what translated code does in its place; without that, it is left there. */
export interface SetProbe {
  readonly probe: Probe;
  readonly emit: EmitProbe | undefined;
}

/** A page has a possible instruction at every second byte. */
const SLOTS = 2048;

/** What has been decoded, by slot. */
export interface Decoded {
  /** What executes the instruction; `decodeAndRun` where none has been executed yet. */
  readonly run: Run[];
  /**
   * The instruction word. A compressed instruction stands as the 32-bit word it is short for, with bit 1
   * cleared to tell its length.
   */
  readonly word: Int32Array;
}

export class CodePage {
  private kept: Decoded | undefined;
  /** 1 at each slot that an instruction lies in which was decoded or translated. */
  private readonly used = new Uint8Array(SLOTS);

  /** How often execution has jumped to each slot, and where the translator keeps its entry map; both are its own. */
  readonly heat = new Uint8Array(SLOTS);
  entryMap = 0;

  /**
   * @param frame of RAM; -1 for a page that is none
   * @param probes the page's, by slot
   */
  constructor(
    readonly frame: number,
    private readonly probes?: ReadonlyMap<number, SetProbe>,
  ) {}

  get decoded(): Decoded {
    return (this.kept ??= {
      run: new Array<Run>(SLOTS).fill(decodeAndRun),
      word: new Int32Array(SLOTS),
    });
  }

  probeAt(slot: number): SetProbe | undefined {
    return this.probes?.get(slot);
  }

  /** Whether there is a probe at any of the bytes from `start` up to `end`. */
  hasProbeIn(start: number, end: number): boolean {
    if (this.probes === undefined) return false;
    for (const slot of this.probes.keys()) if (2 * slot >= start && 2 * slot < end) return true;
    return false;
  }

  /**
   * Keeps what executes the instruction at a slot. Returns what is to be called for it: `run`, and before that the
   * probe that was set there.
   */
  keep(slot: number, run: Run, word: number): Run {
    const probed = this.withProbe(slot, run);
    const { decoded } = this;
    decoded.run[slot] = probed;
    decoded.word[slot] = word;
    this.noteUse(2 * slot, 2 * slot + lengthOf(word));
    return probed;
  }

  /** Notes that something depends on the bytes from `start` up to `end`. */
  noteUse(start: number, end: number): void {
    for (let slot = start >>> 1; slot < end >>> 1; slot++) this.used[slot] = 1;
  }

  withProbe(slot: number, run: Run): Run {
    const set = this.probeAt(slot);
    if (set === undefined) return run;
    const { probe } = set;
    return (h, i) => {
      if (probe(h) === HOLD) return h.hold();
      run(h, i);
      h.turn();
    };
  }

  /** Whether a store of `bytes` bytes at `offset` in the page touches an instruction that something depends on. */
  isUsed(offset: number, bytes: number): boolean {
    const last = (offset + bytes - 1) >>> 1;
    for (let slot = offset >>> 1; slot <= last; slot++) if (this.used[slot] !== 0) return true;
    return false;
  }
}
