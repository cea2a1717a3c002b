/**
 * Notices a kernel that waits without wfi: schedulers of before 2024 go round and round with interrupts enabled, looking
 * for something to run. Each round ends with the hart's registers and the top of its stack, where the callers' registers
 * are saved, as they were a round before; and that is what is looked for, at the moments when the hart enables interrupts
 * (which every such loop does, or it would never be interrupted). Rounds have any length, so Brent's algorithm finds them: one remembered state, replaced at powers of two.
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

/** A stack pointer that lies no further from that of the last idle loop belongs to it. */
export const STACK_BYTES = 4096;

const REMEMBERED = Offset.idleState >>> 2;
const STEPS = Offset.idleSteps >>> 2;
const LIMIT = Offset.idleLimit >>> 2;
const ENABLED = Offset.idleEnabled >>> 2;
const PARKS = Offset.idleParks >>> 2;
const REMEMBERED_TOP = Offset.idleTop >>> 2;
const KNOWN = Offset.idleKnown >>> 2;
const KNOWN_TOP = Offset.idleKnownTop >>> 2;
const STACK = Offset.idleStack >>> 2;
const SEEN = Offset.idleSeen >>> 2;
const PC = Offset.pc >>> 2;
/** The low word of x2. */
const SP = 4;
/** How much of the stack is looked at: the frames of a few calls. */
const TOP_WORDS = 64;
const PAGE_WORDS = 1024;
/** x1 to x31 have so many words, from the second on. */
const REGISTER_WORDS = 64;

export class IdleLoop {
  /**
   * @param words the hart's block; the registers come first in it
   * @param memory all there is
   * @param stack offset in the memory of what the stack pointer points at, or 0
   */
  constructor(
    private readonly words: Int32Array,
    private readonly memory: Int32Array,
    private readonly stack: () => number,
  ) {}

  /** To be called when interrupts are enabled. True when the hart has been in this very state before. */
  hasComeRound(): boolean {
    const { words } = this;
    words[ENABLED]++;
    const isOnStack = (words[SP] ^ words[STACK]) >>> 0 < STACK_BYTES;
    if (!isOnStack) words[SEEN] = 0;
    if (!isOnStack && words[ENABLED] < AT_WORK) return false;
    const registers = this.registers();
    return this.isKnown(registers, isOnStack) || (words[ENABLED] >= AT_WORK && this.isFound(registers));
  }

  /** Whether this is the state that the hart was last parked in, seen for the second time on one stack. */
  private isKnown(registers: number, isOnStack: boolean): boolean {
    const { words } = this;
    if (!isOnStack || words[KNOWN] !== registers || words[KNOWN_TOP] !== this.topOfStack()) return false;
    if (words[SEEN] === 1) return true;
    words[SEEN] = 1;
    return false;
  }

  /** Whether the state is the remembered one, which from now on is known. */
  private isFound(registers: number): boolean {
    const { words } = this;
    if (words[STEPS] > 0 && words[REMEMBERED] === registers && words[REMEMBERED_TOP] === this.topOfStack()) {
      words[STEPS] = 0;
      words[LIMIT] = 0;
      words[KNOWN] = registers;
      words[KNOWN_TOP] = words[REMEMBERED_TOP];
      words[STACK] = words[SP];
      words[SEEN] = 1;
      return true;
    }
    if (words[STEPS] >= words[LIMIT]) {
      words[REMEMBERED] = registers;
      words[REMEMBERED_TOP] = this.topOfStack();
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
    for (let i = 2; i < REGISTER_WORDS; i += 2) hash = mix(hash, words[i]);
    return hash;
  }

  /** A hash of what lies on the stack, as far as the page goes. */
  private topOfStack(): number {
    const start = this.stack() >>> 2;
    if (start === 0) return 0;
    const end = Math.min(start + TOP_WORDS, (start | (PAGE_WORDS - 1)) + 1);
    let hash = 0;
    for (let i = start; i < end; i++) hash = mix(hash, this.memory[i]);
    return hash;
  }
}

const mix = (hash: number, word: number): number => Math.imul(hash ^ word, 0x9e37_79b1) ^ (hash >>> 15);
