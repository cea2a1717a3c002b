/**
 * The TLB: translations remembered for whole pages of RAM, so that a load or store is one compare away from
 * memory.
 *
 * It is coherent, and therefore invisible: an entry exists only while walking the page table anew would give the
 * same result. Tables that a walk went through are noted, stores to them are announced (`forgetTable`), and what
 * came from them is dropped. So sfence.vma has nothing to do, satp may change at no cost, and the whole may be
 * emptied at any time. One context holds the translations of one regime (address space, privilege, SUM, MXR, PMP
 * setting) and is shared by all harts in it.
 *
 * An entry, as eight 32-bit words:
 *     0, 1   read tag     virtual address of a page that may be loaded from, or EMPTY
 *     2, 3   write tag    the same for stores
 *     4, 5   fetch tag    the same for instruction fetches
 *     6      addend       what to add to the low word of a virtual address to get an offset in the memory
 *     7      frame        index of the page in RAM
 */

export const TLB_ENTRIES = 1024;
const ENTRY_WORDS = 8;
export const TLB_CONTEXT_BYTES = TLB_ENTRIES * ENTRY_WORDS * 4;
const CONTEXTS = 64;
export const TLB_BYTES = CONTEXTS * TLB_CONTEXT_BYTES;

/** How many variants of a regime with one root table there can be. */
export const VARIANTS = 64;

/** Low word of a tag that matches nothing: tags are page addresses. */
const EMPTY = 1;
const NONE = -1;

/** Which tag of an entry; its word offset. */
export const Tag = { read: 0, write: 2, fetch: 4 } as const;
export type Tag = (typeof Tag)[keyof typeof Tag];
export const ADDEND = 6;
export const FRAME = 7;

/** Word offset of the entry for the low word of a virtual address, from the context's first. */
export const entryOf = (low: number): number => ((low >>> 12) & (TLB_ENTRIES - 1)) * ENTRY_WORDS;

/** The contexts of one PMP setting, each by its regime. */
export type Contexts = Map<number, Context>;

interface Context {
  /** Byte offset in the memory. */
  readonly offset: number;
  /** The contexts that it is one of, and its regime among them; undefined while unused. */
  siblings?: Contexts;
  regime: number;
  /** Physical page number of the root table. */
  root: number;
  /** Every entry that holds something, and perhaps some that no longer do. */
  filled: number[];
}

/** One use of a page as a page table. */
interface TableUse {
  readonly root: number;
  readonly level: number;
  /** First virtual address that goes through it. */
  readonly base: number;
}

export class Tlb {
  private readonly contexts: Context[];
  /** Contexts in use, by PMP setting. */
  private readonly bySetting = new Map<string, Contexts>();
  private nextVictim = 0;
  /** How each page that is a table is used. */
  private readonly tables: (TableUse[] | undefined)[];
  /** Doubly linked lists, one for each frame, of the entries that permit stores to it. */
  private readonly firstWriter: Int32Array;
  private readonly nextWriter = new Int32Array(CONTEXTS * TLB_ENTRIES).fill(NONE);
  /** Whether each entry is among those that its context lists as filled. */
  private readonly isListed = new Uint8Array(CONTEXTS * TLB_ENTRIES);
  private readonly previousWriter = new Int32Array(CONTEXTS * TLB_ENTRIES).fill(NONE);

  /**
   * @param words the memory, as 32-bit words
   * @param start byte offset of TLB_BYTES bytes in it
   * @param frames how many pages of RAM there are
   * @param inUse whether a hart works with the context at this byte offset just now
   * @param onDrop called when translations are dropped, so that a hart in the middle of a page looks again
   */
  constructor(
    private readonly words: Int32Array,
    private readonly start: number,
    frames: number,
    private readonly inUse: (context: number) => boolean,
    private readonly onDrop: () => void,
  ) {
    this.firstWriter = new Int32Array(frames).fill(NONE);
    this.tables = new Array<TableUse[] | undefined>(frames).fill(undefined);
    this.contexts = Array.from({ length: CONTEXTS }, (_, index) => ({
      offset: start + index * TLB_CONTEXT_BYTES,
      regime: 0,
      root: 0,
      filled: [],
    }));
  }

