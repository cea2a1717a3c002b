/**
 * The guest's page tables as they change: every page of every table is watched for stores, and each entry that
 * changed is told, with its value before and after and the store that did it. A table is known from the first call
 * that names its root.
 */
import type { Hart } from '../rv64/hart.js';
import { ENTRIES_PER_TABLE, LEVELS, PAGE_BYTES, PTE_A, PTE_BYTES, PTE_D } from '../sv39/pte.js';
import type { Event } from './finding.js';
import type { Guest } from './guest.js';
import { frameOf, isPointer, isValidLeaf, spanOf, SV39 } from './model/page-table.js';
import { roundDown } from './model/memory.js';

/** One page of a page table. */
export interface TablePage {
  readonly frame: number;
  readonly root: number;
  readonly level: number;
  /** The first virtual address that it translates. */
  readonly base: number;
  /** Its entries as they were last seen, A and D left out. */
  readonly entries: BigUint64Array;
}

/** A leaf that maps memory elsewhere than at its own address. */
export interface Mapping {
  readonly at: number;
  readonly entry: bigint;
  readonly page: TablePage;
  readonly address: number;
  /** The store that made it; undefined where nobody was watching yet. */
  readonly made: Event | undefined;
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

const HARDWARE_BITS = PTE_A | PTE_D;

const STACK_POINTER = 2;
/** One round of a loop over a table takes less; a system call, to come back to the same place, more. */
const LOOP_CYCLES = 100;

export class Tables {
  private readonly pages = new Map<number, TablePage>();
  /** Entries stored to since they were last looked at, with the store. */
  private readonly dirty = new Map<number, Event | undefined>();
  /** Mappings by the frame they map, and by the entry. */
  private readonly byFrame = new Map<number, Set<number>>();
  private readonly byEntry = new Map<number, Mapping>();
  /** The store that was described last. */
  private last: { readonly pc: bigint; readonly stackPointer: bigint; readonly event: Event } | undefined;

  /** Called before each store to a page of a table, with the hart that stores, if one does. */
  onStore: (hart: Hart | undefined) => void = () => {};

  /** `onChange` hears of every entry that is no longer as it was; `eventOf` describes a store as it happens. */
  constructor(
    private readonly guest: Guest,
    private readonly onChange: (change: EntryChange) => void,
    private readonly eventOf: (hart: Hart) => Event,
  ) {}

  isTable(frame: number): boolean {
    return this.pages.has(frame);
  }

  page(frame: number): TablePage | undefined {
    return this.pages.get(frame);
  }

  /** The leaves that map a frame, those that map it at its own address left out. */
  mappingsOf(frame: number): Mapping[] {
    this.update();
    const entries = this.byFrame.get(frame);
    return entries === undefined ? [] : [...entries].map((at) => this.byEntry.get(at)!);
  }

  mappingAt(at: number): Mapping | undefined {
    return this.byEntry.get(at);
  }

  /** Begins to watch the table with this root, unless it is watched already. */
  adopt(root: number): void {
    if (!this.pages.has(root) && this.guest.isRam(root, PAGE_BYTES)) this.add(root, root, LEVELS - 1, 0);
  }

  /** Forgets a page of a table that is no longer one. */
  drop(frame: number): void {
    const page = this.pages.get(frame);
    if (page === undefined) return;
    this.update();
    this.pages.delete(frame);
    this.guest.machine.unwatchFrame(BigInt(frame));
    for (let index = 0; index < ENTRIES_PER_TABLE; index++) {
      if (page.entries[index] !== 0n) this.unlink(frame + index * PTE_BYTES);
    }
  }

  /** Looks at the entries that were stored to. */
  update(): void {
    for (const [at, event] of this.dirty) {
      this.dirty.delete(at);
      const page = this.pages.get(roundDown(at));
      if (page) this.compare(page, (at % PAGE_BYTES) / PTE_BYTES, event);
    }
  }

  private add(frame: number, root: number, level: number, base: number): void {
    const page = { frame, root, level, base, entries: new BigUint64Array(ENTRIES_PER_TABLE) };
    this.pages.set(frame, page);
    this.guest.machine.watchFrame(BigInt(frame), (address, bytes, hart) => {
      this.onStore(hart);
      const event = hart && this.describeStore(hart);
      const first = Number(address) - (Number(address) % PTE_BYTES);
      for (let at = first; at < Number(address) + bytes; at += PTE_BYTES) this.dirty.set(at, event);
    });
    for (let index = 0; index < ENTRIES_PER_TABLE; index++) this.compare(page, index, undefined);
  }

  /** A loop over a table makes hundreds of stores from one place, which are described by one backtrace. */
  private describeStore(hart: Hart): Event {
    const { last } = this;
    const [pc, stackPointer] = [hart.pc, hart.x[STACK_POINTER]];
    const isRepeat =
      last !== undefined &&
      last.event.hart === hart.index &&
      last.pc === pc &&
      last.stackPointer === stackPointer &&
      hart.cycles - last.event.cycle < LOOP_CYCLES;
    const event = isRepeat
      ? { ...last.event, cycle: hart.cycles, instruction: this.guest.machine.instructionCount }
      : this.eventOf(hart);
    this.last = { pc, stackPointer, event };
    return event;
  }

  private compare(page: TablePage, index: number, event: Event | undefined): void {
    const at = page.frame + index * PTE_BYTES;
    const before = page.entries[index];
    const after = this.guest.read(at, PTE_BYTES)! & ~HARDWARE_BITS;
    if (before === after) return;
    page.entries[index] = after;
    const address = page.base + index * spanOf(SV39, page.level);
    this.unlink(at);
    if (isValidLeaf(after) && frameOf(after) !== address)
      this.link({ at, entry: after, page, address, made: event });
    if (isPointer(after) && page.level > 0) this.follow(page, after, address);
    this.onChange({ page, at, address, before, after, event });
  }

  private follow(page: TablePage, entry: bigint, base: number): void {
    const frame = frameOf(entry);
    const known = this.pages.get(frame);
    if (known?.level === page.level - 1 || !this.guest.isRam(frame, PAGE_BYTES)) return;
    if (known) this.drop(frame);
    this.add(frame, page.root, page.level - 1, base);
  }

  private link(mapping: Mapping): void {
    const frame = frameOf(mapping.entry);
    const others = this.byFrame.get(frame);
    if (others) others.add(mapping.at);
    else this.byFrame.set(frame, new Set([mapping.at]));
    this.byEntry.set(mapping.at, mapping);
  }

  private unlink(at: number): void {
    const mapping = this.byEntry.get(at);
    if (mapping === undefined) return;
    this.byEntry.delete(at);
    const frame = frameOf(mapping.entry);
    const others = this.byFrame.get(frame)!;
    others.delete(at);
    if (others.size === 0) this.byFrame.delete(frame);
  }
}
