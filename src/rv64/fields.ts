/**
 * Bit positions of the 32-bit instruction formats (unprivileged specification, "Base Instruction Formats"),
 * in one place. Immediates come sign-extended as 32-bit integers.
 */

export const rd = (i: number): number => (i >>> 7) & 31;
export const rs1 = (i: number): number => (i >>> 15) & 31;
export const rs2 = (i: number): number => (i >>> 20) & 31;

export const immI = (i: number): number => i >> 20;
export const immS = (i: number): number => ((i >> 25) << 5) | ((i >>> 7) & 31);
export const immB = (i: number): number =>
  ((i >> 31) << 12) | ((i << 4) & 0x800) | ((i >>> 20) & 0x7e0) | ((i >>> 7) & 0x1e);
export const immU = (i: number): number => i & 0xffff_f000;
export const immJ = (i: number): number =>
  ((i >> 31) << 20) | (i & 0xff000) | ((i >>> 9) & 0x800) | ((i >>> 20) & 0x7fe);

/** Shift amount of a 64-bit shift, and of a 32-bit one. */
export const shamt = (i: number): number => (i >>> 20) & 63;
export const shamtW = (i: number): number => (i >>> 20) & 31;

export const csrNumber = (i: number): number => i >>> 20;
/** The five-bit unsigned immediate of csrrwi, csrrsi and csrrci. */
export const uimm = (i: number): number => (i >>> 15) & 31;

/** Bit that is clear in the word of a compressed instruction as code pages keep it. */
export const LONG = 2;
/** Length in bytes of the instruction that a code page keeps as this word. */
export const lengthOf = (word: number): number => 2 + (word & LONG);
