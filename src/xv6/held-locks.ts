/**
 * Which spinlocks each hart has, from the entries of acquire and release. xv6's usertests take and give back locks 70
 * million times, so translated code keeps account of that by itself. Each hart has a stack of locks, which begins with an
 * entry that is none, and with each entry a number for the names of the locks so far, in their order. A table holds what
 * number comes after another one with a lock of some name; whatever is not in there is looked at in `beforeAcquire`.
 */
import { registerOf } from '../machine/as-numbers.js';
import type { EmitProbe } from '../rv64/emitter.js';
import type { Hart } from '../rv64/hart.js';
import { HART_BYTES, MAX_HARTS } from '../rv64/state.js';
import type { Guest } from './guest.js';
import { hex } from './model/errors.js';
import type { Probes } from './probes.js';

/** Offset of the pointer to its name in a lock of this family of kernels: after the word that says it is taken. */
const NAME_OFFSET = 8;
/** As much of a lock as is looked at, up to its name's end. */
const LOCK_BYTES = NAME_OFFSET + 8;
const MAXIMUM_NAME = 32;
/** Where a lock may have a pointer to its holder: after the name, whatever a lab has put in between. */
const HOLDER_OFFSETS = [16, 24, 32, 40, 48];

const RETURN_ADDRESS = 1;
const ARGUMENT_0 = 10;

/** A lock that a hart has. */
export interface Held {
  readonly lock: number;
  /** Where acquire was called from. */
  readonly from: number;
}

/** Hears of a lock that a hart is about to give back. */
export type ReleaseListener = (lock: number, hart: Hart) => void;

/**
 * Where in the notes, in bytes: for each hart, where its last entry lies, and behind that the entries. Then a word that is
 * not 0 while each lock given back has to be told of, and the table. Locks are distances from RAM's beginning.
 */
const LAST = 0;
const FIRST = 16;
const ENTRY_BYTES = 16;
const Entry = { lock: 0, from: 4, number: 8 } as const;
const TOLD = MAX_HARTS * HART_BYTES;
const TABLE = TOLD + 16;
/** A power of two. */
const ROWS = 4096;
const ROW_SHIFT = 4;
/** A row: with a lock of this name (the low word of where that lies), one number follows another. */
const Row = { before: TABLE, name: TABLE + 4, after: TABLE + 8 } as const;

/** What no row follows on, and no lock is. */
const NOTHING = -2;
/** The number of locks whose names are not all in the kernel's own data: names elsewhere come and go with their frames. */
const UNKNOWN = -1;
/** No hart has more; translated code can rely on it, for no row leads to more. */
const MOST_LOCKS = 16;

export class HeldLocks {
  /** Hears of a lock that a hart takes while it has others, when that is not known to have been so before. */
  onNewOrder: (lock: number, held: readonly Held[], hart: Hart) => void = () => {};
  /** Whether any was taken yet. */
  areSeen = false;

  private readonly notes: Int32Array;
  private readonly listeners: ReleaseListener[] = [];
  /** The numbers, by that before and the name. */
  private readonly numbers = new Map<number, number>();
  /** By where they lie, from RAM's beginning. */
  private readonly names = new Map<number, string>();
  private readonly imageEnd: number;
  /** Where a lock of this kernel says which hart has it; undefined until that is known, and where none does. */
  private holderOffset: number | undefined;

  constructor(
    private readonly guest: Guest,
    probes: Probes,
  ) {
    const { machine, ramStart, ramEnd } = guest;
    this.notes = machine.notes.fill(NOTHING);
    this.notes[TOLD >>> 2] = 0;
    for (const hart of machine.harts) this.replace(hart, []);
    this.imageEnd = guest.address('end') ?? 0;
    const lockEnd = ramEnd - ramStart - LOCK_BYTES;
    probes.onEntry('acquire', (hart) => this.beforeAcquire(hart), emitAcquire(ramStart, lockEnd));
    probes.onEntry('release', (hart) => this.beforeRelease(hart), emitRelease(ramStart));
  }

  /** Has `listener` told of each lock that any hart gives back between `beginTelling` and `endTelling`. */
  listen(listener: ReleaseListener): void {
    this.listeners.push(listener);
  }

  beginTelling(): void {
    this.notes[TOLD >>> 2]++;
  }

  endTelling(): void {
    this.notes[TOLD >>> 2]--;
  }

