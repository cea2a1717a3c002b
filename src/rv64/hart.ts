/**
 * A hart: registers and memory access (MemoryAccess), and on top of it control flow, time, traps and the loop that
 * executes instructions.
 *
 * Time is counted in cycles: each instruction takes one, and so does each that traps instead of retiring. The loop
 * runs on fuel, the number of cycles until something must be looked at: the end of the slice or a timer. Whatever
 * may change what happens next (an interrupt enabled, a translation dropped) takes the fuel away with `leave`, so
 * events arrive at exact cycle counts.
 */
import type { Bus, Timebase } from './bus.js';
import {
  MENVCFG_STCE,
  MSTATUS_MIE,
  MSTATUS_MPIE,
  MSTATUS_MPP,
  MSTATUS_MPP_SHIFT,
  MSTATUS_MPRV,
  MSTATUS_SIE,
  MSTATUS_SPIE,
  MSTATUS_SPP,
  MSTATUS_SXL,
  MSTATUS_UXL,
  Slot,
} from './csr/bits.js';
import { CodePage } from './code-page.js';
import { lengthFromBits } from './decode.js';
import { lengthOf } from './fields.js';
import type { Frames } from './frames.js';
import { IdleLoop, PARKED_CYCLES } from './idle-loop.js';
import { MemoryAccess } from './memory-access.js';
import type { Run } from './row.js';
import { SpinLoop } from './spin.js';
import type { Translator } from './translator.js';
import { HART_BYTES, Offset, type State } from './state.js';
import { Cause, Interrupt, INTERRUPT_FLAG, INTERRUPT_PRIORITY, Mode, Trap } from './trap.js';

const PC = Offset.pc >>> 2;
const NEXT = Offset.nextPc >>> 2;
const FUEL = Offset.fuel >>> 2;
const MODE = Offset.mode >>> 2;
const WAITING = Offset.waiting >>> 2;
const RESERVATION = Offset.reservation >>> 2;
const LINES = Offset.lines >>> 2;
/** Values of `waiting`. */
const WAITS = 1;
const PARKED = 2;
const TRAP_DEPTH = Offset.trapDepth >>> 2;

/** Traps without one return between them after which a hart is taken to be trapping for ever. */
const MAX_TRAP_DEPTH = 100_000;

/** Cycles below which no loop is looked for. */
const WORTH_SKIPPING = 200;

const PAGE_MASK = ~0xfff;

/** The last of too many traps without a return. */
export interface EndlessTrap {
  readonly cause: bigint;
  readonly value: bigint;
  readonly pc: bigint;
  readonly handler: bigint;
}

/** Someone who watches a hart at work; it must not change anything. */
export interface Observer {
  /** Before each instruction. */
  instruction?(hart: Hart): void;
  /** When a trap is taken: pc is where, `cause` as in mcause. */
  trap?(hart: Hart, cause: bigint, value: bigint): void;
}

export class Hart extends MemoryAccess {
  /** pc and the pc after it, as 64-bit integers. */
  private readonly pcs: BigInt64Array;
  private readonly cyclesAtEmpty: Float64Array;
  private readonly parkedUntil: Float64Array;
  private readonly stepless: Float64Array;
  private readonly idleLoop: IdleLoop;
  private readonly spinLoop = new SpinLoop();
  /** What to add to the cycle count to get minstret [0] and mcycle [1]; CLINT's compare value [2]. */
  private readonly counters: BigInt64Array;
  /** The cycle at which each timer's compare value is reached. */
  private machineTimer = Infinity;
  private supervisorTimer = Infinity;
  /** The page that pc is in, while the loop runs, if decoded instructions may be kept in it. */
  private page: CodePage | undefined;
  /** Stands in where PMP does not treat all of a page alike: nothing is kept in it. */
  private readonly uncachedPage = new CodePage(-1);

  private stopping = false;

  /** Probes called so far. */
  probeCalls = 0;

  /** Watches this hart; without one nothing is paid for the possibility. */
  observer: Observer | undefined;

  /** Executes hot code; without one the interpreter executes everything. */
  translator: Translator | undefined;

  /** Set once the hart is found to trap in its own trap handler for ever. */
  stuck: EndlessTrap | undefined;

