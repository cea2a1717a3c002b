/** Turns regions into the functions of a WebAssembly module. What is the same in each is made once. */
import { Offset } from '../state.js';
import {
  AT_OFFSET_SHIFT,
  COUNTED,
  findNext,
  goOn,
  I32_LOCALS,
  I64_LOCALS,
  Local,
  REGION_TYPE,
  type Tables,
} from './layout.js';
import { getRegister, place, setRegister } from './marks.js';
import type { Region } from './blocks.js';
import { type Note, structure } from './structure.js';
import { importIndex, REGION_IMPORTS, REGION_TYPES } from './support.js';
import { encodeModule, encodePreamble, type FunctionBody } from './module.js';
import { Output } from './output.js';
import {
  access,
  beginBlock,
  branchIf,
  call,
  type Code,
  flat,
  getLocal,
  i32Const,
  i64Const,
  Memory,
  Op,
  setLocal,
} from './wasm.js';

/** Encodes regions for the tables of one machine. */
export class RegionEncoder {
  private readonly modules = new Output();
  private readonly output = new Output();
  private readonly preamble = encodePreamble(REGION_TYPES, REGION_IMPORTS);
  private readonly findNext: readonly number[];

  constructor(private readonly tables: Tables) {
    this.findNext = flat(findNext(tables));
  }

  /** A module of these functions, which it puts into the table at `slots`; good until the next one is made. */
  module(functions: readonly FunctionBody[], slots: readonly number[]): Uint8Array<ArrayBuffer> {
    const elements = slots.map((slot, index) => ({ slot, function: REGION_IMPORTS.length + index }));
    return encodeModule({ preamble: this.preamble, functions, elements }, this.modules);
  }

  /** The function of a region. For `note` see structure. */
  function(region: Region, note: Note = () => {}): FunctionBody & { readonly code: Uint8Array } {
    this.output.length = 0;
    this.write(region, note);
    const code = this.output.bytes.slice(0, this.output.length);
    const i64Locals = I64_LOCALS + region.registers.length;
    return { type: REGION_TYPE, i32Locals: I32_LOCALS, i64Locals, code };
  }

  private write(region: Region, note: Note): void {
    const { output } = this;
    const { registers, written, usesMemory, counts, blocks } = region;
    const locals: number[] = [];
    registers.forEach((register, index) => (locals[register] = Local.firstRegister + index));
    const saveRegisters = written.flatMap((register) => STORE_REGISTER[register]);
    const at = { saveRegisters, locals, depth: 0, offset: 0, bytes: 0, unused: 0 };
    note(output.length, 'into locals');
    if (usesMemory) output.write(loadTlb);
    for (const register of registers) place(output, LOAD_REGISTER[register], at);
    output.write([beginBlock, beginBlock, beginBlock, beginBlock]);
    structure(output, blocks, at, this.tables, note);
    output.byte(Op.end);
    note(output.length, 'have the TLB take in $address');
    output.write([refill, Op.end]);
    note(output.length, 'leave before the instruction in $at');
    output.write([bail, Op.end]);
    note(output.length, 'find what is at $target');
    output.write([this.findNext, Op.end]);
    note(output.length, 'back into the block, and on');
    place(output, saveRegisters, at);
    output.write([counts ? storeCounts(this.tables) : [], goOn]);
  }
}

/** Nothing that a region does without leaving changes the context. */
const loadTlb = flat([[getLocal(Local.hart), access(Memory.i32Load, Offset.dataTlb), setLocal(Local.tlb)]]);

const inMemory = (op: number, register: number): Code => access(op, Offset.x + 8 * register);

/** What moves each register into its local, and back, with marks. */
const REGISTERS = Array.from({ length: 32 }, (_, register) => register);
const LOAD_REGISTER = REGISTERS.map((register) =>
  flat([getLocal(Local.hart), inMemory(Memory.i64Load, register), setRegister(register)]),
);
const STORE_REGISTER = REGISTERS.map((register) =>
  flat([getLocal(Local.hart), getRegister(register), inMemory(Memory.i64Store, register)]),
);

/** Adds what has been counted to the counters. */
const storeCounts = ({ counters }: Tables): Code =>
  COUNTED.map((local, index) => [
    [i32Const(0), i32Const(0), access(Memory.i64Load, counters + 8 * index)],
    [getLocal(local), Op.extendU, Op.i64.add, access(Memory.i64Store, counters + 8 * index)],
  ]);

/** Has the TLB take in `address`; from here on `miss` tells whether it did. */
const refill = flat([
  [getLocal(Local.hart), getLocal(Local.address), Op.wrap],
  [getLocal(Local.address), i64Const(32), Op.i64.shrU, Op.wrap],
  [getLocal(Local.miss), call(importIndex('refill')), setLocal(Local.miss)],
]);

/**
 * Leaves for the place in `at`. Where the TLB did not know an access and now does, there may be translated code that begins
 * with it; else the hart's loop goes on, for `next` is 0 still. An `address` that nobody needs here would take a register
 * in every loop.
 */
const bail = flat([
  [getLocal(Local.page), getLocal(Local.at), i32Const(AT_OFFSET_SHIFT), Op.i32.shrS, Op.extendS, Op.i64.add],
  setLocal(Local.target),
  [getLocal(Local.fuel), getLocal(Local.at), i32Const(2 ** AT_OFFSET_SHIFT - 1), Op.i32.and, Op.i32.add],
  setLocal(Local.fuel),
  [getLocal(Local.miss), Op.i32.eqz, branchIf(1)],
]);
