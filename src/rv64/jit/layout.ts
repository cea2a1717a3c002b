/**
 * What all translated functions have in common: their type, their locals, how they find the next one, and where the
 * tables for that lie in the memory.
 *
 * A translated function executes a region of one page, from one entry on. Its parameters:
 *     hart   byte offset of the hart's block
 *     fuel   instructions that may still run
 *     page   virtual address of the page of code
 *     map    offset of the page's entry map
 *
 * An entry map has a 32-bit table index for each of the 2048 slots of a page; 0 where no translated code begins.
 * For each frame of RAM there is the offset of its map. Both are relative to the first map, which is for frames
 * that have none, and stays empty.
 */
import { TLB_ENTRIES } from '../../sv39/tlb.js';
import { Offset } from '../state.js';
import { type FunctionType } from './module.js';
import {
  access,
  block,
  branchIf,
  type Code,
  flat,
  getLocal,
  I32_TYPE,
  I64_TYPE,
  i32Const,
  i64Const,
  ifThen,
  Memory,
  Op,
  returnCallIndirect,
  setLocal,
  teeLocal,
} from './wasm.js';

/** Index of the type of translated functions among a module's types. */
export const REGION_TYPE = 0;
export const regionType: FunctionType = {
  parameters: [I32_TYPE, I32_TYPE, I64_TYPE, I32_TYPE],
  results: [],
};

/** Locals. From `firstRegister` on they hold the registers of the guest that a region uses. */
export const Local = {
  hart: 0,
  fuel: 1,
  page: 2,
  map: 3,
  /** Table index of the function to go on with. */
  next: 4,
  /** Where the region is left before it is done: the fuel to give back, and above 8 bits the distance from the page. */
  at: 5,
  /** For which access it is left (see `packMiss`); then whether the TLB has taken it in. 0 where it is left for nothing like it. */
  miss: 6,
  /** Byte offset of the TLB context for loads and stores. */
  tlb: 7,
  entry: 8,
  /** Rounds of a loop that are done together, and where in the memory (see idioms.ts); `rounds` is also for passing use. */
  rounds: 9,
  destination: 10,
  source: 11,
  /** What is counted, where it is: accesses that the TLB knew, idioms taken, and the instructions that those stood for. */
  hits: 12,
  idioms: 13,
  idiomInstructions: 14,
  /** Where execution goes on. */
  target: 15,
  address: 16,
  scratch: 17,
  firstRegister: 18,
} as const;
export const I32_LOCALS = 11;
export const COUNTED = [Local.hits, Local.idioms, Local.idiomInstructions];
/** Where in `at` the distance begins. */
export const AT_OFFSET_SHIFT = 8;

/** The value of `miss` for an access that the TLB does not know: its bytes, and whether it stores. */
export const NO_MISS = 0;
const MISS_WRITES = 16;
export const packMiss = (access: 'read' | 'write', bytes: number): number =>
  bytes | (access === 'write' ? MISS_WRITES : 0);
export const unpackMiss = (miss: number): { access: 'read' | 'write'; bytes: number } => ({
  access: miss & MISS_WRITES ? 'write' : 'read',
  bytes: miss & (MISS_WRITES - 1),
});
/** How many 64-bit locals come before `firstRegister`. */
export const I64_LOCALS = 3;

/** Where the tables lie: byte offsets in the memory. */
export interface Tables {
  /** For each frame, 32 bits: the offset of its entry map from `maps`. */
  readonly mapOfFrame: number;
  readonly maps: number;
  /** What translated code counts of itself, 64 bits each, in the order of `COUNTED`; only where that is asked for. */
  readonly counters: number;
}

const TLB_ENTRY_BYTES = 32;
export const FETCH_TAG = 16;
export const ADDEND_OFFSET = 24;
export const FRAME_OFFSET = 28;

/** Puts the offset of the TLB entry for an address on the stack; `context` and `address` are code that do so for those. */
export const tlbEntry = (context: Code, address: Code): Code => [
  context,
  address,
  Op.wrap,
  i32Const(12 - Math.log2(TLB_ENTRY_BYTES)),
  Op.i32.shrU,
  i32Const((TLB_ENTRIES - 1) * TLB_ENTRY_BYTES),
  Op.i32.and,
  Op.i32.add,
];

/**
 * Goes on at `target`: finds translated code there and leaves its table index in `next`, with `page` and `map` to
 * suit it. `next` stays 0 where there is none, or where the TLB does not know the page.
 */
export const findNext = ({ mapOfFrame, maps }: Tables): Code => {
  const targetPage = [getLocal(Local.target), i64Const(-4096), Op.i64.and];
  const otherPage = [
    tlbEntry([getLocal(Local.hart), access(Memory.i32Load, Offset.fetchTlb)], getLocal(Local.target)),
    teeLocal(Local.entry),
    access(Memory.i64Load, FETCH_TAG),
    targetPage,
    teeLocal(Local.page),
    Op.i64.ne,
    branchIf(1),
    getLocal(Local.entry),
    access(Memory.i32Load, FRAME_OFFSET),
    i32Const(2),
    Op.i32.shl,
    access(Memory.i32Load, mapOfFrame),
    setLocal(Local.map),
  ];
  return block([
    targetPage,
    getLocal(Local.page),
    Op.i64.ne,
    ifThen(otherPage),
    getLocal(Local.map),
    getLocal(Local.target),
    Op.wrap,
    i32Const(0xffe),
    Op.i32.and,
    i32Const(1),
    Op.i32.shl,
    Op.i32.add,
    access(Memory.i32Load, maps),
    setLocal(Local.next),
  ]);
};

/** Adds what `amount` puts on the stack to a local that counts. */
export const count = (local: number, amount: Code): Code => [
  [getLocal(local), amount, Op.i32.add, setLocal(local)],
];

/** Stores pc and calls the function that `next` says, never to return here. Function 0 returns to the hart's loop. */
export const goOn: Code = flat([
  getLocal(Local.hart),
  getLocal(Local.target),
  access(Memory.i64Store, Offset.pc),
  getLocal(Local.hart),
  getLocal(Local.fuel),
  getLocal(Local.page),
  getLocal(Local.map),
  getLocal(Local.next),
  returnCallIndirect(REGION_TYPE),
]);