  /**
   * The locks that a hart has. Not all that it began to acquire: an interrupt may come in before acquire turns them off,
   * and the process go on elsewhere.
   */
  of(hart: Hart): readonly Held[] {
    const begun = this.begun(hart);
    const { holderOffset } = this;
    if (holderOffset === undefined || begun.length === 0) return begun;
    const cpu = this.guest.cpuAddress(hart);
    const held = begun.filter(({ lock }) => this.guest.word(lock + holderOffset) === cpu);
    if (held.length < begun.length) this.replace(hart, held);
    return held;
  }

  /** Adds the addresses of the locks that a hart has to others, and `lock`, which it is about to give back. */
  addTo(others: number[], hart: Hart, lock: number): void {
    if (!others.includes(lock)) others.push(lock);
    for (const held of this.of(hart)) if (!others.includes(held.lock)) others.push(held.lock);
  }

  /** The name of the lock at an address, or the address. */
  nameOf(lock: number): string {
    const { guest, names } = this;
    const pointer = this.nameAddress(lock);
    if (pointer === undefined) return hex(lock);
    let name = names.get(pointer - guest.ramStart);
    if (name === undefined) {
      name = guest.text(pointer, MAXIMUM_NAME) || hex(lock);
      names.set(pointer - guest.ramStart, name);
    }
    return name;
  }

  private nameAddress(lock: number): number | undefined {
    const { guest } = this;
    if (!guest.isRam(lock, LOCK_BYTES)) return undefined;
    const pointer = guest.word(lock + NAME_OFFSET);
    return guest.isRam(pointer) ? pointer : undefined;
  }

  // ---- acquire and release ------------------------------------------------------------------------------

  private beforeAcquire(hart: Hart): void {
    const lock = registerOf(hart, ARGUMENT_0);
    if (!this.guest.isRam(lock, LOCK_BYTES)) return;
    this.areSeen = true;
    const from = registerOf(hart, RETURN_ADDRESS);
    if (!this.isKnown(lock, hart)) {
      const held = this.of(hart);
      if (held.length > 0) this.onNewOrder(lock, held, hart);
      this.enterRow(lock, hart);
    }
    this.push(hart, { lock, from });
  }

  private beforeRelease(hart: Hart): void {
    const lock = registerOf(hart, ARGUMENT_0);
    if (!this.guest.isRam(lock, LOCK_BYTES)) return;
    this.holderOffset ??= this.findHolder(lock, hart);
    if (this.note(TOLD) !== 0) for (const listener of this.listeners) listener(lock, hart);
    const last = this.lastOf(hart);
    if (this.lockAt(last) === lock) this.setLast(hart, last - ENTRY_BYTES);
    else this.remove(lock, hart);
  }

  /** A lock that is about to be released says who has it by the address of that hart's struct cpu. */
  private findHolder(lock: number, hart: Hart): number | undefined {
    const { guest } = this;
    const cpu = guest.cpuAddress(hart);
    return HOLDER_OFFSETS.find(
      (offset) => guest.isRam(lock + offset, 8) && guest.word(lock + offset) === cpu,
    );
  }

  // ---- the notes ----------------------------------------------------------------------------------------

  private note(at: number): number {
    return this.notes[at >>> 2];
  }

  private lastOf(hart: Hart): number {
    return this.note(hart.index * HART_BYTES + LAST);
  }

  private setLast(hart: Hart, entry: number): void {
    this.notes[(hart.index * HART_BYTES + LAST) >>> 2] = entry;
  }

  private lockAt(entry: number): number {
    return this.guest.ramStart + (this.note(entry + Entry.lock) >>> 0);
  }

  /** What a hart has begun to acquire and not given back, in that order. */
  private begun(hart: Hart): Held[] {
    const held: Held[] = [];
    const last = this.lastOf(hart);
    for (let entry = firstOf(hart) + ENTRY_BYTES; entry <= last; entry += ENTRY_BYTES)
      held.push({ lock: this.lockAt(entry), from: this.note(entry + Entry.from) >>> 0 });
    return held;
  }

  private replace(hart: Hart, held: readonly Held[]): void {
    this.setEntry(firstOf(hart), NOTHING, 0, 0);
    this.setLast(hart, firstOf(hart));
    for (const each of held) this.push(hart, each);
  }

  private remove(lock: number, hart: Hart): void {
    const begun = this.begun(hart);
    const index = begun.findLastIndex((each) => each.lock === lock);
    if (index >= 0) this.replace(hart, [...begun.slice(0, index), ...begun.slice(index + 1)]);
  }

