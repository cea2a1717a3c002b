/**
 * Notices a kernel that waits without wfi: schedulers of before 2024 go round and round with interrupts enabled, looking
 * for something to run. Each round ends with the hart's registers as they were a round before, and that is what is
 * looked for, at the moments when the hart enables interrupts (which every such loop does, or it would never be
 * interrupted). Rounds have any length, so Brent's algorithm finds them: one remembered state, replaced at powers of two.
 *
 * A hart that has gone round like this is parked: it stands still until an interrupt or for PARKED_CYCLES, whichever is
 * first. That is always right, as nothing says how fast a hart is; and it depends on nothing but the guest's state, so it
 * is the same on every host.
 */
import { Offset } from './state.js';

/** A parked hart looks for work once in so many cycles: a thousandth of a second. */
export const PARKED_CYCLES = 100_000;

/** A hart that has enabled interrupts less often than this since a trap is taken to be at work. */
export const AT_WORK = 64;

/** Rounds in which interrupts are enabled more often than this are not found. */
const LONGEST_ROUND = 4096;

const REMEMBERED = Offset.idleState >>> 2;
const STEPS = Offset.idleSteps >>> 2;
const LIMIT = Offset.idleLimit >>> 2;
const ENABLED = Offset.idleEnabled >>> 2;
const PC = Offset.pc >>> 2;

export class IdleLoop {
  /** `words` is the hart's block; the registers come first in it. */
  constructor(private readonly words: Int32Array) {}

  /** To be called when interrupts are enabled. True when the hart has been in this very state before. */
  hasComeRound(): boolean {
    const { words } = this;
    if (++words[ENABLED] < AT_WORK) return false;
    const state = this.registers();
    if (words[STEPS] > 0 && words[REMEMBERED] === state) {
      // The next round may well be like this one.
      words[STEPS] = 1;
      return true;
    }
    if (words[STEPS] >= words[LIMIT]) {
      words[REMEMBERED] = state;
      words[LIMIT] = Math.min(Math.max(1, words[LIMIT] * 2), LONGEST_ROUND);
      words[STEPS] = 0;
    }
    words[STEPS]++;
    return false;
  }

  /** To be called on a trap: what comes after one is a new beginning. */
  reset(): void {
    this.words[ENABLED] = 0;
    this.words[STEPS] = 0;
    this.words[LIMIT] = 0;
  }

  /** A hash of pc and all registers. */
  private registers(): number {
    const { words } = this;
    let hash = words[PC];
    for (let i = 2; i < 64; i++) hash = Math.imul(hash ^ words[i], 0x9e37_79b1) ^ (hash >>> 15);
    return hash;
  }
}
