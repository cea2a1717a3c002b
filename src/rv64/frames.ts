/**
 * The frames of RAM (pages of 4096 bytes) that are more than data: page tables, pages with decoded code, and pages
 * that someone watches. Stores to such a frame are announced here first, so that what was derived from its old
 * contents is dropped in time. All other frames are stored to without a word.
 */
import { PTE_BYTES, PTE_V } from '../sv39/pte.js';
import { Tlb } from '../sv39/tlb.js';
import { CodePage, HOLD, type Probe, type SetProbe } from './code-page.js';
import type { EmitProbe } from './emitter.js';
import { FirstFills } from './first-fills.js';
import type { Hart } from './hart.js';
import { HART_BYTES, MAX_HARTS, Offset, RAM_START, State, TLB_START } from './state.js';

/** Why stores to a frame are announced; bits. */
const TABLE = 1;
const CODE = 2;
const WATCHED = 4;
/** See StrictMode. */
const REMEMBERED = 8;
/** Loads from the frame are announced; so its stores are, as some atomics load. */
const LOADS_WATCHED = 16;
/** The frame has not been stored to since `takeStored`. */
const UNTOUCHED = 32;

/**
 * So many stores to a frame are looked at that change nothing which something depends on. Then the frame is taken for one
 * that is put to another use (a kernel fills what it frees, and clears tables), and all that was derived from it is dropped.
 */
const MOST_STRAYS = 32;

/** Called when bytes of a frame that is being watched are about to be stored, or loaded. */
export type AccessWatcher = (ramOffset: number, bytes: number) => void;

export class Frames {
  private readonly flags: Uint8Array;
  /** How many stores to each frame have been looked at in vain. */
  private readonly strays: Uint8Array;
  private readonly code: (CodePage | undefined)[];
  /** Probes by frame and slot. */
  private readonly probes = new Map<number, Map<number, SetProbe>>();
  /** By frame, for the flags WATCHED and LOADS_WATCHED. A checker changes them with each frame allocated or freed. */
  private readonly watchers: (AccessWatcher | undefined)[];
  private readonly loadWatchers: (AccessWatcher | undefined)[];
  /** Frames stored to since `takeStored`; undefined until that is first called. */
  private stored: number[] | undefined;
  readonly tlb: Tlb;
  readonly firstFills: FirstFills;
  /** How many there are. */
  readonly count: number;

  /** Called when a hart in the middle of a page must look again at what it executes. */
  onChange: () => void = () => {};
  /**
   * Called when a hart begins to execute a virtual page (its number) that lies in a frame; not again as long as the TLB
   * knows about it.
   */
  onFetch: ((page: number, frame: number) => void) | undefined;
  /** Called when the decoded instructions of a page are dropped. */
  onCodeDropped: (page: CodePage) => void = () => {};

  /** Called before a frame changes while something is tried out; see `tryOut`. */
  private beforeTrial: ((frame: number) => void) | undefined;

  /** Called before each store to a frame given to `remember`; it returns whether it is to be called any further. */
  onRememberedStore: (ramOffset: number, bytes: number, touchesCode: boolean) => boolean = () => false;

  constructor(private readonly state: State) {
    const count = state.ramBytes / 4096;
    this.count = count;
    this.flags = new Uint8Array(count);
    this.strays = new Uint8Array(count);
    this.code = new Array<CodePage | undefined>(count).fill(undefined);
    this.watchers = new Array<AccessWatcher | undefined>(count).fill(undefined);
    this.loadWatchers = new Array<AccessWatcher | undefined>(count).fill(undefined);
    const inUse = (context: number): boolean => {
      for (let hart = 0; hart <= MAX_HARTS; hart++) {
        const block = (hart * HART_BYTES) >>> 2;
        if (state.words[block + (Offset.dataTlb >>> 2)] === context) return true;
        if (state.words[block + (Offset.fetchTlb >>> 2)] === context) return true;
      }
      return false;
    };
    this.tlb = new Tlb(state.words, TLB_START, count, inUse, () => this.onChange());
    this.firstFills = new FirstFills(state, this.tlb);
  }

  /** True when stores to the frame need not be announced. */
  isPlain(frame: number): boolean {
    return this.flags[frame] === 0;
  }