  private push(hart: Hart, { lock, from }: Held): void {
    const last = this.lastOf(hart);
    if (last === firstOf(hart) + MOST_LOCKS * ENTRY_BYTES) return;
    const number = this.numberAfter(this.note(last + Entry.number), lock);
    this.setEntry(last + ENTRY_BYTES, lock - this.guest.ramStart, from, number);
    this.setLast(hart, last + ENTRY_BYTES);
  }

  private setEntry(entry: number, lock: number, from: number, number: number): void {
    this.notes[(entry + Entry.lock) >>> 2] = lock;
    this.notes[(entry + Entry.from) >>> 2] = from;
    this.notes[(entry + Entry.number) >>> 2] = number;
  }

  // ---- the table ----------------------------------------------------------------------------------------

  private numberAfter(before: number, lock: number): number {
    const name = this.nameAddress(lock);
    if (before === UNKNOWN || name === undefined || name >= this.imageEnd) return UNKNOWN;
    const key = before * 2 ** 32 + name;
    let number = this.numbers.get(key);
    if (number === undefined) this.numbers.set(key, (number = this.numbers.size + 1));
    return number;
  }

  /** Whether the table has the row that translated code needs to take a lock. */
  private isKnown(lock: number, hart: Hart): boolean {
    const before = this.note(this.lastOf(hart) + Entry.number);
    const name = this.guest.word32(lock + NAME_OFFSET) | 0;
    const row = rowOf(before, name);
    return this.note(row + Row.before) === before && this.note(row + Row.name) === name;
  }

  private enterRow(lock: number, hart: Hart): void {
    const last = this.lastOf(hart);
    const before = this.note(last + Entry.number);
    const after = this.numberAfter(before, lock);
    if (after === UNKNOWN || last - firstOf(hart) === MOST_LOCKS * ENTRY_BYTES) return;
    const name = this.guest.word32(lock + NAME_OFFSET);
    const row = rowOf(before, name);
    this.notes[(row + Row.before) >>> 2] = before;
    this.notes[(row + Row.name) >>> 2] = name;
    this.notes[(row + Row.after) >>> 2] = after;
  }
}

const firstOf = (hart: Hart): number => hart.index * HART_BYTES + FIRST;

/** Distance of a row from the first one. */
const rowOf = (before: number, name: number): number =>
  ((Math.imul(before, 31) + (name >>> 3)) & (ROWS - 1)) << ROW_SHIFT;

// ---- the same, translated -------------------------------------------------------------------------------

const emitAcquire =
  (ramStart: number, lockEnd: number): EmitProbe =>
  (t) => {
    const { i32, i64 } = t;
    const hart = t.hart();
    const lock = i64.sub(t.x(ARGUMENT_0), i64.constant(BigInt(ramStart)));
    t.callIf(i64.geU(lock, i64.constant(BigInt(lockEnd))));
    const name = t.ramWord(t.lowWord(lock), NAME_OFFSET);
    const last = t.lowWord(t.keep('first', t.zeroExtend(t.note(hart, LAST))));
    const before = t.note(last, Entry.number);
    const hash = i32.add(i32.mul(before, i32.constant(31)), i32.shrU(name, i32.constant(3)));
    const index = i32.and(hash, i32.constant(ROWS - 1));
    const row = t.lowWord(t.keep('second', t.zeroExtend(i32.shl(index, i32.constant(ROW_SHIFT)))));
    t.callIf(i32.or(i32.ne(t.note(row, Row.before), before), i32.ne(t.note(row, Row.name), name)));
    t.setNote(last, ENTRY_BYTES + Entry.lock, t.lowWord(lock));
    t.setNote(last, ENTRY_BYTES + Entry.from, t.low(RETURN_ADDRESS));
    t.setNote(last, ENTRY_BYTES + Entry.number, t.note(row, Row.after));
    t.setNote(hart, LAST, i32.add(last, i32.constant(ENTRY_BYTES)));
  };

const emitRelease =
  (ramStart: number): EmitProbe =>
  (t) => {
    const { i32, i64 } = t;
    const hart = t.hart();
    const last = t.note(hart, LAST);
    const lock = i64.sub(t.x(ARGUMENT_0), i64.constant(BigInt(ramStart)));
    const isTold = t.note(i32.constant(0), TOLD);
    t.callIf(i32.or(isTold, i64.ne(t.zeroExtend(t.note(last, Entry.lock)), lock)));
    t.setNote(hart, LAST, i32.sub(last, i32.constant(ENTRY_BYTES)));
  };
