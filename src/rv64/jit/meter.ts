/** Measures translated code, for those who ask for it: nothing of this is there otherwise. */
import { COUNTED, type Tables } from './layout.js';

/** What a translator has done so far. */
export interface JitStatistics {
  /** Instructions executed in translated code, over all harts, and how many of them by the function of their row. */
  readonly instructions: number;
  readonly byRow: number;
  /** Regions translated, found again by their content, and dropped: to keep within the budget, or as plain ones. */
  readonly translated: number;
  readonly reused: number;
  readonly dropped: number;
  /** Bytes of the budget in use, and all there are; slots of the table of functions. */
  readonly bytes: number;
  readonly budgetBytes: number;
  readonly tableSlots: number;
  /** Only where JitOptions has a clock. */
  readonly measured: Measured | undefined;
}

export interface Measured {
  /** Loads, stores and AMOs of translated code that the TLB knew, those that idioms stand for not among them. */
  readonly hits: number;
  /** Loops that were done at once (see idioms.ts), and the instructions that this saved. */
  readonly idioms: number;
  readonly idiomInstructions: number;
  /** Milliseconds in translated code, with what it calls, and for translating. */
  readonly millis: Readonly<Record<Activity, number>>;
}

export type Activity = 'running' | 'translating';

export class Meter {
  private readonly millis: Record<Activity, number> = { running: 0, translating: 0 };

  constructor(
    private readonly memory: DataView,
    private readonly tables: Tables,
    private readonly now: () => number,
  ) {}

  /** Returns what is to be called when the activity is over. */
  begin(activity: Activity): () => void {
    const start = this.now();
    return () => (this.millis[activity] += this.now() - start);
  }

  measured(): Measured {
    const [hits, idioms, idiomInstructions] = COUNTED.map((_, index) =>
      Number(this.memory.getBigUint64(this.tables.counters + 8 * index, true)),
    );
    return { hits, idioms, idiomInstructions, millis: { ...this.millis } };
  }
}
