/**
 * Notices a hart in a short loop that waits for another hart: `while (started == 0) ;`, or one that takes a lock, by a swap
 * that puts there what is there. When a few instructions that change nothing but registers lead back to the same registers,
 * they will do so until somebody stores or an interrupt comes. Until then nothing is lost if the hart stands still, and
 * nothing says how fast a hart is.
 *
 * The loop is tried out on the hart itself, whose registers are put back: all that remains is the answer.
 */
import { compile, type Compiled } from './decode-and-run.js';
import { lengthFromBits } from './decode.js';
import { immI, lengthOf, rd, rs1, rs2 } from './fields.js';
import type { Hart } from './hart.js';
import { Offset } from './state.js';

/** Instructions in the longest loop that is looked for. */
const LONGEST_LOOP = 16;
/** A hart that is no further than this from where it was a round of slices ago may be in a loop. */
const NEAR_BYTES = 64;

/** Major opcodes (bits 6:0) of instructions that change registers only; fences change nothing at all. */
const LOAD = 0x03;
const AMO = 0x2f;
/** Bits 31:27 of amoswap, and bits 14:12 of the forms for 32 and 64 bits. */
const SWAP = 1;
const WORD = 2;
const DOUBLEWORD = 3;
const HARMLESS = new Set([LOAD, 0x0f, 0x13, 0x17, 0x1b, 0x33, 0x37, 0x3b, 0x63, 0x67, 0x6f]);
/** Bits that tell a long instruction, also cleared in the word of a compressed one. */
const LENGTH_BITS = 3;

/** Instructions that are kept as they were compiled. */
const MAX_KEPT = 1000;

/** x0 to x31, which come first in a hart's block. */
const REGISTER_WORDS = 64;

const PC = Offset.pc >>> 2;
const NEXT = Offset.nextPc >>> 2;
const PLACE = Offset.spinPlace >>> 2;
const RULED_OUT = Offset.spinRuledOut >>> 2;

export class SpinLoop {
  /** x0 to x31 at the start of a round. */
  private readonly before = new Int32Array(REGISTER_WORDS);
  private readonly compiled = new Map<number, Compiled>();

  constructor(private readonly hart: Hart) {}

  /** Whether the hart is in such a loop. To be called between slices; looks closely only where that may be. */
  isSpinning(): boolean {
    const { words } = this.hart;
    const here = words[PC];
    if (Math.abs(here - words[PLACE]) > NEAR_BYTES) {
      words[PLACE] = here;
      words[RULED_OUT] = 0;
      return false;
    }
    if (words[RULED_OUT] !== 0) return false;
    const comesRound = this.tryRound();
    words[RULED_OUT] = comesRound ? 0 : 1;
    return comesRound;
  }

  private tryRound(): boolean {
    const { before } = this;
    const { words } = this.hart;
    const [low, high] = [words[PC], words[PC + 1]];
    before.set(words.subarray(0, REGISTER_WORDS));
    let comesRound = false;
    for (let steps = 1; steps <= LONGEST_LOOP && !comesRound; steps++) {
      if (!this.step()) break;
      comesRound = words[PC] === low && words[PC + 1] === high && this.hasSameRegisters();
    }
    words.set(before);
    words[PC] = words[NEXT] = low;
    words[PC + 1] = words[NEXT + 1] = high;
    return comesRound;
  }

  /** Executes one instruction, if it can change nothing but registers. Happens often: without big integers. */
  private step(): boolean {
    const { hart } = this;
    const { words } = hart;
    const host = hart.plainFetch(words[PC], words[PC + 1]);
    if (host === 0) return false;
    const bits = hart.state.view.getInt32(host, true);
    const { run, word } = this.compile(lengthFromBits(bits) === 2 ? bits & 0xffff : bits);
    const opcode = (word & 0x7f) | LENGTH_BITS;
    // It is not the last one in its page, so that the high word stays.
    words[NEXT] = words[PC] + lengthOf(word);
    words[NEXT + 1] = words[PC + 1];
    if (opcode === AMO) {
      if (!this.swapInVain(word)) return false;
    } else {
      if (!HARMLESS.has(opcode)) return false;
      if (opcode === LOAD && hart.plainLoad(rs1(word), immI(word)) === 0) return false;
      run(hart, word);
    }
    hart.x[0] = 0n;
    words[PC] = words[NEXT];
    words[PC + 1] = words[NEXT + 1];
    return true;
  }

  /** Executes a swap that leaves the memory as it is; false where it would not, or where it is something else. */
  private swapInVain(word: number): boolean {
    const { hart } = this;
    const width = (word >>> 12) & 7;
    if (word >>> 27 !== SWAP || (width !== WORD && width !== DOUBLEWORD)) return false;
    const [base, bytes] = [rs1(word), 2 ** width];
    if (hart.low(base) % bytes !== 0 || hart.plainLoad(base, 0) === 0) return false;
    const [found, stored] =
      width === WORD
        ? [BigInt(hart.load32(base, 0)), BigInt(hart.low(rs2(word)))]
        : [hart.load64(base, 0), hart.x[rs2(word)]];
    hart.x[rd(word)] = found;
    return found === stored;
  }

  private hasSameRegisters(): boolean {
    const { words } = this.hart;
    for (let i = 0; i < REGISTER_WORDS; i++) {
      if (words[i] !== this.before[i]) return false;
    }
    return true;
  }

  /** A loop is looked at again and again. */
  private compile(bits: number): Compiled {
    const known = this.compiled.get(bits);
    if (known !== undefined) return known;
    const compiled = compile(bits);
    if (this.compiled.size === MAX_KEPT) this.compiled.clear();
    this.compiled.set(bits, compiled);
    return compiled;
  }
}
