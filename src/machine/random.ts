/** A small seeded generator (xorshift32): the same seed, the same numbers, on every host. */
export class Random {
  private state: number;

  /** `seed` is 0 to 2^32 - 1. */
  constructor(seed: number) {
    // xorshift never leaves 0, so the seed is scrambled into something else first.
    this.state = (Math.imul(seed, 0x9e37_79b1) ^ 0x5bf0_3635) >>> 0 || 1;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    let { state } = this;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state = state >>> 0;
    return this.state % limit;
  }

  save(): number {
    return this.state;
  }

  restore(state: number): void {
    this.state = state;
  }
}
