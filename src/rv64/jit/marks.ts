/**
 * Marks: what code leaves open that depends on where in its region it will stand, and how that is filled in. They are
 * numbers that are no bytes.
 */
import { AT_OFFSET_SHIFT } from './layout.js';
import { append, type Code, signed, unsigned } from './wasm.js';

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
} as const;

/** The mark of a label for code that stands in so many blocks of its own. */
const NESTING_SHIFT = 12;
export const inside = (blocks: number, label: number): number => label | (blocks << NESTING_SHIFT);

/** What marks stand for at a place in a region. */
export interface Place {
  /** Depths of the labels. */
  readonly bail: number;
  readonly miss: number;
  readonly jump: number;
  readonly out: number;
  readonly saveRegisters: Code;
  /** Distance of the instruction from the beginning of the page. */
  readonly offset: number;
  /** Fuel that was taken for it and for what follows it in its block. */
  readonly unused: number;
}

/** Appends code to `output` with its marks filled in. */
export function place(output: number[], code: Code, at: Place): void {
  for (let i = 0; i < code.length; i++) {
    const item = code[i];
    if (typeof item !== 'number') place(output, item, at);
    else if (item < Mark.bail) output.push(item);
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
    default:
      return at.saveRegisters;
  }
}

/** See Local.at. Distances have 24 bits, with their sign; blocks have fewer than 256 instructions. */
export const packAt = (offset: number, unused: number): number => (offset << AT_OFFSET_SHIFT) | unused;

/** Instructions with a mark for operand. */
export const constMark = (mark: number): Code => [0x41, mark];
export const branchIfMark = (mark: number): Code => [0x0d, mark];
export const branchToMark = (mark: number): Code => [0x0c, mark];
