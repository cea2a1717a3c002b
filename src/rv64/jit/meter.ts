/** Measures translated code, for those who ask for it: nothing of this is there otherwise. */
import { COUNTED, type Tables } from './layout.js';

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
