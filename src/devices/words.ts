/** 64-bit registers on a 32-bit bus: a pair of words, the low one at a multiple of eight, the high one four bytes on. */

/** The word of `pair` that lies at `offset`. */
export function wordOf(pair: bigint, offset: number): number {
  return Number(BigInt.asUintN(32, offset & 4 ? pair >> 32n : pair));
}

/** `pair` with the word at `offset` replaced by `value`. */
export function withWord(pair: bigint, offset: number, value: number): bigint {
  const high = offset & 4 ? BigInt(value) : pair >> 32n;
  const low = offset & 4 ? BigInt.asUintN(32, pair) : BigInt(value);
  return (high << 32n) | low;
}
