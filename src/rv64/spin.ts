/**
 * Passes over short loops that wait for another hart (`while (started == 0) ;`). When a few instructions that change
 * nothing but registers lead back to the same registers, they will do so until some other hart stores or an interrupt
 * comes, and neither happens before the hart must look around. So whole rounds of the loop are skipped, exactly: the
 * hart is afterwards where it would have been.
 */
import { compile } from './decode-and-run.js';
import type { Hart } from './hart.js';
import { Offset } from './state.js';

/** Instructions in the longest loop that is looked for. */
const LONGEST_LOOP = 16;
/** A hart that is no further than this from where it was a slice ago may be in a loop. */
const NEAR_BYTES = 64;

/** Major opcodes (bits 6:0) of instructions that change registers only; fences change nothing at all. */
const HARMLESS = new Set([0x03, 0x0f, 0x13, 0x17, 0x1b, 0x33, 0x37, 0x3b, 0x63, 0x67, 0x6f]);
/** Bits that tell a long instruction, also cleared in the word of a compressed one. */
const LENGTH_BITS = 3;

/** Instructions about which it is kept whether they are harmless. */
const MAX_KEPT = 1000;

/** x0 to x31, which come first in a hart's block. */
const REGISTER_WORDS = 64;

const PC = Offset.pc >>> 2;

export class SpinLoop {
  /** Low word of pc when last looked at, and whether there is no loop there. */
  private place = 0;
  private ruledOut = true;
  /** x0 to x31 at the start of a round. */
  private readonly before = new Int32Array(REGISTER_WORDS);
  private readonly harmless = new Map<number, boolean>();

  /**
   * The period in cycles of the loop that the hart is in, or 0. Finds out by executing instructions with `step`, which
   * are not repeated.
   */
  period(hart: Hart, step: () => void): number {
    const here = hart.words[PC];
    if (Math.abs(here - this.place) > NEAR_BYTES) {
      this.place = here;
      this.ruledOut = false;
      return 0;
    }
    if (this.ruledOut) return 0;
    const period = this.tryRound(hart, step);
    this.ruledOut = period === 0;
    return period;
  }

  private hasSameRegisters({ words }: Hart): boolean {
    for (let i = 0; i < REGISTER_WORDS; i++) {
      if (words[i] !== this.before[i]) return false;
    }
    return true;
  }

  /** Loops are looked at in every slice, so what is found out about an instruction is kept. */
  private isHarmless(bits: number): boolean {
    const known = this.harmless.get(bits);
    if (known !== undefined) return known;
    const isHarmless = HARMLESS.has((compile(bits).word & 0x7f) | LENGTH_BITS);
    if (this.harmless.size === MAX_KEPT) this.harmless.clear();
    this.harmless.set(bits, isHarmless);
    return isHarmless;
  }

  private tryRound(hart: Hart, step: () => void): number {
    const start = hart.pc;
    this.before.set(hart.words.subarray(0, REGISTER_WORDS));
    const accesses = hart.deviceAccesses;
    const probeCalls = hart.probeCalls;
    for (let steps = 1; steps <= LONGEST_LOOP; steps++) {
      const bits = hart.peekInstruction();
      if (bits === undefined) return 0;
      if (!this.isHarmless(bits)) return 0;
      step();
      if (hart.deviceAccesses !== accesses || hart.probeCalls !== probeCalls) return 0;
      if (hart.pc === start) return this.hasSameRegisters(hart) ? steps : 0;
    }
    return 0;
  }
}
