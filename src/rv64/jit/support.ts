/** The module that every translated region relies on: the ways in and out, and what WebAssembly has no instruction for. */
import { Offset } from '../state.js';
import {
  findNext,
  goOn,
  I32_LOCALS,
  I64_LOCALS,
  Local,
  REGION_TYPE,
  regionType,
  type Tables,
} from './layout.js';
import { encodeModule, encodePreamble, type FunctionBody, type FunctionType } from './module.js';
import {
  access,
  branchIf,
  call,
  type Code,
  getLocal,
  I32_TYPE,
  I64_TYPE,
  i32Const,
  i64Const,
  loop,
  Memory,
  Op,
  setLocal,
  teeLocal,
} from './wasm.js';

/** How a region goes on after a step: with the next instruction, through the hart's loop, or wherever pc is now. */
export const Step = { next: 0, leave: 1, jump: 2 } as const;
export type Step = (typeof Step)[keyof typeof Step];

/** The host's part of `step`: executes a row on a hart's state. */
export type Interpret = (hart: number, row: number, word: number) => Step;

const STEP_TYPE = 1;
const PRODUCT_TYPE = 2;
const REFILL_TYPE = 3;
const FILL_TYPE = 4;
const ENTER_TYPE = 5;
const INTERPRET_TYPE = 6;
const IS_FULL_TYPE = 7;
const types: readonly FunctionType[] = [
  regionType,
  { parameters: [I32_TYPE, I32_TYPE, I64_TYPE, I32_TYPE, I32_TYPE, I32_TYPE], results: [I32_TYPE] },
  { parameters: [I64_TYPE, I64_TYPE], results: [I64_TYPE] },
  { parameters: [I32_TYPE, I32_TYPE, I32_TYPE, I32_TYPE], results: [I32_TYPE] },
  { parameters: [I32_TYPE, I32_TYPE, I32_TYPE, I32_TYPE, I32_TYPE], results: [I32_TYPE] },
  { parameters: [I32_TYPE], results: [] },
  { parameters: [I32_TYPE, I32_TYPE, I32_TYPE], results: [I32_TYPE] },
  { parameters: [I32_TYPE, I32_TYPE, I32_TYPE], results: [I32_TYPE] },
];

/** The types of regions' modules, and what those import; the position of a name is the function's index. */
export const REGION_TYPES = types.slice(0, ENTER_TYPE);
export const REGION_IMPORTS = [
  { name: 'step', type: STEP_TYPE },
  { name: 'mulh', type: PRODUCT_TYPE },
  { name: 'mulhsu', type: PRODUCT_TYPE },
  { name: 'mulhu', type: PRODUCT_TYPE },
  { name: 'refill', type: REFILL_TYPE },
  { name: 'fill', type: FILL_TYPE },
] as const;
type RegionImport = (typeof REGION_IMPORTS)[number]['name'];
export const importIndex = (name: RegionImport): number =>
  REGION_IMPORTS.findIndex((item) => item.name === name);

/** Has the TLB take in the address `high`:`low` for an access (see packMiss). 1 when it now knows it, else 0. */
export type Refill = (hart: number, low: number, high: number, miss: number) => number;

/**
 * Fills bytes within a page from the address `high`:`low` on, which the TLB does not know, with the low byte of a value.
 * 1 when that is done, 0 where it takes stores, one by one.
 */
export type Fill = (hart: number, low: number, high: number, bytes: number, value: number) => number;

export interface Support extends WebAssembly.Exports {
  /** Executes translated code from a hart's pc on. */
  enter(hart: number): void;
  /** Has a row executed at `pc` with so much fuel left. Where the region is to be left, pc is in Offset.nextPc. */
  step(hart: number, fuel: number, pc: bigint, length: number, row: number, word: number): Step;
  mulh(a: bigint, b: bigint): bigint;
  mulhsu(a: bigint, b: bigint): bigint;
  mulhu(a: bigint, b: bigint): bigint;
  refill: Refill;
  fill: Fill;
  /** 1 where all bytes from `start` to `end` are `value`; there are a multiple of FULL_STEP. */
  isFullOf(start: number, end: number, value: number): number;
}

/** Indices of the module's functions; the first three are imports. */
const Index = {
  interpret: 0,
  refillTlb: 1,
  fillFrame: 2,
  leave: 3,
  resume: 4,
  enter: 5,
  step: 6,
  mulhu: 7,
  mulh: 8,
  mulhsu: 9,
  refill: 10,
  fill: 11,
  isFullOf: 12,
} as const;

/** What function 0 of the table does: pc is stored already. */
const leave: Code = [getLocal(Local.hart), getLocal(Local.fuel), access(Memory.i32Store, Offset.fuel)];

const resume = (tables: Tables): Code => [
  getLocal(Local.hart),
  access(Memory.i64Load, Offset.pc),
  setLocal(Local.target),
  findNext(tables),
  goOn,
];

/** Begins outside of any page: no page has the address 1. */
const enter: Code = [
  getLocal(0),
  getLocal(0),
  access(Memory.i32Load, Offset.fuel),
  i64Const(1),
  i32Const(0),
  call(Index.resume),
];

