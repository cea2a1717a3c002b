/** What stands in a code page where nothing has been decoded yet. */
import { decode, lengthFromBits } from './decode.js';
import { LONG, lengthOf } from './fields.js';
import type { Hart } from './hart.js';
import { operandsOf, type Run } from './row.js';

const illegal: Run = (h) => h.illegal(h.fetchWord());

/** The function and the word that execute the instruction with these bits (see CodePage.word). */
export function compile(bits: number): { run: Run; word: number } {
  const row = decode(bits);
  if (lengthFromBits(bits) === 4) return { run: row?.run ?? illegal, word: bits };
  if (row === undefined) return { run: illegal, word: bits & ~LONG };
  const word = row.expand!(operandsOf(row, bits & 0xffff));
  return { run: decode(word)!.run, word: word & ~LONG };
}

/** Fetches, decodes and executes the instruction at pc, and keeps it in the page for the next time. */
export function decodeAndRun(h: Hart): void {
  const bits = h.fetchWord();
  const { run, word } = compile(bits);
  const kept = h.keepDecoded(run, word);
  h.nextPc = h.pc + BigInt(lengthOf(word));
  kept(h, word);
}
