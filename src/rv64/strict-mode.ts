/**
 * Strict mode: harts that use old translations and remember having fetched old instructions for as long as the
 * specification lets them, so that a missing sfence.vma or fence.i shows. Translations really are stale: an access
 * does what the entry that was kept says. Instructions are not: what is executed is what is in memory, but the first
 * fetch from a page of which a hart may still hold other instructions is reported.
 */
import { type KeptEntries, type StaleUse, StrictTlb } from '../sv39/strict-tlb.js';
import type { Access, Regime, TableMemory, Walk } from '../sv39/walk.js';
import type { Frames } from './frames.js';
import type { Hart } from './hart.js';

/** A fetch from a page whose instructions were stored to since the hart fetched from it, and before its fence.i. */
export interface StaleFetch<Store> {
  readonly virtual: bigint;
  readonly physical: number;
  /** The last of these stores. */
  readonly changed: Store;
}

export interface StrictObserver<Store> {
  /** Describes a store that is about to be made, by a hart or by a device (undefined). */
  describe(hart: Hart | undefined): Store;
  translation(hart: Hart, use: StaleUse<Store>): void;
  fetch(hart: Hart, use: StaleFetch<Store>): void;
  /** Whether fetches are looked at: a kernel that has no fence.i at all would have nothing else reported. */
  readonly watchesFetches: boolean;
}

/** What a hart fetched from a frame since its last fence.i. */
interface Fetched<Store> {
  changed: Store | undefined;
  /** pc of the store that made `changed`: a loop's stores are one. */
  by: bigint | undefined;
}

type FetchedFrames<Store> = ReadonlyMap<number, Fetched<Store>>;

export interface StrictState<Store> {
  readonly kept: KeptEntries<Store>;
  readonly fetched: readonly FetchedFrames<Store>[];
}

/** What a hart tells strict mode, and asks of it. */
export interface Strict {
  /** See StrictTlb. */
  walk(
    hart: number,
    virtual: bigint,
    access: Access,
    regime: Regime,
    satp: bigint,
    memory: TableMemory,
  ): { result: Walk; isPresent: boolean };
  /** sfence.vma: see StrictTlb. */
  fence(hart: Hart, virtual: bigint | undefined, asid: number | undefined): void;
  /** fence.i. */
  fenceInstructions(hart: Hart): void;
  /** A hart fetches from a page, for the first time since it last forgot its translations. */
  noteFetch(hart: number, virtual: bigint, physical: number): void;
}

export class StrictMode<Store> implements Strict {
  private readonly tlb: StrictTlb<Store>;
  /** By hart, then by frame of RAM. */
  private fetched: Map<number, Fetched<Store>>[];

  /** `running` is the hart that executes just now. */
  constructor(
    private readonly harts: readonly Hart[],
    private readonly frames: Frames,
    private readonly ramBase: number,
    private readonly running: () => Hart | undefined,
    private readonly observer: StrictObserver<Store>,
  ) {
    this.fetched = harts.map(() => new Map());
    this.tlb = new StrictTlb(
      harts.length,
      (physical) => this.frames.remember((physical - ramBase) >>> 12),
      (use) => observer.translation(harts[use.entry.hart], use),
    );
    frames.onRememberedStore = (ramOffset, bytes, touchesCode) =>
      this.beforeStore(ramOffset, bytes, touchesCode);
  }

  /** A copy of all that is remembered. */
  save(): StrictState<Store> {
    return { kept: this.tlb.save(), fetched: this.fetched.map(copyOf) };
  }

  /** Takes back what `save` returned. */
  restore({ kept, fetched }: StrictState<Store>): void {
    this.tlb.restore(kept);
    this.fetched = fetched.map(copyOf);
    for (const each of this.fetched) for (const frame of each.keys()) this.frames.remember(frame);
    this.harts.forEach((hart) => hart.forgetTranslations());
  }

  walk(...access: Parameters<Strict['walk']>): ReturnType<Strict['walk']> {
    return this.tlb.walk(...access);
  }

  fence(hart: Hart, virtual: bigint | undefined, asid: number | undefined): void {
    this.tlb.fence(hart.index, virtual, asid);
    hart.forgetTranslations();
  }

  fenceInstructions(hart: Hart): void {
    this.fetched[hart.index].clear();
    hart.forgetTranslations();
  }

  noteFetch(hart: number, virtual: bigint, physical: number): void {
    if (!this.observer.watchesFetches) return;
    const frame = (physical - this.ramBase) >>> 12;
    const known = this.fetched[hart].get(frame);
    if (known !== undefined && known.changed === undefined) return;
    if (known?.changed !== undefined)
      this.observer.fetch(this.harts[hart], { virtual, physical, changed: known.changed });
    this.fetched[hart].set(frame, { changed: undefined, by: undefined });
    this.frames.remember(frame);
  }

  /** Returns whether the frame's stores are to be announced any further. */
  private beforeStore(ramOffset: number, bytes: number, touchesCode: boolean): boolean {
    const isTable = this.tlb.beforeStore(this.ramBase + ramOffset, bytes, () => this.describe());
    return this.noteCodeStore(ramOffset >>> 12, touchesCode) || isTable;
  }

  private describe(): Store {
    return this.observer.describe(this.running());
  }

  private noteCodeStore(frame: number, touchesCode: boolean): boolean {
    const pc = this.running()?.pc;
    let isFetched = false;
    let store: Store | undefined;
    for (const hart of this.harts) {
      const known = this.fetched[hart.index].get(frame);
      if (known === undefined) continue;
      isFetched = true;
      if (known.changed === undefined && !touchesCode) continue;
      if (known.changed === undefined) hart.forgetTranslations();
      else if (known.by === pc) continue;
      known.changed = store ??= this.describe();
      known.by = pc;
    }
    return isFetched;
  }
}

const copyOf = <Store>(fetched: FetchedFrames<Store>): Map<number, Fetched<Store>> =>
  new Map([...fetched].map(([frame, each]) => [frame, { ...each }]));
