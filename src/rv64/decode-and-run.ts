/** What stands in a code page where nothing has been decoded yet. */
import { decode, lengthFromBits } from './decode.js';
import { LONG, lengthOf } from './fields.js';
import type { Hart } from './hart.js';
import { operandsOf, type Row, type Run } from './row.js';

const illegal: Run = (h) => h.illegal(h.fetchWord());

/** What executes an instruction, and the word it takes (see CodePage.word). */
export interface Compiled {
  readonly run: Run;
  readonly word: number;
  /** The row of 32 bits that it is or stands for; undefined for an illegal instruction. */
  readonly row: Row | undefined;
}

/** By their 16 bits, the compressed instructions that there have been: the same ones come again and again. */
const compressed = new Map<number, Compiled>();

export function compile(bits: number): Compiled {
  if (lengthFromBits(bits) === 4) {
    const row = decode(bits);
    return { run: row?.run ?? illegal, word: bits, row };
  }
  const known = compressed.get(bits);
  if (known) return known;
  const compiled = compileCompressed(bits);
  compressed.set(bits, compiled);
  return compiled;
}

function compileCompressed(bits: number): Compiled {
  const row = decode(bits);
  if (row === undefined) return { run: illegal, word: bits & ~LONG, row };
  const word = row.expand!(operandsOf(row, bits & 0xffff));
  const full = decode(word)!;
  return { run: full.run, word: word & ~LONG, row: full };
}

/** Fetches, decodes and executes the instruction at pc, and keeps it in the page for the next time. */
export function decodeAndRun(h: Hart): void {
  const bits = h.fetchWord();
  const { run, word } = compile(bits);
  const kept = h.keepDecoded(run, word);
  h.branch(lengthOf(word));
  kept(h, word);
}
