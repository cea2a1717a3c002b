/**
 * The guest's page tables as they change: every page of every table is watched for stores, and each entry that
 * changed is told, with its value before and after and the store that did it. A table is known from the first call
 * that names its root.
 */
import { pcOf, registerOf } from '../machine/as-numbers.js';
import type { FrameWatcher } from '../machine/watching.js';
import type { Hart } from '../rv64/hart.js';
import { ENTRIES_PER_TABLE, LEVELS, PAGE_BYTES, PTE_A, PTE_BYTES, PTE_D, PTE_V } from '../sv39/pte.js';
import type { Event } from './finding.js';
import type { Guest } from './guest.js';
import { frameOf, isPointer, isValidLeaf, SV39 } from './model/page-table.js';
import { offsetInPage } from './model/memory.js';

/** One page of a page table. */
export interface TablePage {
  readonly frame: number;
  readonly root: number;
  readonly level: number;
  /** The first virtual address that it translates. */
  readonly base: number;
  /** Its entries as they were last seen, A and D left out: the low and the high word of each. */
  readonly entries: Int32Array;
  /** The mappings among its entries, by index. */
  readonly mappings: (Mapping | undefined)[];
}

/** A leaf that maps memory elsewhere than at its own address. */
export interface Mapping {
  readonly at: number;
  readonly entry: bigint;
  readonly address: number;
  /** Root of the table that it is in. */
  readonly root: number;
  /** The store that made it; undefined where nobody was watching yet. */
  readonly made: Event | undefined;
  /** Number of the frame, from RAM's beginning, which it may not be in. */
  readonly number: number;
  /** Another mapping of the same frame. */
  next: Mapping | undefined;
}

/** An entry of a page, as it was last seen. */
export const entryAt = ({ entries }: TablePage, index: number): bigint =>
  entryOf(entries[2 * index], entries[2 * index + 1]);

const entryOf = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

/** A store to a page of a table, or the last one of a loop of such stores, of which the first one was described. */
interface Store {
  readonly event: Event;
  readonly stackPointer: number;
  instruction: number;
  cycle: number;
}

export interface EntryChange {
  readonly page: TablePage;
  /** Physical address of the entry, and the virtual address it translates. */
  readonly at: number;
  readonly address: number;
  readonly before: bigint;
  readonly after: bigint;
  readonly event: Event | undefined;
}

const HARDWARE_BITS = Number(PTE_A | PTE_D);
const VALID = Number(PTE_V);

const STACK_POINTER = 2;
/** One round of a loop over a table takes less; a system call, to come back to the same place, more. */
const LOOP_CYCLES = 100;

export class Tables {
  /** By number, from RAM's beginning. */
  private readonly pages: (TablePage | undefined)[];
  /** The entries that the last store was to, by number from RAM's beginning, while they have not been looked at since. */
  private firstDirty = 0;
  private endOfDirty = 0;
  /** That store; undefined where a device made it. */
  private dirtiedBy: Store | undefined;
  /** The mapping of each frame that was made last, by number. */
  private readonly byFrame: (Mapping | undefined)[];
  /** The store that was described last. */
  private last: Store | undefined;

  /** Called before each store to a page of a table, with the hart that stores, if one does. */
  onStore: (hart: Hart | undefined) => void = () => {};
  /** Hears of every entry that is not valid any more, or was not and is another such. */
  onClear: ((change: EntryChange) => void) | undefined;

  /** `onSet` hears of every valid entry that is another than before; `eventOf` describes a store as it happens. */
  constructor(
    private readonly guest: Guest,
    private readonly onSet: (change: EntryChange) => void,
    private readonly eventOf: (hart: Hart) => Event,
  ) {
    const frames = this.numberOf(guest.ramEnd);
    this.pages = new Array<TablePage | undefined>(frames).fill(undefined);
    this.byFrame = new Array<Mapping | undefined>(frames).fill(undefined);
  }

  isTable(frame: number): boolean {
    return this.page(frame) !== undefined;
  }

  page(frame: number): TablePage | undefined {
    return this.pages[this.numberOf(frame)];
  }

  private numberOf(frame: number): number {
    return (frame - this.guest.ramStart) / PAGE_BYTES;
  }

  /** The leaves that map a frame, those that map it at its own address left out. */
  mappingsOf(frame: number): Mapping[] {
    this.update();
    const mappings: Mapping[] = [];
    let mapping = this.byFrame[this.numberOf(frame)];
    for (; mapping !== undefined; mapping = mapping.next) mappings.push(mapping);
    return mappings;
  }

  mappingAt(at: number): Mapping | undefined {
    const offset = offsetInPage(at);
    return this.page(at - offset)?.mappings[offset / PTE_BYTES];
  }

  /** Begins to watch the table with this root, unless it is watched already. */
  adopt(root: number): void {
    if (!this.isTable(root) && this.guest.isRam(root, PAGE_BYTES)) this.add(root, root, LEVELS - 1, 0);
  }

