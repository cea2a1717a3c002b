/**
 * Marks: what code leaves open that depends on its region and where in it it will stand, and how that is filled in. They
 * are numbers that are no bytes.
 */
import { AT_OFFSET_SHIFT, Local } from './layout.js';
import { append, type Code, getLocal, i64Const, Op, signed, unsigned } from './wasm.js';

/** The first four are depths of labels; see `inside`. */
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
export const inside = (blocks: number, label: number): number => label | (blocks << NESTING_SHIFT);

/** The registers in a region. */
export interface Registers {
  /** Stores those that the region writes. */
  readonly saveRegisters: Code;
  /** The local of each one that the region uses. */
  readonly locals: readonly number[];
}

/** What marks stand for at a place in a region. */
export interface Place extends Registers {
  /** Depths of the labels. */
  readonly bail: number;
  readonly miss: number;
  readonly jump: number;
  readonly out: number;
  /** Distance of the instruction from the beginning of the page. */
  readonly offset: number;
  readonly bytes: number;
  /** Fuel that was taken for it and for what follows it in its block. */
  readonly unused: number;
}

/** Appends code to `output` with its marks filled in. */
export function place(output: number[], code: Code, at: Place): void {
  for (let i = 0; i < code.length; i++) {
    const item = code[i];
    if (typeof item !== 'number') place(output, item, at);
    else if (item < Mark.bail) output.push(item);
    // There are so few locals that each number is one byte.
    else if (item >= Mark.register && item <= LAST_REGISTER) output.push(at.locals[item - Mark.register]);
    else append(output, meaning(item, at));
  }
}

function meaning(mark: number, at: Place): Code {
  const nesting = mark >>> NESTING_SHIFT;
  switch (mark & (2 ** NESTING_SHIFT - 1)) {
    case Mark.bail:
      return unsigned(at.bail + nesting);
    case Mark.miss:
      return unsigned(at.miss + nesting);
    case Mark.jump:
      return unsigned(at.jump + nesting);
    case Mark.out:
      return unsigned(at.out + nesting);
    case Mark.at:
      return signed(packAt(at.offset, at.unused));
    case Mark.unused:
      return signed(at.unused);
    case Mark.offset:
      return signed(at.offset);
    case Mark.next:
      return signed(at.offset + at.bytes);
    default:
      return at.saveRegisters;
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