  /** Whether a store of `bytes` bytes (within one frame) at an offset in RAM changes what something depends on. */
  isNews(ramOffset: number, bytes: number): boolean {
    const frame = Math.floor(ramOffset / 4096);
    const flags = this.flags[frame];
    if (flags & (WATCHED | LOADS_WATCHED | UNTOUCHED | REMEMBERED)) return true;
    if (flags & TABLE && this.changesValidPte(ramOffset, bytes)) return true;
    if (flags & CODE && this.code[frame]!.isUsed(ramOffset & 0xfff, bytes)) return true;
    return ++this.strays[frame] > MOST_STRAYS;
  }

  /** Announces a store of `bytes` bytes (within one frame) at an offset in RAM. */
  beforeStore(ramOffset: number, bytes: number): void {
    const frame = ramOffset >>> 12;
    this.firstFills.settle(frame);
    this.beforeTrial?.(frame);
    const flags = this.flags[frame];
    if (flags === 0) return;
    this.touch(frame);
    if (flags & REMEMBERED && !this.beforeTrial) this.announceRemembered(frame, ramOffset, bytes);
    const isGivenUp = this.strays[frame] > MOST_STRAYS;
    if (flags & TABLE && (isGivenUp || this.changesValidPte(ramOffset, bytes))) {
      this.flags[frame] &= ~TABLE;
      this.tlb.forgetTable(frame);
    }
    const { code } = this;
    if (flags & CODE && (isGivenUp || code[frame]!.isUsed(ramOffset & 0xfff, bytes))) this.dropCode(frame);
    if (isGivenUp) this.strays[frame] = 0;
    if (flags & WATCHED && !this.beforeTrial) this.watchers[frame]!(ramOffset, bytes);
  }

  /** Notes that stores to a frame are not announced from now on. */
  beforePlainStores(frame: number): void {
    this.beforeTrial?.(frame);
  }

  /** Notes that a frame is stored to. `beforeStore` does; others are stores of the hardware's own, to A and D. */
  touch(frame: number): void {
    this.beforeTrial?.(frame);
    if ((this.flags[frame] & UNTOUCHED) === 0) return;
    this.flags[frame] &= ~UNTOUCHED;
    this.stored!.push(frame);
  }

  /** The frames stored to since the last call; the first one names all. */
  takeStored(): number[] {
    const stored = this.stored ?? Array.from(this.flags.keys());
    for (const frame of stored) this.announce(frame, UNTOUCHED);
    this.stored = [];
    return stored;
  }

  /** The decoded instructions of a frame. */
  codePage(frame: number): CodePage {
    const known = this.code[frame];
    if (known) return known;
    const page = new CodePage(frame, this.probes.get(frame));
    this.code[frame] = page;
    this.strays[frame] = 0;
    this.announce(frame, CODE);
    return page;
  }

  /**
   * Has `probe` called before the instruction at an offset in RAM is executed, by whichever hart and mapping; after those
   * that were set there before. What `emit` says counts while there is no other one.
   */
  setProbe(ramOffset: number, probe: Probe, emit?: EmitProbe): void {
    const frame = ramOffset >>> 12;
    const probes = this.probes.get(frame) ?? new Map<number, SetProbe>();
    const slot = (ramOffset & 0xfff) >>> 1;
    const earlier = probes.get(slot)?.probe;
    const both = earlier && ((hart: Hart) => (earlier(hart) === HOLD ? HOLD : probe(hart)));
    probes.set(slot, both ? { probe: both, emit: undefined } : { probe, emit });
    this.probes.set(frame, probes);
    this.dropCode(frame);
  }

  /** Takes away all that were set at an offset. */
  clearProbe(ramOffset: number): void {
    const frame = Math.floor(ramOffset / 4096);
    const probes = this.probes.get(frame);
    if (!probes?.delete((ramOffset & 0xfff) >>> 1)) return;
    if (probes.size === 0) this.probes.delete(frame);
    this.dropCode(frame);
  }

  private dropCode(frame: number): void {
    this.flags[frame] &= ~CODE;
    const page = this.code[frame];
    this.code[frame] = undefined;
    if (page) this.onCodeDropped(page);
    this.onChange();
  }

