/** How a hart stands still: in wfi, in an idle loop without one, or in a loop that only another hart's store ends. */
import type { Bus, Timebase } from './bus.js';
import type { Frames } from './frames.js';
import { IdleLoop } from './idle-loop.js';
import type { SpinLoop } from './spin.js';
import { HART_BYTES, Offset, type State } from './state.js';
import { Traps } from './traps.js';

const WAITING = Offset.waiting >>> 2;
/** Values of `waiting`. */
const WAITS = 1;
const PARKED = 2;
const SPINS = 3;
/** It did, and now takes an interrupt. */
const INTERRUPTED = 4;
/** So many cycles after an interrupt, and again and again, such a hart is looked at. */
const LOOK_AGAIN_CYCLES = 1000;

const SP = 2;

export abstract class Waiting extends Traps {
  private readonly parkedUntil: Float64Array;
  protected readonly idleLoop: IdleLoop;
  protected abstract readonly spinLoop: SpinLoop;

  constructor(index: number, state: State, frames: Frames, bus: Bus, timebase: Timebase) {
    super(index, state, frames, bus, timebase);
    this.parkedUntil = new Float64Array(state.memory.buffer, index * HART_BYTES + Offset.parkedUntil, 1);
    this.idleLoop = new IdleLoop(this.words, state.words, () => this.plainLoad(SP, 0));
  }

  /** True while the hart waits for an interrupt, is parked or spins, and no interrupt that it has enabled is pending. */
  get isIdle(): boolean {
    const waiting = this.words[WAITING];
    if (waiting === 0 || waiting === INTERRUPTED) return false;
    // A spinning hart does not care for what it cannot take.
    if (waiting === SPINS) return this.interruptToTake() < 0;
    if (this.isCalled) return false;
    return waiting === WAITS || this.cycles < this.parkedUntil[0];
  }

  /** Finds out whether the hart only waits for another one. To be called between slices, for what others do ends it. */
  lookForSpin(): void {
    const { words } = this;
    if (words[WAITING] === WAITS || words[WAITING] === PARKED) return;
    words[WAITING] = this.spinLoop.isSpinning() ? SPINS : 0;
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
    this.lookForInterrupts();
    if (!this.idleLoop.hasComeRound()) return;
    this.words[WAITING] = PARKED;
    this.parkedUntil[0] = this.cycles + this.idleLoop.nextPark();
    this.leave();
  }

  /** Ends a wait; one for another hart's store goes on after the interrupt, for within a slice nobody else stores. */
  protected goOn(): void {
    const { words } = this;
    if (words[WAITING] !== SPINS && words[WAITING] !== INTERRUPTED) words[WAITING] = 0;
    else if (words[WAITING] === SPINS || this.cycles >= this.nextLook) {
      const isBack = words[WAITING] === INTERRUPTED && this.spinLoop.isSpinning();
      words[WAITING] = isBack ? SPINS : INTERRUPTED;
      this.parkedUntil[0] = this.cycles + LOOK_AGAIN_CYCLES;
    }
  }

  /** The cycle at which a hart that was interrupted is to be looked at. */
  protected get nextLook(): number {
    return this.words[WAITING] === INTERRUPTED ? this.parkedUntil[0] : Infinity;
  }
}
