/**
 * Marks: what code leaves open that depends on its region and where in it it will stand, and how that is filled in. They
 * are numbers that are no bytes.
 */
import { AT_OFFSET_SHIFT, Local } from './layout.js';
import { type Output } from './output.js';
import { type Code, getLocal, i64Const, Op } from './wasm.js';

/** The first four are depths of labels, which stand for miss, bail, jump and out from the innermost outwards; see `inside`. */
export const Mark = {
  /** Leave before the instruction in `at`, with nothing of it done. */
  bail: 0x100,
  /** The same, for the TLB does not know `address`: see `miss`. */
  miss: 0x101,
  /** Leave for `target` through the hart's loop; `fuel` is right. */
  out: 0x102,
  /** Go on at `target`. */
  jump: 0x103,

  /** The operand of i32.const: what `at` is for this instruction. */
  at: 0x104,
  /** The operand of i32.const: the fuel to give back. */
  unused: 0x105,
  /** The same: what `at` is for the beginning of this block. */
  start: 0x109,
  /** Here all registers that the region writes are to be stored in the hart's block. */
  save: 0x106,
  /** The operand of i64.const: distance of this instruction, and of the next one, from the beginning of the page. */
  offset: 0x107,
  next: 0x108,
  /** The operand of local.get and local.set: the local of x0; those of the other registers follow. */
  register: 0x120,
} as const;
const LAST_REGISTER = Mark.register + 31;

/** The mark of a label for code that stands in so many blocks of its own. */
const NESTING_SHIFT = 12;
const LABEL_MASK = 2 ** 12 - 1;
export const inside = (blocks: number, label: number): number => label | (blocks << NESTING_SHIFT);

/** The registers in a region. */
export interface Registers {
  /** Stores those that the region writes; with marks. */
  readonly saveRegisters: readonly number[];
  /** The local of each one that the region uses. */
  readonly locals: readonly number[];
}

/** What marks stand for at a place in a region. */
export interface Place extends Registers {
  /** How many labels there are between the place and those that marks are about. */
  depth: number;
  /** Distance of the instruction from the beginning of the page. */
  offset: number;
  bytes: number;
  /** Fuel that was taken for it and for what follows it in its block. */
  unused: number;
}

/** So many bytes at most stand for a mark, but for `save`. */
const MOST_BYTES = 5;

/** Writes code in one piece with its marks filled in. */
export function place(output: Output, code: readonly number[], at: Place): void {
  output.reserve(MOST_BYTES * code.length);
  // All translated code comes through here: the fewer calls, the better.
  let { bytes, length } = output;
  for (let i = 0; i < code.length; i++) {
    const item = code[i];
    if (item < Mark.bail) bytes[length++] = item;
    // There are so few locals that each number is one byte.
    else if (item >= Mark.register && item <= LAST_REGISTER)
      bytes[length++] = at.locals[item - Mark.register];
    else {
      output.length = length;
      writeMeaning(output, item, at);
      output.reserve(MOST_BYTES * (code.length - i));
      ({ bytes, length } = output);
    }
  }
  output.length = length;
}

function writeMeaning(output: Output, mark: number, at: Place): void {
  const nesting = mark >>> NESTING_SHIFT;
  switch (mark & LABEL_MASK) {
    case Mark.miss:
      return output.unsigned(at.depth + nesting);
    case Mark.bail:
      return output.unsigned(at.depth + nesting + 1);
    case Mark.jump:
      return output.unsigned(at.depth + nesting + 2);
    case Mark.out:
      return output.unsigned(at.depth + nesting + 3);
    case Mark.at:
      return output.signed(packAt(at.offset, at.unused));
    case Mark.start:
      return output.signed(packAt(at.offset, 0));
    case Mark.unused:
      return output.signed(at.unused);
    case Mark.offset:
      return output.signed(at.offset);
    case Mark.next:
      return output.signed(at.offset + at.bytes);
    default:
      return place(output, at.saveRegisters, at);
  }
}

/** See Local.at. Distances have 24 bits, with their sign; blocks have fewer than 256 instructions. */
export const packAt = (offset: number, unused: number): number => (offset << AT_OFFSET_SHIFT) | unused;

/** Instructions with a mark for operand. */
export const getRegister = (register: number): Code =>
  register === 0 ? i64Const(0) : [0x20, Mark.register + register];
export const setRegister = (register: number): Code => [0x21, Mark.register + register];
/** The address of this instruction, or of the next one. */
export const addressMark = (mark: typeof Mark.offset | typeof Mark.next): Code => [
  [getLocal(Local.page), 0x42, mark, Op.i64.add],
];
export const constMark = (mark: number): Code => [0x41, mark];
export const branchIfMark = (mark: number): Code => [0x0d, mark];
export const branchToMark = (mark: number): Code => [0x0c, mark];