  /** Notes that a walk from `root` went through the table in a frame. */
  noteTable(frame: number, root: number, level: number, base: number): void {
    if (!this.tlb.noteTable(frame, root, level, base)) return;
    this.strays[frame] = 0;
    this.announce(frame, TABLE);
  }

  /** Has every store to the frame reported, until `unwatch`. A frame has one watcher at most. */
  watch(frame: number, watcher: AccessWatcher): void {
    this.watchers[frame] = watcher;
    this.announce(frame, WATCHED);
  }

  unwatch(frame: number): void {
    this.watchers[frame] = undefined;
    this.flags[frame] &= ~WATCHED;
  }

  /**
   * Has every load of data from the frame reported, until `unwatchLoads`. A frame has one such watcher at most. With
   * `low`, the low word of a virtual address, loads through other mappings may go unseen; that costs much less.
   */
  watchLoads(frame: number, watcher: AccessWatcher, low?: number): void {
    this.loadWatchers[frame] = watcher;
    this.announce(frame, LOADS_WATCHED);
    if (low === undefined) this.tlb.flush();
    else this.tlb.dropReaders(frame, low);
  }

  unwatchLoads(frame: number): void {
    this.loadWatchers[frame] = undefined;
    this.flags[frame] &= ~LOADS_WATCHED;
  }

  /** True when loads from the frame are to be announced. */
  watchesLoads(frame: number): boolean {
    return (this.flags[frame] & LOADS_WATCHED) !== 0;
  }

  /** Announces a load of `bytes` bytes (within one frame) from a frame whose loads are watched. */
  beforeLoad(ramOffset: number, bytes: number): void {
    this.loadWatchers[Math.floor(ramOffset / 4096)]!(ramOffset, bytes);
  }

  /** Drops everything that was derived from RAM, after RAM was replaced as a whole. */
  forgetAll(): void {
    this.firstFills.forget();
    for (let frame = 0; frame < this.flags.length; frame++) {
      this.forget(frame);
      this.flags[frame] &= WATCHED | LOADS_WATCHED | UNTOUCHED;
    }
    this.tlb.flush();
  }

  private forget(frame: number): void {
    if (this.flags[frame] & TABLE) {
      this.flags[frame] &= ~TABLE;
      this.tlb.forgetTable(frame);
    }
    if (this.flags[frame] & CODE) this.dropCode(frame);
  }

  /**
   * Does `work`, which may throw, and takes back what it stores in RAM; who watches stores hears of none.
   */
  tryOut(work: () => void): void {
    const { ram } = this.state;
    const before = new Map<number, Uint8Array>();
    this.beforeTrial = (frame) => {
      if (!before.has(frame)) before.set(frame, ram.slice(frame * 4096, (frame + 1) * 4096));
    };
    // What it knows to be writable would not be announced.
    this.tlb.flush();
    try {
      work();
    } finally {
      this.beforeTrial = undefined;
      for (const [frame, bytes] of before) {
        this.forget(frame);
        ram.set(bytes, frame * 4096);
      }
    }
  }

  /** Has every store to the frame announced with `onRememberedStore`. */
  remember(frame: number): void {
    if ((this.flags[frame] & REMEMBERED) === 0) this.announce(frame, REMEMBERED);
  }

  private announceRemembered(frame: number, ramOffset: number, bytes: number): void {
    const touchesCode = this.code[frame]?.isUsed(ramOffset & 0xfff, bytes) ?? false;
    if (!this.onRememberedStore(ramOffset, bytes, touchesCode)) this.flags[frame] &= ~REMEMBERED;
  }

  private announce(frame: number, reason: number): void {
    this.firstFills.settle(frame);
    this.flags[frame] |= reason;
    this.tlb.dropWriters(frame);
  }

  /**
   * Nothing is ever derived from an entry that is not valid, so changing one needs no announcement. Whoever stores less
   * than an entry has put the table to another use, and is better off when it is taken for none.
   */
  private changesValidPte(ramOffset: number, bytes: number): boolean {
    if (bytes < PTE_BYTES) return true;
    const end = ramOffset + bytes;
    for (let at = ramOffset - (ramOffset % PTE_BYTES); at < end; at += PTE_BYTES) {
      if (this.state.view.getUint8(RAM_START + at) & Number(PTE_V)) return true;
    }
    return false;
  }
}
