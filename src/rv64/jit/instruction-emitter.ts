/**
 * Turns the rows' `emit` into WebAssembly. The guest's registers are locals. What depends on the region that the instruction
 * will stand in, and where, is left open as a mark (see marks.ts).
 */
import type { Emitter, HighProduct, I32, I64, LoadKind, ProbeEmitter } from '../emitter.js';
import { lengthOf, rd } from '../fields.js';
import { NOTES_START, Offset, RAM_START } from '../state.js';
import { REFUSED_CYCLES } from '../time.js';
import { ADDEND_OFFSET, count, Local, NO_MISS, packMiss, tlbEntry } from './layout.js';
import {
  addressMark,
  branchIfMark,
  branchToMark,
  constMark,
  getRegister,
  inside,
  Mark,
  setRegister,
} from './marks.js';
import { importIndex, Step } from './support.js';
import { asI32, asI64, codeOf, operations } from './values.js';
import {
  access,
  call,
  type Code,
  flat,
  getLocal,
  i32Const,
  i64Const,
  Memory,
  NO_RESULT,
  Op,
  setLocal,
  teeLocal,
} from './wasm.js';

/** How an instruction ends a block. Distances are from the instruction. */
export type Flow =
  /** If what the instruction leaves on the stack is not 0. */
  | { readonly kind: 'branch'; readonly distance: number }
  | { readonly kind: 'jump'; readonly distance: number }
  /** A jump that is to be followed by a return to the next instruction, where it is followed itself. */
  | { readonly kind: 'call'; readonly distance: number }
  /** To the address in the local `target`. */
  | { readonly kind: 'indirect'; readonly isCall: boolean }
  /** Leaves the region by its own code. */
  | { readonly kind: 'leave' };

/** An instruction as it is translated wherever it stands. */
export interface Template {
  readonly bytes: number;
  readonly code: readonly number[];
  readonly flow: Flow | undefined;
  /** The registers that it uses, and those of them that it writes: a bit for each. */
  readonly used: number;
  readonly written: number;
  /** Whether it may have to be left to the interpreter for what it loads or stores. */
  readonly touchesMemory: boolean;
}

const LOADS: Readonly<Record<LoadKind, { op: number; bytes: number }>> = {
  s8: { op: Memory.i64Load8S, bytes: 1 },
  u8: { op: Memory.i64Load8U, bytes: 1 },
  s16: { op: Memory.i64Load16S, bytes: 2 },
  u16: { op: Memory.i64Load16U, bytes: 2 },
  s32: { op: Memory.i64Load32S, bytes: 4 },
  u32: { op: Memory.i64Load32U, bytes: 4 },
  '64': { op: Memory.i64Load, bytes: 8 },
};

const STORES: Readonly<Record<number, number>> = {
  1: Memory.i64Store8,
  2: Memory.i64Store16,
  4: Memory.i64Store32,
  8: Memory.i64Store,
};

/** Byte offsets of the tags in a TLB entry. */
const READ_TAG = 0;
const WRITE_TAG = 8;

/** Where in the memory the access is, after `bailUnlessInTlb`. */
const hostAddress: Code = [
  getLocal(Local.address),
  Op.wrap,
  getLocal(Local.entry),
  access(Memory.i32Load, ADDEND_OFFSET),
  Op.i32.add,
];

/** Notes where the region is to be left; a compiler gives it no instruction unless it is left there. */
const setAt: Code = [constMark(Mark.at), setLocal(Local.at)];

/** What `interpret` needs to know of the row that is being emitted. */
export interface RowReference {
  readonly index: number;
  readonly hasRd: boolean;
}

export class InstructionEmitter implements Emitter, ProbeEmitter {
  /** `counts` tells whether the code counts accesses and idioms. */
  constructor(readonly counts: boolean) {}

  readonly i64 = operations<I64, number | bigint>(i64Const, Op.i64);
  readonly i32 = operations<I32, number>(i32Const, Op.i32);

  private code: Code[] = [];
  private flow: Flow | undefined;
  private used = 0;
  private written = 0;
  private touchesMemory = false;
  private word = 0;
  private row!: RowReference;
  /** Blocks of its own that the instruction's code stands in just now. */
  private nesting = 0;

  /** Emits the instruction `word` (as code pages keep it). */
  emit(word: number, row: RowReference, emit: (t: Emitter) => void): Template {
    this.code = [];
    this.flow = undefined;
    this.used = 0;
    this.written = 0;
    this.touchesMemory = false;
    this.word = word;
    this.row = row;
    emit(this);
    const { flow, used, written, touchesMemory } = this;
    const code = flat(this.code);
    return { bytes: lengthOf(word), code, flow, used, written, touchesMemory };
  }

  // ---- registers ------------------------------------------------------------------------------------------

  x(register: number): I64 {
    this.used |= 1 << register;
    return asI64(getRegister(register));
  }

