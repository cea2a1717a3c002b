/**
 * What kernels of this family fill frames with, so that a use of them shows, as it looks once it has been used for
 * something: as a pointer with an offset, taken for an entry of a page table, shifted, or cut to 32 bits.
 */

interface Poison {
  readonly byte: bigint;
  readonly meaning: string;
}

const POISONS: readonly Poison[] = [
  { byte: 0x05n, meaning: 'what kalloc fills a frame with: memory that was allocated and never written' },
  { byte: 0x01n, meaning: 'what kfree fills a frame with: memory that was freed' },
];

const WORD = 64;
/** How far an offset may lead away from a pointer, as that of a field or an index. */
const MAXIMUM_OFFSET = 1n << 16n;

/** How a value comes from eight bytes of poison. */
const FORMS: readonly { readonly words: string; of(filled: bigint): bigint }[] = [
  { words: '', of: (filled) => filled },
  { words: ', cut to 32 bits', of: (filled) => BigInt.asUintN(32, filled) },
  // By PTE2PA, which keeps all upper bits, and by hardware, for which a page number has 44.
  { words: ', taken for an entry of a page table', of: (filled) => (filled >> 10n) << 12n },
  { words: ', taken for an entry of a page table', of: (filled) => BigInt.asUintN(44, filled >> 10n) << 12n },
  ...[1n, 2n, 3n, 12n].map((shift) => ({
    words: `, shifted left by ${shift}`,
    of: (filled: bigint) => BigInt.asUintN(WORD, filled << shift),
  })),
  ...[10n, 12n].map((shift) => ({
    words: `, shifted right by ${shift}`,
    of: (filled: bigint) => filled >> shift,
  })),
];

/** What a 64-bit value shows of poison, in words; undefined for a value that comes from none. */
export function describePoison(value: bigint): string | undefined {
  const unsigned = BigInt.asUintN(WORD, value);
  for (const { byte, meaning } of POISONS) {
    const filled = byte * 0x0101_0101_0101_0101n;
    for (const { words, of } of FORMS) {
      const offset = unsigned - of(filled);
      if (offset > -MAXIMUM_OFFSET && offset < MAXIMUM_OFFSET)
        return `${describeOffset(offset)}0x${filled.toString(16).padStart(16, '0')}${words}, ${meaning}`;
    }
  }
  return undefined;
}

function describeOffset(offset: bigint): string {
  if (offset === 0n) return '';
  return offset > 0n ? `${offset} past ` : `${-offset} before `;
}