  constructor(
    index: number,
    state: State,
    frames: Frames,
    bus: Bus,
    private readonly timebase: Timebase,
  ) {
    super(index, state, frames, bus);
    const { buffer } = state.memory;
    const block = index * HART_BYTES;
    this.pcs = new BigInt64Array(buffer, block + Offset.pc, 2);
    this.cyclesAtEmpty = new Float64Array(buffer, block + Offset.cyclesAtEmpty, 1);
    this.parkedUntil = new Float64Array(buffer, block + Offset.parkedUntil, 1);
    this.stepless = new Float64Array(buffer, block + Offset.stepless, 1);
    this.idleLoop = new IdleLoop(this.words);
    this.counters = new BigInt64Array(buffer, block + Offset.instretOffset, 3);
  }

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
    this.pmp.update();
    this.updateContexts();
    this.updateTimers();
  }

  // ---- control flow -------------------------------------------------------------------------------------

  /** Address of the instruction being executed (signed). */
  get pc(): bigint {
    return this.pcs[0];
  }

  set pc(address: bigint) {
    this.pcs[0] = address;
  }

  /** Address of the instruction to be executed next (signed); a jump sets it. */
  get nextPc(): bigint {
    return this.pcs[1];
  }

  set nextPc(address: bigint) {
    this.pcs[1] = address;
  }

  /** Jumps by a signed distance from the instruction being executed. */
  branch(distance: number): void {
    const { words } = this;
    const before = words[PC];
    const low = (before + distance) | 0;
    const carry = low >>> 0 < before >>> 0 ? 1 : 0;
    words[NEXT] = low;
    words[NEXT + 1] = (words[PC + 1] + (distance >> 31) + carry) | 0;
  }

  /** Makes the loop look around before the next instruction. */
  leave(): void {
    const fuel = this.words[FUEL];
    if (fuel <= 0) return;
    this.cyclesAtEmpty[0] -= fuel;
    this.words[FUEL] = 0;
  }

  /** The bits of the instruction at pc: 16 of a compressed one, otherwise 32. Throws Trap. */
  fetchWord(): number {
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

  // ---- time ---------------------------------------------------------------------------------------------

  /** Cycles completed since reset. */
  get cycles(): number {
    return this.cyclesAtEmpty[0] - this.words[FUEL];
  }

  /**
   * Steps made since reset: instructions executed, whether they retired or trapped, and interrupts taken. Between two
   * cycle counts there are as many moments at which a debugger can look at the hart.
   */
  get steps(): number {
    return this.cycles - this.stepless[0];
  }

  /** Instructions retired since reset, or since minstret was written. */
  get instret(): bigint {
    return BigInt(this.cycles) + this.counters[0];
  }

  set instret(value: bigint) {
    this.counters[0] = value - BigInt(this.cycles);
  }

  get mcycle(): bigint {
    return BigInt(this.cycles) + this.counters[1];
  }

  set mcycle(value: bigint) {
    this.counters[1] = value - BigInt(this.cycles);
  }

  /** mtime as this hart reads it now. */
  get ticks(): bigint {
    return this.timebase.ticksAt(this.cycles);
  }

  /** The CLINT sets mtimecmp. */
  setTimerCompare(ticks: bigint): void {
    this.counters[2] = ticks;
    this.updateTimers();
  }

  /** Finds out anew when the timers fire. To be called after a compare value or the clock has changed. */
  updateTimers(): void {
    this.machineTimer = this.timebase.cycleAt(BigInt.asUintN(64, this.counters[2]));
    const hasSstc = (this.csr[Slot.menvcfg] & MENVCFG_STCE) !== 0n;
    this.supervisorTimer = hasSstc
      ? this.timebase.cycleAt(BigInt.asUintN(64, this.csr[Slot.stimecmp]))
      : Infinity;
    this.leave();
  }

  /** The cycle at which the next timer fires that is enabled and has not fired yet; Infinity if none. */
  get nextTimer(): number {
    const enabled = Number(this.csr[Slot.mie]);
    const now = this.cycles;
    let next = Infinity;
    if (enabled & (1 << Interrupt.MachineTimer) && this.machineTimer > now) next = this.machineTimer;
    if (enabled & (1 << Interrupt.SupervisorTimer) && this.supervisorTimer > now) {
      next = Math.min(next, this.supervisorTimer);
    }
    return next;
  }

  // ---- interrupts and traps -----------------------------------------------------------------------------

  /** A device drives the wire of one interrupt. */
  setLine(interrupt: number, level: boolean): void {
    if (level) this.words[LINES] |= 1 << interrupt;
    else this.words[LINES] &= ~(1 << interrupt);
    this.leave();
  }

  /** The value of mip. */
  get pending(): number {
    const now = this.cycles;
    let bits = Number(this.csr[Slot.mip]) | this.words[LINES];
    if (this.machineTimer <= now) bits |= 1 << Interrupt.MachineTimer;
    if (this.supervisorTimer <= now) bits |= 1 << Interrupt.SupervisorTimer;
    return bits;
  }

  /** True while the hart waits for an interrupt, or is parked, and no interrupt that it has enabled is pending. */
  get isIdle(): boolean {
    const waiting = this.words[WAITING];
    if (waiting === 0 || (this.pending & Number(this.csr[Slot.mie])) !== 0) return false;
    return waiting === WAITS || this.cycles < this.parkedUntil[0];
  }

  /** The cycle at which an idle hart goes on if nothing else happens. */
  get wakeUp(): number {
    return this.words[WAITING] === PARKED ? Math.min(this.nextTimer, this.parkedUntil[0]) : this.nextTimer;
  }

  waitForInterrupt(): void {
    this.words[WAITING] = WAITS;
    this.leave();
  }

  /** To be called when an instruction has enabled supervisor interrupts: the hart may be in an idle loop. */
  interruptsEnabled(): void {
    if (!this.idleLoop.hasComeRound()) return;
    this.words[WAITING] = PARKED;
    this.parkedUntil[0] = this.cycles + PARKED_CYCLES;
    this.leave();
  }

  mstatusHas(bit: bigint): boolean {
    return (this.csr[Slot.mstatus] & bit) !== 0n;
  }

  /** Raises an illegal-instruction exception; `bits` is the instruction as it stands in memory or a code page. */
  illegal(bits: number): never {
    const word = lengthFromBits(bits) === 4 || bits === 0 ? bits : this.fetchWord();
    throw new Trap(Cause.IllegalInstruction, BigInt(word >>> 0));
  }

  /** Delivers an exception that the instruction being executed is about, without unwinding it. */
  trapNow(cause: number, value: bigint): void {
    this.enterTrap(cause, false, value);
    // The instruction does not retire, though its cycle passes.
    this.counters[0] -= 1n;
    this.leave();
  }

  /** Delivers a trap: nextPc becomes its handler. Interrupts are taken with pc at the interrupted instruction. */
  private enterTrap(code: number, isInterrupt: boolean, value: bigint): void {
    const { csr } = this;
    const delegation = isInterrupt ? csr[Slot.mideleg] : csr[Slot.medeleg];
    const toSupervisor = this.mode !== Mode.Machine && ((delegation >> BigInt(code)) & 1n) !== 0n;
    const cause = BigInt(code) | (isInterrupt ? INTERRUPT_FLAG : 0n);
    const status = csr[Slot.mstatus];
    this.observer?.trap?.(this, BigInt.asIntN(64, cause), value);
    if (toSupervisor) {
      csr[Slot.sepc] = this.pc;
      csr[Slot.scause] = cause;
      csr[Slot.stval] = value;
      csr[Slot.mstatus] =
        (status & ~(MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE)) |
        (this.mode === Mode.Supervisor ? MSTATUS_SPP : 0n) |
        (status & MSTATUS_SIE ? MSTATUS_SPIE : 0n);
      this.words[MODE] = Mode.Supervisor;
    } else {
      csr[Slot.mepc] = this.pc;
      csr[Slot.mcause] = cause;
      csr[Slot.mtval] = value;
      csr[Slot.mstatus] =
        (status & ~(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE)) |
        (BigInt(this.mode) << MSTATUS_MPP_SHIFT) |
        (status & MSTATUS_MIE ? MSTATUS_MPIE : 0n);
      this.words[MODE] = Mode.Machine;
    }
    this.idleLoop.reset();
    const vector = csr[toSupervisor ? Slot.stvec : Slot.mtvec];
    const isVectored = (vector & 3n) === 1n && isInterrupt;
    this.nextPc = (vector & ~3n) + (isVectored ? BigInt(4 * code) : 0n);
    this.updateContexts();
    if (++this.words[TRAP_DEPTH] > MAX_TRAP_DEPTH) {
      this.stuck = { cause, value, pc: this.pc, handler: this.nextPc };
      this.leave();
    }
  }

  returnFromMachine(): void {
    const status = this.csr[Slot.mstatus];
    const mode = Number((status & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT);
    let after = (status & ~(MSTATUS_MIE | MSTATUS_MPP)) | MSTATUS_MPIE;
    if (status & MSTATUS_MPIE) after |= MSTATUS_MIE;
    if (mode !== Mode.Machine) after &= ~MSTATUS_MPRV;
    this.returnTo(mode, this.csr[Slot.mepc], after);
  }

  returnFromSupervisor(): void {
    const status = this.csr[Slot.mstatus];
    const mode = status & MSTATUS_SPP ? Mode.Supervisor : Mode.User;
    let after = (status & ~(MSTATUS_SIE | MSTATUS_SPP | MSTATUS_MPRV)) | MSTATUS_SPIE;
    if (status & MSTATUS_SPIE) after |= MSTATUS_SIE;
    this.returnTo(mode, this.csr[Slot.sepc], after);
  }

  private returnTo(mode: number, address: bigint, status: bigint): void {
    this.csr[Slot.mstatus] = status;
    this.words[MODE] = mode;
    this.words[TRAP_DEPTH] = 0;
    this.nextPc = address;
    this.updateContexts();
    this.leave();
  }

  /** The interrupt to take before the next instruction, or -1. */
  private interruptToTake(): number {
    const ready = this.pending & Number(this.csr[Slot.mie]);
    if (ready === 0) return -1;
    const delegated = Number(this.csr[Slot.mideleg]);
    const { mode } = this;
    const machineOn = mode !== Mode.Machine || this.mstatusHas(MSTATUS_MIE);
    const supervisorOn = mode < Mode.Supervisor || (mode === Mode.Supervisor && this.mstatusHas(MSTATUS_SIE));
    const deliverable = (machineOn ? ready & ~delegated : 0) || (supervisorOn ? ready & delegated : 0);
    return INTERRUPT_PRIORITY.find((interrupt) => deliverable & (1 << interrupt)) ?? -1;
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
    this.nextPc = this.pc;
    // The loop is about to count a cycle.
    this.cyclesAtEmpty[0]--;
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
        this.words[WAITING] = 0;
      }
      const interrupt = this.interruptToTake();
      if (interrupt >= 0) {
        this.enterTrap(interrupt, true, 0n);
        this.pc = this.nextPc;
        this.stepless[0]--;
        if (this.steps >= steps) break;
      }
      if (this.observer?.instruction) {
        this.observer.instruction(this);
        this.refuel(this.cycles + 1);
      } else {
        const horizon = Math.min(until, this.nextTimer, this.cycles + steps - this.steps);
        this.skipSpin(horizon);
        if (this.stopping) break;
        this.refuel(horizon);
      }
      this.execute();
    }
    this.settle();
  }

  /** Lets whole rounds of a loop that only waits pass at once, up to a cycle before which nothing else happens. */
  private skipSpin(until: number): void {
    if (until - this.cycles < WORTH_SKIPPING) return;
    const period = this.spinLoop.period(this, () => {
      this.refuel(this.cycles + 1);
      this.execute();
    });
    if (period > 0) this.cyclesAtEmpty[0] += Math.floor((until - this.cycles) / period) * period;
  }

  /** Writes the state in its one canonical form, so that equal states are equal bytes. */
  private settle(): void {
    this.cyclesAtEmpty[0] = this.cycles;
    this.words[FUEL] = 0;
    this.nextPc = this.pc;
  }

  /** Makes the instruction being executed take so many cycles longer. */
  stall(cycles: number): void {
    this.leave();
    this.cyclesAtEmpty[0] += cycles;
    this.stepless[0] += cycles;
    this.counters[0] -= BigInt(cycles);
  }

  /** Lets time pass without executing anything. */
  idleUntil(cycle: number): void {
    const idle = cycle - this.cycles;
    if (idle <= 0) return;
    this.leave();
    this.cyclesAtEmpty[0] += idle;
    this.stepless[0] += idle;
    this.counters[0] -= BigInt(idle);
  }

  private refuel(until: number): void {
    const now = this.cycles;
    const fuel = Math.min(until - now, 0x3fff_ffff);
    this.words[FUEL] = fuel;
    this.cyclesAtEmpty[0] = now + fuel;
  }

  /** Executes instructions until the fuel is used up or taken away. */
  private execute(): void {
    while (this.words[FUEL] > 0) {
      try {
        this.translator?.run(this.index);
        if (this.words[FUEL] > 0) this.executePage();
      } catch (trap) {
        if (!(trap instanceof Trap)) throw trap;
        this.trapNow(trap.cause, trap.value);
        this.words[FUEL]--;
        this.pc = this.nextPc;
      }
    }
    this.page = undefined;
  }

  /** Executes instructions while they lie in the page that pc is in and the translator does not take over. */
  private executePage(): void {
    const { words, x, translator } = this;
    const frame = this.fetchFrame(words[PC], words[PC + 1]);
    this.page = frame < 0 ? undefined : this.frames.codePage(frame);
    const codePage = this.page ?? this.uncachedPage;
    const { run, word } = codePage;
    let low = words[PC];
    translator?.arrive(codePage, (low >>> 1) & 0x7ff);
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
      if (low !== next && translator?.arrive(codePage, (low >>> 1) & 0x7ff)) return;
    } while (true);
  }
}
