/**
 * Copies of frames. Kernels of this family fill a page with one byte when they free or allocate it, and most of memory is
 * free pages, which only differ in the first eight bytes, the link to the next one. Of such a page only these are kept.
 */
import { PAGE_BYTES } from '../../sv39/pte.js';

/** The whole contents; or the first two words of 32 bits, and what all others are. */
export type FrameCopy =
  Uint8Array | { readonly first: number; readonly second: number; readonly others: number };

const WORDS = PAGE_BYTES / 4;
/** About what three words take, as an entry in a map. */
const SMALL_COPY_BYTES = 64;

export const ZEROS: FrameCopy = { first: 0, second: 0, others: 0 };

const wordsOf = (page: Uint8Array): Int32Array => new Int32Array(page.buffer, page.byteOffset, WORDS);

/** `page` is 4096 bytes, aligned to four. */
export function copyFrame(page: Uint8Array): FrameCopy {
  const words = wordsOf(page);
  const others = words[2];
  for (let i = 3; i < WORDS; i++) if (words[i] !== others) return page.slice();
  return { first: words[0], second: words[1], others };
}

/** The 4096 bytes that a copy is of. */
export function contentOf(copy: FrameCopy): Uint8Array {
  if (copy instanceof Uint8Array) return copy;
  const words = new Int32Array(WORDS).fill(copy.others);
  words[0] = copy.first;
  words[1] = copy.second;
  return new Uint8Array(words.buffer);
}

export function isSame(copy: FrameCopy, page: Uint8Array): boolean {
  const [words, copied] = [wordsOf(page), wordsOf(contentOf(copy))];
  for (let i = 0; i < WORDS; i++) if (words[i] !== copied[i]) return false;
  return true;
}

/** Bytes of memory that a copy takes. */
export const sizeOf = (copy: FrameCopy): number =>
  copy instanceof Uint8Array ? PAGE_BYTES + SMALL_COPY_BYTES : SMALL_COPY_BYTES;
