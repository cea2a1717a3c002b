/**
 * The guest's page tables as they change: every page of every table is watched for stores, and each entry that
 * changed is told, with its value before and after and the store that did it. A table is known from the first call
 * that names its root.
 */
import { pcOf, registerOf } from '../machine/as-numbers.js';
import type { FrameWatcher } from '../machine/watching.js';
import type { Hart } from '../rv64/hart.js';
import { ENTRIES_PER_TABLE, LEVELS, PAGE_BYTES, PTE_A, PTE_BYTES, PTE_D } from '../sv39/pte.js';
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
  /** Another mapping of the same frame. */
  next: Mapping | undefined;
}

/** An entry of a page, as it was last seen. */
export const entryAt = ({ entries }: TablePage, index: number): bigint =>
  (BigInt(entries[2 * index + 1] >>> 0) << 32n) | BigInt(entries[2 * index] >>> 0);

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

const STACK_POINTER = 2;
/** One round of a loop over a table takes less; a system call, to come back to the same place, more. */
const LOOP_CYCLES = 100;

export class Tables {
  /** By number, from RAM's beginning. */
  private readonly pages: (TablePage | undefined)[];
  /** Entries stored to since they were last looked at, by number from RAM's beginning, with the store. */
  private readonly dirty = new Map<number, Event | undefined>();
  /** The mapping of each frame that was made last, by page number. */
  private readonly byFrame = new Map<number, Mapping>();
  /** The store that was described last. */
  private last: { readonly pc: number; readonly stackPointer: number; event: Event } | undefined;

  /** Called before each store to a page of a table, with the hart that stores, if one does. */
  onStore: (hart: Hart | undefined) => void = () => {};

  /** `onChange` hears of every entry that is no longer as it was; `eventOf` describes a store as it happens. */
  constructor(
    private readonly guest: Guest,
    private readonly onChange: (change: EntryChange) => void,
    private readonly eventOf: (hart: Hart) => Event,
  ) {
    this.pages = new Array<TablePage | undefined>(this.numberOf(guest.ramEnd)).fill(undefined);
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
    let mapping = this.byFrame.get(frame / PAGE_BYTES);
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
    this.guest.machine.unwatchFrame(BigInt(frame));
    page.mappings.forEach((mapping) => mapping && this.unlink(mapping));
  }

  /** Looks at the entries that were stored to. */
  update(): void {
    if (this.dirty.size === 0) return;
    for (const [number, event] of this.dirty) {
      this.dirty.delete(number);
      const page = this.pages[Math.floor(number / ENTRIES_PER_TABLE)];
      if (page) this.compare(page, number % ENTRIES_PER_TABLE, event);
    }
  }

  private add(frame: number, root: number, level: number, base: number): void {
    const page = { frame, root, level, base, entries: new Int32Array(2 * ENTRIES_PER_TABLE), mappings: [] };
    this.pages[this.numberOf(frame)] = page;
    this.guest.machine.watchFrame(BigInt(frame), this.noteStore);
    for (let index = 0; index < ENTRIES_PER_TABLE; index++) this.compare(page, index, undefined);
  }

  private readonly noteStore: FrameWatcher = (address, bytes, hart) => {
    this.onStore(hart);
    const event = hart && this.describeStore(hart);
    const offset = address - this.guest.ramStart;
    for (let number = Math.floor(offset / PTE_BYTES); number * PTE_BYTES < offset + bytes; number++)
      this.dirty.set(number, event);
  };

  /** A loop over a table makes hundreds of stores from one place, which are described by one backtrace. */
  private describeStore(hart: Hart): Event {
    const { last } = this;
    const { cycles } = hart;
    const pc = pcOf(hart);
    const stackPointer = registerOf(hart, STACK_POINTER);
    const isRepeat =
      last !== undefined &&
      last.event.hart === hart.index &&
      last.pc === pc &&
      last.stackPointer === stackPointer &&
      cycles - last.event.cycle < LOOP_CYCLES;
    if (isRepeat) {
      const { process, stack } = last.event;
      const instruction = this.guest.machine.instructionCount;
      last.event = { instruction, cycle: cycles, hart: hart.index, process, stack };
    } else this.last = { pc, stackPointer, event: this.eventOf(hart) };
    return this.last!.event;
  }

  private compare(page: TablePage, index: number, event: Event | undefined): void {
    const at = page.frame + index * PTE_BYTES;
    const { entries } = page;
    const low = this.guest.word32(at) & ~HARDWARE_BITS;
    const high = this.guest.word32(at + 4) | 0;
    if (entries[2 * index] === low && entries[2 * index + 1] === high) return;
    const before = entryAt(page, index);
    entries[2 * index] = low;
    entries[2 * index + 1] = high;
    const after = entryAt(page, index);
    const address = page.base + index * SV39.spans[page.level];
    const mapping = page.mappings[index];
    if (mapping) this.unlink(mapping);
    const isMapping = isValidLeaf(after) && frameOf(after) !== address;
    page.mappings[index] = isMapping ? this.link(page.root, at, address, after, event) : undefined;
    if (isPointer(after) && page.level > 0) this.follow(page, after, address);
    this.onChange({ page, at, address, before, after, event });
  }

  private follow(page: TablePage, entry: bigint, base: number): void {
    const frame = frameOf(entry);
    const known = this.page(frame);
    if (known?.level === page.level - 1 || !this.guest.isRam(frame, PAGE_BYTES)) return;
    if (known) this.drop(frame);
    this.add(frame, page.root, page.level - 1, base);
  }

  private link(root: number, at: number, address: number, entry: bigint, made: Event | undefined): Mapping {
    const number = frameOf(entry) / PAGE_BYTES;
    const mapping = { root, at, entry, address, made, next: this.byFrame.get(number) };
    this.byFrame.set(number, mapping);
    return mapping;
  }

  private unlink(mapping: Mapping): void {
    const number = frameOf(mapping.entry) / PAGE_BYTES;
    const first = this.byFrame.get(number)!;
    if (first === mapping) {
      if (mapping.next) this.byFrame.set(number, mapping.next);
      else this.byFrame.delete(number);
      return;
    }
    let before = first;
    while (before.next !== mapping) before = before.next!;
    before.next = mapping.next;
  }
}
