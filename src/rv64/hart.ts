/**
 * A hart. What it is made of stands one upon the other, a class each: Translation (addresses), MemoryAccess (loads, stores,
 * fetches), HartTime (pc, cycles, timers), Traps, Waiting (standing still), and here the loop that executes instructions.
 */
import { MSTATUS_SXL, MSTATUS_UXL, Slot } from './csr/bits.js';
import { CodePage } from './code-page.js';
import { lengthFromBits } from './decode.js';
import { lengthOf } from './fields.js';
import type { Run } from './row.js';
import { SpinLoop } from './spin.js';
import { Offset, RAM_START } from './state.js';
import type { Translator } from './translator.js';
import { Cause, INTERRUPT_FLAG, Mode, Trap } from './trap.js';
import { Waiting } from './waiting.js';

const PC = Offset.pc >>> 2;
const NEXT = Offset.nextPc >>> 2;
const FUEL = Offset.fuel >>> 2;
const MODE = Offset.mode >>> 2;
const WAITING = Offset.waiting >>> 2;
const RESERVATION = Offset.reservation >>> 2;

const isOfFetch = ({ cause }: Trap): boolean => cause === Cause.FetchPage || cause === Cause.FetchAccess;

const PAGE_MASK = ~0xfff;
/** The last place in a page where an instruction of four bytes is whole. */
const LAST_LONG = 4092;

/** Someone who watches a hart at work; it must not change anything. */
export interface Observer {
  /** Before each instruction. */
  instruction?(hart: Hart): void;
  /** When a trap is taken: pc is where, `cause` as in mcause. */
  trap?(hart: Hart, cause: bigint, value: bigint): void;
  /** After sret or mret: the mode is the new one, nextPc where the hart goes on. */
  returned?(hart: Hart): void;
}

export class Hart extends Waiting {
  protected readonly spinLoop = new SpinLoop(this);
  /** The page that pc is in, while the loop runs, if decoded instructions may be kept in it. */
  private page: CodePage | undefined;
  /** Stands in where PMP does not treat all of a page alike: nothing is kept in it. */
  private readonly uncachedPage = new CodePage(-1);

  private stopping = false;

  /** Watches this hart; without one nothing is paid for the possibility. */
  observer: Observer | undefined;

  /** Told of each exception in supervisor mode, as it is taken: of the kernel's own mistakes, mostly. */
  onKernelException: ((hart: Hart, cause: bigint, value: bigint) => void) | undefined;

  /** The same for user mode, without system calls: of faults that a kernel makes good, and of programs' mistakes. */
  onUserException: ((hart: Hart, cause: bigint, value: bigint) => void) | undefined;

  /** Asked before a fetch traps, with pc where it is: true to have the hart stop before that. */
  onFetchFault: ((hart: Hart) => boolean) | undefined;

  /** Executes hot code; without one the interpreter executes everything. */
  translator: Translator | undefined;

  /** A copy of the hart's state; what is derived from it is left out. */
  saveBlock(): Uint8Array {
    const block = this.state.hartBytes(this.index).slice();
    block.fill(0, Offset.dataTlb, Offset.fetchTlb + 4);
    return block;
  }

  /** Takes back what `saveBlock` returned. */
  loadBlock(block: Uint8Array): void {
    this.state.hartBytes(this.index).set(block);
    this.refresh();
  }

  /** Puts the hart in its state after reset: machine mode, at `entry`, a0 = hart number, a1 = `a1`. */
  reset(entry: bigint, a1: bigint): void {
    this.state.hartBytes(this.index).fill(0);
    this.pc = entry;
    this.x[10] = BigInt(this.index);
    this.x[11] = a1;
    this.words[MODE] = Mode.Machine;
    this.csr[Slot.mstatus] = MSTATUS_UXL | MSTATUS_SXL;
    this.counters[2] = -1n;
    this.csr[Slot.stimecmp] = -1n;
    this.refresh();
  }

  /** Recomputes what is derived from the state, after it was replaced. */
  private refresh(): void {
    this.stuck = undefined;
    this.updateProtection();
    this.updateTimers();
  }

  // ---- instructions -------------------------------------------------------------------------------------

  /** The bits of the instruction at pc: 16 of a compressed one, otherwise 32. Throws Trap. */
  fetchWord(): number {
    const offset = this.words[PC] & 0xfff;
    if (this.page !== undefined && offset <= LAST_LONG) {
      const bits = this.state.view.getInt32(RAM_START + this.page.frame * 4096 + offset, true);
      return lengthFromBits(bits) === 2 ? bits & 0xffff : bits;
    }
    const low = this.fetch16(this.pc);
    return lengthFromBits(low) === 2 ? low : low | (this.fetch16(this.pc + 2n) << 16);
  }

  /** The same for an observer: undefined where fetching would trap. */
  peekInstruction(): number | undefined {
    try {
      return this.fetchWord();
    } catch (trap) {
      if (trap instanceof Trap) return undefined;
      throw trap;
    }
  }

