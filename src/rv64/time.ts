/**
 * A hart's time and place: pc, the cycles it has completed, its counters and timers.
 *
 * Time is counted in cycles: each instruction takes one, and so does each that traps instead of retiring. The hart's
 * loop runs on fuel, the number of cycles until something must be looked at: the end of the slice or a timer. Whatever
 * may change what happens next (an interrupt enabled, a translation dropped) takes the fuel away with `leave`, so events
 * arrive at exact cycle counts.
 */
import type { Bus, Timebase } from './bus.js';
import { lowWordOf, MENVCFG_STCE, Slot } from './csr/bits.js';
import type { Frames } from './frames.js';
import { MemoryAccess } from './memory-access.js';
import { HART_BYTES, Offset, type State } from './state.js';
import { Interrupt } from './trap.js';

const PC = Offset.pc >>> 2;
const NEXT = Offset.nextPc >>> 2;
const FUEL = Offset.fuel >>> 2;
const CALLED = Offset.called >>> 2;
const ENABLED = lowWordOf(Slot.mie);

/** More fuel than a hart is ever given, with room for what translated code adds and takes. */
const MOST_FUEL = 0x3fff_ffff;

/** A test-and-set that fails takes so many cycles longer: the lock's cache line comes from another hart. */
export const REFUSED_CYCLES = 150;

export class HartTime extends MemoryAccess {
  /** pc and the pc after it, as 64-bit integers. */
  private readonly pcs: BigInt64Array;
  private readonly cyclesAtEmpty: Float64Array;
  private readonly stepless: Float64Array;
  /** What to add to the cycle count to get minstret [0] and mcycle [1]; CLINT's compare value [2]. */
  protected readonly counters: BigInt64Array;
  /** Fuel that `turn` has taken away and that is to be given back. */
  private turned = 0;
  /** The cycle at which each timer's compare value is reached. */
  protected machineTimer = Infinity;
  protected supervisorTimer = Infinity;

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
    this.stepless = new Float64Array(buffer, block + Offset.stepless, 1);
    this.counters = new BigInt64Array(buffer, block + Offset.instretOffset, 3);
  }

  // ---- place --------------------------------------------------------------------------------------------

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

  /** Has the hart go on at another address. Between instructions only. */
  moveTo(address: bigint): void {
    this.pc = address;
    this.nextPc = address;
  }

  /** Makes the next instruction the one being executed. */
  protected advance(): void {
    this.words[PC] = this.words[NEXT];
    this.words[PC + 1] = this.words[NEXT + 1];
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

  // ---- fuel ---------------------------------------------------------------------------------------------

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

  /** To be called for a step that takes no cycle. */
  protected countStep(): void {
    this.stepless[0]--;
  }

  /** Makes the loop look around before the next instruction. */
  leave(): void {
    this.turned = 0;
    const fuel = this.words[FUEL];
    if (fuel <= 0) return;
    this.cyclesAtEmpty[0] -= fuel;
    this.words[FUEL] = 0;
  }

  /**
   * Makes the loop look for the next instruction anew, where it may not be what followed in memory. Unless an interrupt
   * is pending there is nothing else to look at, and the fuel is given back by `resume`.
   */
  turn(): void {
    const fuel = this.words[FUEL];
    if (fuel <= 0) return;
    this.leave();
    if (this.words[CALLED] === 0) this.turned = fuel;
  }

  /** To be called once the loop has stopped for lack of fuel: whether it was for `turn`. Gives the fuel back then. */
  resume(): boolean {
    const fuel = this.turned;
    if (fuel === 0) return false;
    this.turned = 0;
    this.cyclesAtEmpty[0] += fuel;
    this.words[FUEL] += fuel;
    return true;
  }

  /** Lets the loop run up to a cycle. */
  protected refuel(until: number): void {
    const now = this.cycles;
    const fuel = Math.min(until - now, MOST_FUEL);
    this.words[FUEL] = fuel;
    this.cyclesAtEmpty[0] = now + fuel;
  }

  /** Lets cycles pass that no instruction takes, and in which what would retire has retired. */
  protected skip(cycles: number): void {
    this.cyclesAtEmpty[0] += cycles;
  }

  /** Makes the instruction being executed take so many cycles longer. */
  stall(cycles: number): void {
    this.leave();
    this.skip(cycles);
    this.stepless[0] += cycles;
    this.counters[0] -= BigInt(cycles);
  }

  /** To be called by the instruction being executed if it is a test-and-set of what was set already. */
  refuse(): void {
    if (this.words[FUEL] <= REFUSED_CYCLES) return this.stall(REFUSED_CYCLES);
    // There is fuel enough, so nothing need be looked at in between.
    this.words[FUEL] -= REFUSED_CYCLES;
    this.stepless[0] += REFUSED_CYCLES;
    this.counters[0] -= BigInt(REFUSED_CYCLES);
  }

  /** Lets time pass without executing anything. */
  idleUntil(cycle: number): void {
    const idle = cycle - this.cycles;
    if (idle > 0) this.stall(idle);
  }

  /** Writes time and place in their one canonical form, so that equal states are equal bytes. */
  protected settle(): void {
    this.cyclesAtEmpty[0] = this.cycles;
    this.words[FUEL] = 0;
    this.words[CALLED] = 0;
    this.words[NEXT] = this.words[PC];
    this.words[NEXT + 1] = this.words[PC + 1];
  }

  // ---- counters -----------------------------------------------------------------------------------------

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

  // ---- timers -------------------------------------------------------------------------------------------

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
    const enabled = this.words[ENABLED];
    const now = this.cycles;
    let next = Infinity;
    if (enabled & (1 << Interrupt.MachineTimer) && this.machineTimer > now) next = this.machineTimer;
    if (enabled & (1 << Interrupt.SupervisorTimer) && this.supervisorTimer > now) {
      next = Math.min(next, this.supervisorTimer);
    }
    return next;
  }
}