  low(register: number): I32 {
    this.used |= 1 << register;
    return asI32(register === 0 ? i32Const(0) : [getRegister(register), Op.wrap]);
  }

  set(register: number, value: I64): void {
    if (register !== 0) this.push(codeOf(value), this.write(register));
  }

  /** Code that writes a register other than x0. */
  private write(register: number): Code {
    this.used |= 1 << register;
    this.written |= 1 << register;
    return setRegister(register);
  }

  // ---- values ---------------------------------------------------------------------------------------------

  lowWord(value: I64): I32 {
    return asI32([codeOf(value), Op.wrap]);
  }

  signExtend(value: I32): I64 {
    return asI64([codeOf(value), Op.extendS]);
  }

  zeroExtend(value: I32): I64 {
    return asI64([codeOf(value), Op.extendU]);
  }

  highProduct(kind: HighProduct, a: I64, b: I64): I64 {
    return asI64([codeOf(a), codeOf(b), call(importIndex(kind))]);
  }

  pc(): I64 {
    return asI64(addressMark(Mark.offset));
  }

  nextPc(): I64 {
    return asI64(addressMark(Mark.next));
  }

  // ---- memory ---------------------------------------------------------------------------------------------

  load(kind: LoadKind, rd: number, base: number, offset: number): void {
    const { op, bytes } = LOADS[kind];
    this.setAddress(base, offset);
    this.push(this.bailUnlessInTlb(READ_TAG, bytes));
    if (rd !== 0) this.push(hostAddress, access(op), this.write(rd));
  }

  store(bytes: number, base: number, offset: number, value: I64): void {
    this.setAddress(base, offset);
    this.push(this.bailUnlessInTlb(WRITE_TAG, bytes));
    this.push(hostAddress, codeOf(value), access(STORES[bytes]));
  }

  atomic(bytes: 4 | 8, rd: number, base: number, combine: (memory: I64) => I64): void {
    this.setAddress(base, 0);
    const isMisaligned = [getLocal(Local.address), i64Const(bytes - 1), Op.i64.and];
    this.bailIf(asI32([isMisaligned, Op.i64.eqz, Op.i32.eqz]));
    this.push(this.bailUnlessInTlb(WRITE_TAG, bytes));
    const load = bytes === 4 ? Memory.i64Load32S : Memory.i64Load;
    this.push(hostAddress, access(load), setLocal(Local.scratch));
    const old = getLocal(Local.scratch);
    this.refuseIf(
      this.i32.and(
        this.i64.eq(combine(asI64(old)), asI64(old)),
        this.i64.ne(asI64(old), this.i64.constant(0)),
      ),
    );
    this.push(hostAddress, codeOf(combine(asI64(old))), access(STORES[bytes]));
    this.set(rd, asI64(old));
  }

  private bailIf(condition: I32): void {
    this.push(setAt, [i32Const(NO_MISS), setLocal(Local.miss)]);
    this.push(codeOf(condition), branchIfMark(Mark.bail));
  }

  /** What HartTime.refuse does; without fuel for that, the interpreter does the instruction. */
  private refuseIf(condition: I32): void {
    const hart = getLocal(Local.hart);
    const cycles = i32Const(REFUSED_CYCLES);
    const hasNoFuel: Code = [getLocal(Local.fuel), cycles, Op.i32.ltS];
    this.push([codeOf(condition), teeLocal(Local.rounds), hasNoFuel, Op.i32.and]);
    this.push([i32Const(NO_MISS), setLocal(Local.miss)], branchIfMark(Mark.bail));
    this.push(getLocal(Local.rounds));
    this.nest(() => {
      this.push([getLocal(Local.fuel), cycles, Op.i32.sub, setLocal(Local.fuel)]);
      this.push(hart, hart, access(Memory.f64Load, Offset.stepless), cycles, [Op.f64.fromI32, Op.f64.add]);
      this.push(access(Memory.f64Store, Offset.stepless));
      this.push(hart, hart, access(Memory.i64Load, Offset.instretOffset), i64Const(REFUSED_CYCLES));
      this.push([Op.i64.sub], access(Memory.i64Store, Offset.instretOffset));
    });
    this.push([Op.end]);
  }

  private setAddress(base: number, offset: number): void {
    this.touchesMemory = true;
    const address = this.x(base);
    this.push(
      codeOf(offset === 0 ? address : this.i64.add(address, this.i64.constant(offset))),
      setLocal(Local.address),
    );
  }

