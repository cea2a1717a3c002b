/** Virtual time: it advances with the harts' cycles, never with the host's clock. */
import type { Clock } from '../devices/device.js';
import type { Timebase } from '../rv64/bus.js';
import { TIMEBASE_HZ } from './memory-map.js';

/**
 * Cycles in a tick of the 10 MHz timebase: the machine runs at 100 million instructions a second of its own time.
 * A kernel that asks for a timer interrupt every 100 ms so gets one every ten million instructions.
 */
export const CYCLES_PER_TICK = 10;

export const CYCLES_PER_SECOND = TIMEBASE_HZ * CYCLES_PER_TICK;

export class VirtualClock implements Clock, Timebase {
  /** mtime at cycle 0. */
  private offset = 0n;

  /**
   * @param now the cycle count of whoever reads or sets the clock
   * @param onSet called after the clock was set, when timers must be looked at anew
   */
  constructor(
    private readonly now: () => number,
    private readonly onSet: () => void,
  ) {}

  ticks(): bigint {
    return this.ticksAt(this.now());
  }

  setTicks(ticks: bigint): void {
    this.offset = BigInt.asUintN(64, ticks - BigInt(Math.floor(this.now() / CYCLES_PER_TICK)));
    this.onSet();
  }

  ticksAt(cycles: number): bigint {
    return BigInt.asUintN(64, BigInt(Math.floor(cycles / CYCLES_PER_TICK)) + this.offset);
  }

  cycleAt(ticks: bigint): number {
    const now = this.now();
    const current = this.ticksAt(now);
    if (ticks <= current) return 0;
    const cycle = (Math.floor(now / CYCLES_PER_TICK) + Number(ticks - current)) * CYCLES_PER_TICK;
    return Number.isSafeInteger(cycle) ? cycle : Infinity;
  }

  state(): unknown {
    return { offset: this.offset };
  }

  restore(state: unknown): void {
    this.offset = (state as { offset: bigint }).offset;
  }
}