/** Parameters: hart, fuel, pc, length of the instruction, row, word. */
const step: Code = [
  [getLocal(0), getLocal(1), access(Memory.i32Store, Offset.fuel)],
  [getLocal(0), getLocal(2), access(Memory.i64Store, Offset.pc)],
  [getLocal(0), getLocal(2), getLocal(3), Op.extendU, Op.i64.add],
  access(Memory.i64Store, Offset.nextPc),
  [getLocal(0), getLocal(4), getLocal(5), call(Index.interpret)],
];

/** Regions call the host by way of this module: each module that imports a host's function has it wrapped anew. */
const refill: Code = [[getLocal(0), getLocal(1), getLocal(2), getLocal(3)], call(Index.refillTlb)];

const shiftRight32: Code = [i64Const(32), Op.i64.shrU];
const low32: Code = [Op.wrap, Op.extendU];

const fill: Code = [[getLocal(0), getLocal(1), getLocal(2), getLocal(3), getLocal(4)], call(Index.fillFrame)];

/** Bytes that one round of `isFullOf` looks at. */
const FULL_STEP = 64;

/** Parameters: start, end, value. Locals: 3 the value over and over, 4 what differs from it. */
const isFullOf: Code = [
  [getLocal(2), Op.extendU, i64Const(0x0101_0101_0101_0101n), Op.i64.mul, setLocal(3)],
  loop([
    getLocal(4),
    ...Array.from({ length: FULL_STEP / 8 }, (_, word): Code => [
      [getLocal(0), access(Memory.i64Load, 8 * word), getLocal(3), Op.i64.xor, Op.i64.or],
    ]),
    setLocal(4),
    [getLocal(0), i32Const(FULL_STEP), Op.i32.add, teeLocal(0), getLocal(1), Op.i32.ltU, branchIf(0)],
  ]),
  [getLocal(4), Op.i64.eqz],
];

/** Schoolbook multiplication of 32-bit halves. Locals: 0 a, 1 b, then the carries of the middle column. */
const mulhu: Code = [
  // 2 = high(a) · low(b) + (low(a) · low(b) >> 32)
  [getLocal(0), shiftRight32, getLocal(1), low32, Op.i64.mul],
  [getLocal(0), low32, getLocal(1), low32, Op.i64.mul, shiftRight32],
  [Op.i64.add, setLocal(2)],
  // 3 = low(a) · high(b) + low(2)
  [getLocal(0), low32, getLocal(1), shiftRight32, Op.i64.mul],
  [getLocal(2), low32, Op.i64.add, setLocal(3)],
  // high(a) · high(b) + high(2) + high(3)
  [getLocal(0), shiftRight32, getLocal(1), shiftRight32, Op.i64.mul],
  [getLocal(2), shiftRight32, Op.i64.add, getLocal(3), shiftRight32, Op.i64.add],
];

const unsignedProduct: Code = [getLocal(0), getLocal(1), call(Index.mulhu)];

/** A negative factor was taken for one that is 2^64 too large. */
const correctFor = (factor: number, other: number): Code => [
  [getLocal(factor), i64Const(63), Op.i64.shrS, getLocal(other), Op.i64.and],
  Op.i64.sub,
];

/** Builds the module and puts the function that leaves translated code in slot 0 of the table. */
export function buildSupport(
  memory: WebAssembly.Memory,
  table: WebAssembly.Table,
  tables: Tables,
  host: { readonly interpret: Interpret; readonly refill: Refill; readonly fill: Fill },
): Support {
  const product = (code: Code): FunctionBody => ({ type: PRODUCT_TYPE, i32Locals: 0, i64Locals: 2, code });
  const bytes = encodeModule({
    preamble: encodePreamble(types, [
      { name: 'interpret', type: INTERPRET_TYPE },
      { name: 'refill', type: REFILL_TYPE },
      { name: 'fill', type: FILL_TYPE },
    ]),
    functions: [
      { type: REGION_TYPE, i32Locals: 0, i64Locals: 0, code: leave },
      { type: REGION_TYPE, i32Locals: I32_LOCALS, i64Locals: I64_LOCALS, code: resume(tables) },
      { type: ENTER_TYPE, i32Locals: 0, i64Locals: 0, code: enter },
      { type: STEP_TYPE, i32Locals: 0, i64Locals: 0, code: step },
      product(mulhu),
      product([unsignedProduct, correctFor(0, 1), correctFor(1, 0)]),
      product([unsignedProduct, correctFor(0, 1)]),
      { type: REFILL_TYPE, i32Locals: 0, i64Locals: 0, code: refill },
      { type: FILL_TYPE, i32Locals: 0, i64Locals: 0, code: fill },
      { type: IS_FULL_TYPE, i32Locals: 0, i64Locals: 2, code: isFullOf },
    ],
    exports: {
      enter: Index.enter,
      step: Index.step,
      mulhu: Index.mulhu,
      mulh: Index.mulh,
      mulhsu: Index.mulhsu,
      refill: Index.refill,
      fill: Index.fill,
      isFullOf: Index.isFullOf,
    },
    elements: [{ slot: 0, function: Index.leave }],
  });
  const module = new WebAssembly.Module(bytes);
  return new WebAssembly.Instance(module, { env: { memory, table, ...host } }).exports as Support;
}