  /**
   * Compares the tag of the entry for the first byte with the page of the last one: where an access crosses into
   * the next page they differ, for the entry's page can only be one that shares the entry with the first.
   */
  private bailUnlessInTlb(tag: number, bytes: number): Code {
    const last = bytes === 1 ? [] : [i64Const(bytes - 1), Op.i64.add];
    return [
      [setAt, i32Const(packMiss(tag === WRITE_TAG ? 'write' : 'read', bytes)), setLocal(Local.miss)],
      tlbEntry(getLocal(Local.tlb), getLocal(Local.address)),
      teeLocal(Local.entry),
      access(Memory.i64Load, tag),
      getLocal(Local.address),
      last,
      i64Const(-4096),
      Op.i64.and,
      Op.i64.ne,
      branchIfMark(Mark.miss),
      this.counts ? count(Local.hits, i32Const(1)) : [],
    ];
  }

  // ---- control flow ---------------------------------------------------------------------------------------

  branch(condition: I32, distance: number): void {
    this.push(codeOf(condition));
    this.flow = { kind: 'branch', distance };
  }

  jump(distance: number, link: number): void {
    this.set(link, this.nextPc());
    this.flow = { kind: link === 0 ? 'jump' : 'call', distance };
  }

  jumpTo(address: I64, link: number): void {
    this.push(codeOf(address), setLocal(Local.target));
    this.set(link, this.nextPc());
    this.flow = { kind: 'indirect', isCall: link !== 0 };
  }

  // ---- everything else ------------------------------------------------------------------------------------

  csr(slot: number): I64 {
    return asI64([getLocal(Local.hart), access(Memory.i64Load, Offset.csr + 8 * slot)]);
  }

  setCsr(slot: number, value: I64): void {
    this.push(getLocal(Local.hart), codeOf(value), access(Memory.i64Store, Offset.csr + 8 * slot));
  }

  hartWord(offset: number): I32 {
    return asI32([getLocal(Local.hart), access(Memory.i32Load, offset)]);
  }

  setHartWord(offset: number, value: I32): void {
    this.push(getLocal(Local.hart), codeOf(value), access(Memory.i32Store, offset));
  }

  keep(place: 'first' | 'second', value: I64): I64 {
    const local = place === 'first' ? Local.address : Local.scratch;
    this.push(codeOf(value), setLocal(local));
    return asI64(getLocal(local));
  }

  /**
   * The row reads and writes the hart's state, so that is made complete first. It may find that the region must be left:
   * for the hart's loop, or to go on somewhere else.
   */
  interpret(): void {
    const { word, row } = this;
    const result = row.hasRd ? rd(word) : 0;
    this.push(
      [Mark.save],
      [getLocal(Local.hart), getLocal(Local.fuel), constMark(Mark.unused), Op.i32.add],
      addressMark(Mark.offset),
      [i32Const(lengthOf(word)), i32Const(row.index), i32Const(word), call(importIndex('step'))],
      setLocal(Local.at),
    );
    // Before the region may be left, for then its registers are stored.
    if (result !== 0) {
      this.push(getLocal(Local.hart), access(Memory.i64Load, Offset.x + 8 * result), this.write(result));
    }
    this.push(getLocal(Local.at));
    this.nest(() => this.push(this.leaveAfterStep()));
    this.push([Op.end]);
  }

  interpretIf(condition: I32, otherwise: () => void): void {
    this.push(codeOf(condition));
    this.nest(() => this.interpret());
    this.push([Op.else]);
    otherwise();
    this.push([Op.end]);
  }

  /** What `body` pushes, done if the value on the stack is not 0; `end` or `else` is to follow. */
  private nest(body: () => void): void {
    this.push([Op.if, NO_RESULT]);
    this.nesting++;
    body();
    this.nesting--;
  }

  /** By now the instruction's own cycle has passed. */
  private leaveAfterStep(): Code {
    return [
      [getLocal(Local.hart), access(Memory.i64Load, Offset.nextPc), setLocal(Local.target)],
      [getLocal(Local.hart), access(Memory.i32Load, Offset.fuel), i32Const(1), Op.i32.sub],
      setLocal(Local.fuel),
      [getLocal(Local.at), i32Const(Step.jump), Op.i32.eq, branchIfMark(inside(this.nesting, Mark.jump))],
      branchToMark(inside(this.nesting, Mark.out)),
    ];
  }

  interpretAndLeave(): void {
    this.interpret();
    this.flow = { kind: 'leave' };
  }

  // ---- probes ---------------------------------------------------------------------------------------------

  callIf(condition: I32): void {
    this.bailIf(condition);
  }

  hart(): I32 {
    return asI32(getLocal(Local.hart));
  }

  ramWord(at: I32, offset: number): I32 {
    return asI32([codeOf(at), access(Memory.i32Load, RAM_START + offset)]);
  }

  note(at: I32, offset: number): I32 {
    return asI32([codeOf(at), access(Memory.i32Load, NOTES_START + offset)]);
  }

  setNote(at: I32, offset: number, value: I32): void {
    this.push(codeOf(at), codeOf(value), access(Memory.i32Store, NOTES_START + offset));
  }

  private push(...pieces: readonly Code[]): void {
    this.code.push(...pieces);
  }
}
