/**
 * The core-local interruptor: software interrupts and the timer of every hart (SiFive CLINT, as in the FU540-C000
 * manual, chapter 9).
 *
 *   0x0000 + 4·hart   msip       bit 0 drives the hart's machine software interrupt; the rest reads 0
 *   0x4000 + 8·hart   mtimecmp   64 bits: the machine timer interrupt is pending while mtime >= mtimecmp
 *   0xbff8            mtime      64 bits: the board's time in ticks
 *
 * Registers are words and pairs of words, low half first; narrower accesses read 0 and are dropped, and so are
 * accesses to harts that the board does not have.
 *
 * Each hart compares mtimecmp with the time itself, because only the hart knows the instruction at which the time
 * will be reached; this device keeps the registers and tells the hart when they change.
 */

import type { Clock, Device, Width } from './device.js';
import { withWord, wordOf } from './words.js';

/** What the CLINT drives in one hart. */
export interface ClintHart {
  setSoftwareInterrupt(level: boolean): void;
  /** The machine timer interrupt is pending from the moment the clock reads `ticks` or more. */
  setTimerCompare(ticks: bigint): void;
}

const MTIMECMP = 0x4000;
const MTIME = 0xbff8;
const END = 0xc000;

/** The manual leaves mtimecmp open at reset. All ones keeps the timer silent until it is set. */
const MTIMECMP_AT_RESET = 0xffff_ffff_ffff_ffffn;

interface ClintState {
  softwareInterrupts: boolean[];
  timerCompares: bigint[];
}

export class Clint implements Device {
  readonly name = 'clint';
  readonly size = 0x1_0000;

  private softwareInterrupts: boolean[];
  private timerCompares: bigint[];

  constructor(
    private readonly harts: ClintHart[],
    private readonly clock: Clock,
  ) {
    this.softwareInterrupts = harts.map(() => false);
    this.timerCompares = harts.map(() => MTIMECMP_AT_RESET);
    this.tellHarts();
  }

  load(offset: number, width: Width): number {
    if (width !== 4 || offset >= END) return 0;
    if (offset < MTIMECMP) return this.softwareInterrupts[offset >> 2] ? 1 : 0;
    if (offset < MTIME) return wordOf(this.timerCompares[(offset - MTIMECMP) >> 3] ?? 0n, offset);
    return wordOf(this.clock.ticks(), offset);
  }

  store(offset: number, width: Width, value: number): void {
    if (width !== 4 || offset >= END) return;
    if (offset < MTIMECMP) {
      this.storeSoftwareInterrupt(offset >> 2, (value & 1) !== 0);
    } else if (offset < MTIME) {
      this.storeTimerCompare((offset - MTIMECMP) >> 3, offset, value);
    } else {
      this.clock.setTicks(withWord(this.clock.ticks(), offset, value));
    }
  }

  private storeSoftwareInterrupt(hart: number, level: boolean): void {
    if (hart >= this.harts.length) return;
    this.softwareInterrupts[hart] = level;
    this.harts[hart].setSoftwareInterrupt(level);
  }

  private storeTimerCompare(hart: number, offset: number, value: number): void {
    if (hart >= this.harts.length) return;
    this.timerCompares[hart] = withWord(this.timerCompares[hart], offset, value);
    this.harts[hart].setTimerCompare(this.timerCompares[hart]);
  }

  state(): ClintState {
    return { softwareInterrupts: [...this.softwareInterrupts], timerCompares: [...this.timerCompares] };
  }

  /** Takes back the registers and tells the harts; mtime is the clock's to restore. */
  restore(state: unknown): void {
    const { softwareInterrupts, timerCompares } = state as ClintState;
    this.softwareInterrupts = [...softwareInterrupts];
    this.timerCompares = [...timerCompares];
    this.tellHarts();
  }

  private tellHarts(): void {
    this.harts.forEach((hart, index) => {
      hart.setSoftwareInterrupt(this.softwareInterrupts[index]);
      hart.setTimerCompare(this.timerCompares[index]);
    });
  }
}
