/**
 * What a hart's registers hold, as plain numbers: for those who look often. A number loses the low bits of an address
 * above 2^53, which no kernel uses.
 */
import { lowWordOf, Slot } from '../rv64/csr/bits.js';
import type { Hart } from '../rv64/hart.js';
import { Offset } from '../rv64/state.js';
import { PAGE_BYTES } from '../sv39/pte.js';

const PC = Offset.pc >>> 2;
const SATP = lowWordOf(Slot.satp);

const unsigned = (words: Int32Array, at: number): number =>
  (words[at] >>> 0) + (words[at + 1] >>> 0) * 2 ** 32;

export const registerOf = ({ words }: Hart, register: number): number => unsigned(words, 2 * register);

export const pcOf = ({ words }: Hart): number => unsigned(words, PC);

/** Physical address of the root table that satp names; undefined while it translates nothing. */
export function rootTableOf({ words }: Hart): number | undefined {
  const high = words[SATP + 1];
  // satp is mode (4 bits), address space identifier (16), page number (44).
  return high >>> 28 === 0 ? undefined : ((words[SATP] >>> 0) + (high & 0xfff) * 2 ** 32) * PAGE_BYTES;
}