  /** The contexts for a PMP setting. */
  contextsFor(setting: string): Contexts {
    let contexts = this.bySetting.get(setting);
    if (contexts === undefined) this.bySetting.set(setting, (contexts = new Map()));
    return contexts;
  }

  /**
   * The byte offset of the context for a regime under a PMP setting. `root` is the page number of the root table, and
   * `variant` (below VARIANTS) stands for everything else that decides a translation.
   */
  context(siblings: Contexts, root: number, variant: number): number {
    const regime = root * VARIANTS + variant;
    const known = siblings.get(regime);
    if (known !== undefined) return known.offset;
    const context = this.claimContext();
    Object.assign(context, { siblings, regime, root });
    siblings.set(regime, context);
    return context.offset;
  }

  /** Remembers that the page at `high`:`low` may be accessed in the way of `tag`, and lies at `host` in the memory. */
  fill(context: number, low: number, high: number, tag: Tag, host: number, frame: number): void {
    const { words } = this;
    const entry = (context >>> 2) + entryOf(low);
    const page = low & ~0xfff;
    const addend = ((host & ~0xfff) - page) | 0;
    const same =
      words[entry + ADDEND] === addend &&
      (this.hasTag(entry + Tag.read, page, high) ||
        this.hasTag(entry + Tag.write, page, high) ||
        this.hasTag(entry + Tag.fetch, page, high));
    if (!same) {
      this.emptyEntry(entry);
      this.list(context, entry);
    }
    words[entry + tag] = page;
    words[entry + tag + 1] = high;
    words[entry + ADDEND] = addend;
    words[entry + FRAME] = frame;
    if (tag === Tag.write) this.linkWriter(this.slotOf(entry), frame);
  }

  /** Sees to it that the entry is among those that its context would have to empty. */
  private list(context: number, entry: number): void {
    const slot = this.slotOf(entry);
    if (this.isListed[slot]) return;
    this.isListed[slot] = 1;
    this.contexts[(context - this.start) / TLB_CONTEXT_BYTES].filled.push(entry);
  }

  /** The frame that a context knows an address to lie in, for accesses in the way of `tag`. */
  frameAt(context: number, address: bigint, tag: Tag): number | undefined {
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    const entry = (context >>> 2) + entryOf(low);
    return this.hasTag(entry + tag, low & ~0xfff, high) ? this.words[entry + FRAME] : undefined;
  }

  private hasTag(word: number, page: number, high: number): boolean {
    return this.words[word] === page && this.words[word + 1] === high;
  }

  /** From now on every store to the frame asks first. */
  dropWriters(frame: number): void {
    for (let slot = this.firstWriter[frame]; slot !== NONE; slot = this.firstWriter[frame]) {
      const entry = this.entryAt(slot);
      this.words[entry + Tag.write] = EMPTY;
      this.unlinkWriter(slot, frame);
    }
  }

  /** From now on loads from the frame miss, where they go by the low bits of this virtual address. */
  dropReaders(frame: number, low: number): void {
    const { words } = this;
    for (const { offset, siblings } of this.contexts) {
      if (siblings === undefined) continue;
      const entry = (offset >>> 2) + entryOf(low);
      if (words[entry + FRAME] === frame) words[entry + Tag.read] = EMPTY;
    }
  }

  /**
   * Notes that a walk from `root` went through the table in `frame`. Returns true when the frame was no table
   * before: its stores must be announced from now on.
   */
  noteTable(frame: number, root: number, level: number, base: number): boolean {
    const uses = this.tables[frame];
    if (uses === undefined) {
      this.tables[frame] = [{ root, level, base }];
      return true;
    }
    for (const use of uses) {
      if (use.root === root && use.level === level && use.base === base) return false;
    }
    uses.push({ root, level, base });
    return false;
  }