  /**
   * Keeps a decoded instruction at pc for the next time, unless it lies in two pages. Returns what is to be executed:
   * `run`, and before it the probe that was set there.
   */
  keepDecoded(run: Run, word: number): Run {
    if (this.page === undefined) return run;
    const offset = this.words[PC] & 0xfff;
    const slot = offset >>> 1;
    const isWhole = offset + lengthOf(word) <= 4096;
    return isWhole ? this.page.keep(slot, run, word) : this.page.withProbe(slot, run);
  }

  /** Raises an illegal-instruction exception; `bits` is the instruction as it stands in memory or a code page. */
  illegal(bits: number): never {
    const word = lengthFromBits(bits) === 4 || bits === 0 ? bits : this.fetchWord();
    throw new Trap(Cause.IllegalInstruction, BigInt(word >>> 0));
  }

  protected override onTrap(code: number, isInterrupt: boolean, value: bigint): void {
    this.idleLoop.reset();
    if (!isInterrupt && this.mode === Mode.Supervisor) this.onKernelException?.(this, BigInt(code), value);
    if (!isInterrupt && this.mode === Mode.User && code !== Cause.UserEcall)
      this.onUserException?.(this, BigInt(code), value);
    if (this.observer?.trap === undefined) return;
    const cause = BigInt(code) | (isInterrupt ? INTERRUPT_FLAG : 0n);
    this.observer.trap(this, BigInt.asIntN(64, cause), value);
  }

  protected override onReturn(): void {
    this.observer?.returned?.(this);
  }

  // ---- the loop -----------------------------------------------------------------------------------------

  /** Begins a slice. A reservation does not outlive one: other harts may have stored in the meantime. */
  beginSlice(): void {
    this.words[RESERVATION] = 0;
  }

  /** Makes `run` return after the instruction being executed. */
  stop(): void {
    this.stopping = true;
    this.leave();
  }

  /** To be called by a probe: `run` returns without the instruction having been executed. */
  hold(): void {
    this.stop();
    this.words[NEXT] = this.words[PC];
    this.words[NEXT + 1] = this.words[PC + 1];
    // The loop is about to count a cycle.
    this.skip(-1);
  }

  /**
   * Runs until the cycle count reaches `until`, through idle time too, or until `steps` does. Ends early when the
   * hart is stuck, or on `stop`; may then be called again.
   */
  run(until: number, steps = Infinity): void {
    this.stopping = false;
    while (this.cycles < until && this.stuck === undefined && !this.stopping && this.steps < steps) {
      if (this.words[WAITING] !== 0) {
        if (this.isIdle) {
          this.idleUntil(Math.min(until, this.wakeUp));
          continue;
        }
        this.goOn();
        if (this.isIdle) continue;
      }
      const interrupt = this.interruptToTake();
      if (interrupt >= 0) {
        this.enterTrap(interrupt, true, 0n);
        this.advance();
        this.countStep();
        if (this.steps >= steps) break;
      }
      this.noteCalls();
      if (this.observer?.instruction) {
        this.observer.instruction(this);
        this.refuel(this.cycles + 1);
      } else {
        const horizon = Math.min(until, this.nextTimer, this.nextLook, this.cycles + steps - this.steps);
        this.refuel(horizon);
      }
      this.execute();
    }
    this.settle();
  }

  /** Executes instructions until the fuel is used up or taken away. */
  private execute(): void {
    while (this.words[FUEL] > 0 || (this.resume() && this.words[FUEL] > 0)) {
      try {
        this.page = undefined;
        this.translator?.run(this.index);
        if (this.words[FUEL] > 0) this.interpret();
      } catch (trap) {
        if (!(trap instanceof Trap)) throw trap;
        if (this.onFetchFault && isOfFetch(trap) && this.onFetchFault(this)) {
          this.stop();
          continue;
        }
        this.trapNow(trap.cause, trap.value);
        this.words[FUEL]--;
        this.advance();
      }
    }
    this.page = undefined;
  }

  /** Executes instructions while they lie in the page that pc is in and the translator does not take over. */
  private interpret(): void {
    const { words, x, translator } = this;
    const frame = this.fetchFrame(words[PC], words[PC + 1]);
    const codePage = frame < 0 ? this.uncachedPage : this.frames.codePage(frame);
    let low = words[PC];
    // What had been translated already would have been executed, if the fuel sufficed.
    const entry = (low >>> 1) & 0x7ff;
    if (translator && !translator.has(codePage, entry) && translator.arrive(codePage, entry, this)) return;
    this.page = frame < 0 ? undefined : codePage;
    const { run, word } = codePage.decoded;
    const page = low & PAGE_MASK;
    const high = words[PC + 1];
    words[NEXT + 1] = high;
    do {
      const slot = (low >>> 1) & 0x7ff;
      const instruction = word[slot];
      const next = (low + lengthOf(instruction)) | 0;
      words[NEXT] = next;
      if (low < 0 && next >= 0) words[NEXT + 1] = (high + 1) | 0;
      run[slot](this, instruction);
      x[0] = 0n;
      low = words[NEXT];
      words[PC] = low;
      words[PC + 1] = words[NEXT + 1];
      if (--words[FUEL] <= 0 || (low & PAGE_MASK) !== page || words[PC + 1] !== high) return;
      if (low !== next && translator?.arrive(codePage, (low >>> 1) & 0x7ff, this)) return;
    } while (true);
  }
}