  /** Forgets a page of a table that is no longer one. */
  drop(frame: number): void {
    const page = this.page(frame);
    if (page === undefined) return;
    this.update();
    this.pages[this.numberOf(frame)] = undefined;
    this.guest.machine.unwatchFrame(frame);
    page.mappings.forEach((mapping) => mapping && this.unlink(mapping));
  }

  /** Looks at what was stored last. */
  update(): void {
    const end = this.endOfDirty;
    this.endOfDirty = 0;
    for (let number = this.firstDirty; number < end; number++) {
      const page = this.pages[Math.floor(number / ENTRIES_PER_TABLE)];
      if (page) this.compare(page, number % ENTRIES_PER_TABLE, this.dirtiedBy);
    }
  }

  private add(frame: number, root: number, level: number, base: number): void {
    const page = { frame, root, level, base, entries: new Int32Array(2 * ENTRIES_PER_TABLE), mappings: [] };
    this.pages[this.numberOf(frame)] = page;
    this.guest.machine.watchFrame(frame, this.noteStore);
    for (let index = 0; index < ENTRIES_PER_TABLE; index++) this.compare(page, index, undefined);
  }

  /** Is called before each store, so those before it have been made by now. One entry may be stored to in steps. */
  private readonly noteStore: FrameWatcher = (address, bytes, hart) => {
    this.onStore(hart);
    const offset = address - this.guest.ramStart;
    const first = Math.floor(offset / PTE_BYTES);
    const end = Math.ceil((offset + bytes) / PTE_BYTES);
    // A device tells of all frames that it stores to before it does.
    const isContinued = hart === undefined && this.dirtiedBy === undefined && first === this.endOfDirty;
    if (!isContinued) {
      if (first !== this.firstDirty || end !== this.endOfDirty) this.update();
      this.firstDirty = first;
    }
    this.endOfDirty = end;
    this.dirtiedBy = hart && this.describeStore(hart);
  };

  /** A loop over a table makes hundreds of stores from one place, which are described by one backtrace. */
  private describeStore(hart: Hart): Store {
    const { last } = this;
    const { cycles } = hart;
    const pc = pcOf(hart);
    const stackPointer = registerOf(hart, STACK_POINTER);
    const isRepeat =
      last !== undefined &&
      last.event.hart === hart.index &&
      last.event.stack[0] === pc &&
      last.stackPointer === stackPointer &&
      cycles - last.cycle < LOOP_CYCLES;
    if (!isRepeat) {
      const event = this.eventOf(hart);
      return (this.last = { event, stackPointer, cycle: cycles, instruction: event.instruction });
    }
    last.cycle = cycles;
    last.instruction = this.guest.machine.instructionCount;
    return last;
  }

  private compare(page: TablePage, index: number, store: Store | undefined): void {
    const at = page.frame + index * PTE_BYTES;
    const { entries } = page;
    const low = this.guest.word32(at) & ~HARDWARE_BITS;
    const high = this.guest.word32(at + 4) | 0;
    const [lowBefore, highBefore] = [entries[2 * index], entries[2 * index + 1]];
    if (lowBefore === low && highBefore === high) return;
    entries[2 * index] = low;
    entries[2 * index + 1] = high;
    const mapping = page.mappings[index];
    if (mapping) this.unlink(mapping);
    page.mappings[index] = undefined;
    const isSet = (low & VALID) !== 0;
    const tell = isSet ? this.onSet : this.onClear;
    if (tell === undefined) return;
    const [before, after] = [entryOf(lowBefore, highBefore), entryOf(low, high)];
    const event = store && { ...store.event, cycle: store.cycle, instruction: store.instruction };
    const address = page.base + index * SV39.spans[page.level];
    const isMapping = isValidLeaf(after) && frameOf(after) !== address;
    if (isMapping) page.mappings[index] = this.link(page.root, at, address, after, event);
    if (isPointer(after) && page.level > 0) this.follow(page, after, address);
    tell({ page, at, address, before, after, event });
  }

  private follow(page: TablePage, entry: bigint, base: number): void {
    const frame = frameOf(entry);
    const known = this.page(frame);
    if (known?.level === page.level - 1 || !this.guest.isRam(frame, PAGE_BYTES)) return;
    if (known) this.drop(frame);
    this.add(frame, page.root, page.level - 1, base);
  }

  private link(root: number, at: number, address: number, entry: bigint, made: Event | undefined): Mapping {
    const frame = frameOf(entry);
    const number = this.numberOf(frame);
    const mapping = { root, at, entry, address, made, number, next: this.byFrame[number] };
    if (this.guest.isRam(frame)) this.byFrame[number] = mapping;
    return mapping;
  }

  private unlink(mapping: Mapping): void {
    const { number, next } = mapping;
    const first = this.byFrame[number];
    if (first === mapping) this.byFrame[number] = next;
    else {
      let before = first;
      while (before && before.next !== mapping) before = before.next;
      if (before) before.next = next;
    }
  }
}