  /** Drops all that came from the table in `frame`; it counts as none until a walk goes through it again. */
  forgetTable(frame: number): void {
    const uses = this.tables[frame];
    if (uses === undefined) return;
    this.tables[frame] = undefined;
    for (const context of this.contexts) {
      if (context.filled.length === 0) continue;
      for (const use of uses) {
        if (use.root !== context.root) continue;
        if (use.level === 0) this.dropRange(context, use.base);
        else this.empty(context);
      }
    }
    this.onDrop();
  }

  /** Forgets everything. */
  flush(): void {
    for (const context of this.contexts) this.empty(context);
    this.onDrop();
  }

  /** Empties the context at a byte offset. */
  flushContext(offset: number): void {
    this.empty(this.contexts[(offset - this.start) / TLB_CONTEXT_BYTES]);
    this.onDrop();
  }

  /** Empties the entries for the 2 MiB from `base`, which one table of level 0 maps. */
  private dropRange(context: Context, base: number): void {
    const { words } = this;
    const high = Math.floor(base / 2 ** 32) | 0;
    const low = base | 0;
    const isInRange = (word: number): boolean =>
      ((words[word] ^ low) & ~0x1fffff) === 0 && words[word + 1] === high;
    context.filled = context.filled.filter((entry) => {
      const drops =
        isInRange(entry + Tag.read) || isInRange(entry + Tag.write) || isInRange(entry + Tag.fetch);
      if (drops) this.unlist(entry);
      return !drops;
    });
  }

  private claimContext(): Context {
    for (;;) {
      const context = this.contexts[this.nextVictim];
      this.nextVictim = (this.nextVictim + 1) % CONTEXTS;
      if (this.inUse(context.offset)) continue;
      // The host gives memory only to contexts that are used. Of an entry that is empty, only the tags matter.
      if (context.siblings === undefined) {
        const first = context.offset >>> 2;
        this.words.fill(EMPTY, first, first + TLB_CONTEXT_BYTES / 4);
      }
      this.empty(context);
      context.siblings?.delete(context.regime);
      return context;
    }
  }

  private empty(context: Context): void {
    for (const entry of context.filled) this.unlist(entry);
    context.filled = [];
  }

  private unlist(entry: number): void {
    this.emptyEntry(entry);
    this.isListed[this.slotOf(entry)] = 0;
  }

  private emptyEntry(entry: number): void {
    const { words } = this;
    if (words[entry + Tag.write] !== EMPTY) {
      const slot = this.slotOf(entry);
      if (this.isLinked(slot, words[entry + FRAME])) this.unlinkWriter(slot, words[entry + FRAME]);
    }
    words[entry + Tag.read] = EMPTY;
    words[entry + Tag.write] = EMPTY;
    words[entry + Tag.fetch] = EMPTY;
  }

  private slotOf(entry: number): number {
    return (entry - (this.start >>> 2)) / ENTRY_WORDS;
  }

  private entryAt(slot: number): number {
    return (this.start >>> 2) + slot * ENTRY_WORDS;
  }

  private isLinked(slot: number, frame: number): boolean {
    return this.previousWriter[slot] !== NONE || this.firstWriter[frame] === slot;
  }

  private linkWriter(slot: number, frame: number): void {
    if (this.isLinked(slot, frame)) return;
    const next = this.firstWriter[frame];
    this.nextWriter[slot] = next;
    this.previousWriter[slot] = NONE;
    if (next !== NONE) this.previousWriter[next] = slot;
    this.firstWriter[frame] = slot;
  }

  private unlinkWriter(slot: number, frame: number): void {
    const next = this.nextWriter[slot];
    const previous = this.previousWriter[slot];
    if (previous === NONE) this.firstWriter[frame] = next;
    else this.nextWriter[previous] = next;
    if (next !== NONE) this.previousWriter[next] = previous;
    this.nextWriter[slot] = NONE;
    this.previousWriter[slot] = NONE;
  }
}
