/**
 * Notices a kernel that waits without wfi: schedulers of before 2024 go round and round with interrupts enabled, looking
 * for something to run. Each round ends with the hart's registers as they were a round before, and that is what is
 * looked for, at the moments when the hart enables interrupts (which every such loop does, or it would never be
 * interrupted). Rounds have any length, so Brent's algorithm finds them: one remembered state, replaced at powers of two.
 * That takes several rounds. The state in which it ended is kept, and the next time that the hart comes there it takes one
 * round more, on the same stack, to know.
 *
 * A hart that has gone round like this is parked: it stands still until an interrupt or for a while, whichever is first;
 * a longer while each time that it finds nothing to do. That is always right, as nothing says how fast a hart is; and it
 * depends on nothing but the guest's state, so it is the same on every host.
 */
import { Offset } from './state.js';

/** A hart is parked for so many cycles first, a thousandth of a second, and then for twice as long as before. */
const FIRST_PARK_CYCLES = 100_000;
/** How often the time is doubled at most. */
const MOST_DOUBLINGS = 3;

/** A hart that has enabled interrupts less often than this since a trap is taken to be at work. */
export const AT_WORK = 64;

/** Rounds in which interrupts are enabled more often than this are not found. */
const LONGEST_ROUND = 4096;

/** What lies no further from the stack of the last idle loop belongs to it. */
export const STACK_BYTES = 4096;

const REMEMBERED = Offset.idleState >>> 2;
const STEPS = Offset.idleSteps >>> 2;
const LIMIT = Offset.idleLimit >>> 2;
const ENABLED = Offset.idleEnabled >>> 2;
const PARKS = Offset.idleParks >>> 2;
const KNOWN = Offset.idleKnown >>> 2;
const STACK = Offset.idleStack >>> 2;
const SEEN = Offset.idleSeen >>> 2;
const PC = Offset.pc >>> 2;
/** The low word of x2. */
const SP = 4;
/** x1 to x31 have so many words, from the second on. */
const REGISTER_WORDS = 64;

export class IdleLoop {
  /** `words` is the hart's block; the registers come first in it. */
  constructor(private readonly words: Int32Array) {}

  /** To be called when interrupts are enabled. True when the hart has been in this very state before. */
  hasComeRound(): boolean {
    const { words } = this;
    words[ENABLED]++;
    const isOnStack = (words[SP] ^ words[STACK]) >>> 0 < STACK_BYTES;
    if (!isOnStack) words[SEEN] = 0;
    if (!isOnStack && words[ENABLED] < AT_WORK) return false;
    const state = this.registers();
    return this.isKnown(state, isOnStack) || (words[ENABLED] >= AT_WORK && this.isFound(state));
  }

  /** Whether this is the state that the hart was last parked in, seen for the second time on one stack. */
  private isKnown(state: number, isOnStack: boolean): boolean {
    const { words } = this;
    if (!isOnStack || words[KNOWN] !== state) return false;
    if (words[SEEN] === 1) return true;
    words[SEEN] = 1;
    return false;
  }

  /** Whether the state is the remembered one, which from now on is known. */
  private isFound(state: number): boolean {
    const { words } = this;
    if (words[STEPS] > 0 && words[REMEMBERED] === state) {
      words[STEPS] = 0;
      words[LIMIT] = 0;
      words[KNOWN] = state;
      words[STACK] = words[SP];
      words[SEEN] = 1;
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

  /** For how many cycles a hart is to be parked that has come round. */
  nextPark(): number {
    return FIRST_PARK_CYCLES * 2 ** Math.min(this.words[PARKS]++, MOST_DOUBLINGS);
  }

  /** To be called on a trap: what comes after one is a new beginning. */
  reset(): void {
    const { words } = this;
    words[PARKS] = 0;
    words[ENABLED] = 0;
    words[STEPS] = 0;
    words[LIMIT] = 0;
    words[SEEN] = 0;
  }

  /** A hash of the low words of pc and all registers. */
  private registers(): number {
    const { words } = this;
    let hash = words[PC];
    for (let i = 2; i < REGISTER_WORDS; i += 2) hash = Math.imul(hash ^ words[i], 0x9e37_79b1) ^ (hash >>> 15);
    return hash;
  }
}
