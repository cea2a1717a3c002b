/** Finds the row for an instruction word, through tables built once from the rows. */
import { rows } from './isa/index.js';
import { operandsOf, type Row } from './row.js';

/** Rows by bits 6:2 and 14:12 (32-bit instructions), and by bits 1:0 and 15:13 (compressed ones). */
const long: Row[][] = Array.from({ length: 256 }, () => []);
const short: Row[][] = Array.from({ length: 32 }, () => []);

const longBucket = (word: number): number => ((word >>> 2) & 31) | (((word >>> 12) & 7) << 5);
const shortBucket = (word: number): number => (word & 3) | (((word >>> 13) & 7) << 2);

for (const row of rows) {
  const [buckets, bucketOf] = row.bytes === 4 ? [long, longBucket] : [short, shortBucket];
  const [match, mask] = [bucketOf(row.match), bucketOf(row.mask)];
  // A row belongs in every bucket that its fixed bits do not rule out.
  buckets.forEach((bucket, index) => {
    if (match === (index & mask)) bucket.push(row);
  });
}

const matches = (row: Row, word: number): boolean =>
  (word & row.mask) === row.match && (row.where === undefined || row.where(operandsOf(row, word)));

/** Length in bytes of the instruction that starts with these 16 bits. */
export const lengthFromBits = (low16: number): 2 | 4 => ((low16 & 3) === 3 ? 4 : 2);

/** The row of an instruction (16 or 32 bits as its low two bits say), or undefined when it is illegal. */
export function decode(word: number): Row | undefined {
  if (lengthFromBits(word) === 4) return long[longBucket(word)].find((row) => matches(row, word));
  return short[shortBucket(word)].find((row) => matches(row, word & 0xffff));
}
