/** How harts take turns: in rounds of slices, in an order and of lengths that the seed decides. */
import type { Hart } from '../rv64/hart.js';
import { Random } from './random.js';

/** One slice for every hart, in turn. */
export interface Round {
  /** The cycle at which each slice ends. */
  readonly until: number;
  /** The hart whose slice is the first. */
  readonly first: number;
  /** Slices that are over. */
  turn: number;
}

/** A hart runs so many cycles before the next one's turn, and up to as many again. */
const SLICE_CYCLES = 2500;
/** The same while it is the only one that does not wait: there is nobody to take turns with until it wakes another one. */
const SLICE_CYCLES_ALONE = 30_000;
/**
 * While it cannot wake another one (a kernel sets itself up, or there is no other), slices get longer in proportion to the
 * time that has passed, up to a fiftieth of a second. Of a short run so much is seen as of any.
 */
const SINGLE_SHARE = 1 / 16;
const SLICE_CYCLES_SINGLE = 2_000_000;

export class Turns {
  private readonly random: Random;

  constructor(
    seed: number,
    private readonly harts: readonly Hart[],
  ) {
    this.random = new Random(seed);
  }

  /** The next round, which begins at a cycle. */
  next(cycle: number): Round {
    const cycles = this.sliceCycles(cycle);
    const until = cycle + cycles + this.random.below(cycles);
    return { until, first: this.random.below(this.harts.length), turn: 0 };
  }

  private sliceCycles(cycle: number): number {
    const { harts } = this;
    let busy = 0;
    for (const hart of harts) if (!hart.isIdle) busy++;
    if (busy !== 1) return SLICE_CYCLES;
    // There are processes from the first system call on.
    const isSingle = harts.length === 1 || harts.every((hart) => !hart.hasTrapped);
    if (!isSingle) return SLICE_CYCLES_ALONE;
    const share = Math.floor(cycle * SINGLE_SHARE);
    return Math.min(Math.max(share, SLICE_CYCLES_ALONE), SLICE_CYCLES_SINGLE);
  }

  /** All that the rounds to come depend on, besides the harts. */
  state(): number {
    return this.random.save();
  }

  restore(state: number): void {
    this.random.restore(state);
  }
}
