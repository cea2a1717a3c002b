/** Turns regions into the functions of a WebAssembly module. */
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
import type { Region } from './region.js';
import { type Note, structure } from './structure.js';
import { importIndex, REGION_IMPORTS, REGION_TYPES } from './support.js';
import {
  access,
  append,
  beginBlock,
  branchIf,
  call,
  type Bytes,
  type Code,
  encodeModule,
  type FunctionBody,
  getLocal,
  i32Const,
  i64Const,
  Memory,
  Op,
  setLocal,
} from './wasm.js';

/** A module of one function for each region, which it puts into the table at `slots`. */
export function encodeRegions(
  regions: readonly Region[],
  slots: readonly number[],
  tables: Tables,
): Uint8Array<ArrayBuffer> {
  return encodeModule({
    types: REGION_TYPES,
    imports: REGION_IMPORTS,
    functions: regions.map((region) => encodeRegion(region, tables)),
    elements: slots.map((slot, index) => ({ slot, function: REGION_IMPORTS.length + index })),
  });
}

/** The function of a region. For `note` see structure. */
export function encodeRegion(
  region: Region,
  tables: Tables,
  note: Note = () => {},
): FunctionBody & { readonly code: Bytes } {
  const { registers, written, usesMemory, counts, blocks } = region;
  const locals: number[] = [];
  registers.forEach((register, index) => (locals[register] = Local.firstRegister + index));
  const saveRegisters = storeRegisters(written, locals);
  const code: number[] = [];
  note(0, 'into locals');
  append(code, [usesMemory ? loadTlb : [], loadRegisters(registers, locals)]);
  append(code, [beginBlock, beginBlock, beginBlock, beginBlock]);
  structure(code, blocks, { saveRegisters, locals }, tables, note);
  append(code, [Op.end]);
  note(code.length, 'have the TLB take in $address');
  append(code, [refill, Op.end]);
  note(code.length, 'leave before the instruction in $at');
  append(code, [bail, Op.end]);
  note(code.length, 'find what is at $target');
  append(code, [findNext(tables), Op.end]);
  note(code.length, 'back into the block, and on');
  append(code, [saveRegisters, counts ? storeCounts(tables) : [], goOn]);
  return {
    type: REGION_TYPE,
    i32Locals: I32_LOCALS,
    i64Locals: I64_LOCALS + registers.length,
    code,
  };
}

/** Nothing that a region does without leaving changes the context. */
const loadTlb: Code = [getLocal(Local.hart), access(Memory.i32Load, Offset.dataTlb), setLocal(Local.tlb)];

const inMemory = (op: number, register: number): Code => access(op, Offset.x + 8 * register);

const loadRegisters = (registers: readonly number[], locals: readonly number[]): Code =>
  registers.map((register) => [
    [getLocal(Local.hart), inMemory(Memory.i64Load, register), setLocal(locals[register])],
  ]);

const storeRegisters = (registers: readonly number[], locals: readonly number[]): Code =>
  registers.map((register) => [
    [getLocal(Local.hart), getLocal(locals[register]), inMemory(Memory.i64Store, register)],
  ]);

/** Adds what has been counted to the counters. */
const storeCounts = ({ counters }: Tables): Code =>
  COUNTED.map((local, index) => [
    [i32Const(0), i32Const(0), access(Memory.i64Load, counters + 8 * index)],
    [getLocal(local), Op.extendU, Op.i64.add, access(Memory.i64Store, counters + 8 * index)],
  ]);

/** Has the TLB take in `address`; from here on `miss` tells whether it did. */
const refill: Code = [
  [getLocal(Local.hart), getLocal(Local.address), Op.wrap],
  [getLocal(Local.address), i64Const(32), Op.i64.shrU, Op.wrap],
  [getLocal(Local.miss), call(importIndex('refill')), setLocal(Local.miss)],
];

/**
 * Leaves for the place in `at`. Where the TLB did not know an access and now does, there may be translated code that begins
 * with it; else the hart's loop goes on, for `next` is 0 still. An `address` that nobody needs here would take a register
 * in every loop.
 */
const bail: Code = [
  [getLocal(Local.page), getLocal(Local.at), i32Const(AT_OFFSET_SHIFT), Op.i32.shrS, Op.extendS, Op.i64.add],
  setLocal(Local.target),
  [getLocal(Local.fuel), getLocal(Local.at), i32Const(2 ** AT_OFFSET_SHIFT - 1), Op.i32.and, Op.i32.add],
  setLocal(Local.fuel),
  [getLocal(Local.miss), Op.i32.eqz, branchIf(1)],
];
