/**
 * Finds out which version of virtio-mmio a kernel looks for. Kernels of before October 2021 want version 1
 * (legacy), later ones version 2; their drivers compare the Version register with the one they know and panic on
 * the other. So when a kernel reads that register, a spare hart tries out what it would do with each answer, on
 * memory that forgets: a driver that likes the answer goes on to the device's next register.
 */
import type { Bus, Timebase } from '../rv64/bus.js';
import { Hart } from '../rv64/hart.js';
import { SPARE_HART } from '../rv64/state.js';
import { RAM_BASE, VIRTIO_BASE, VIRTIO_SLOTS, VIRTIO_STRIDE } from './memory-map.js';

/** Instructions within which a driver that likes the answer touches the device again. */
const TRIAL_CYCLES = 2000;

/** The version that the hart, which is just reading it, goes on with; 2 where it goes on with either or neither. */
export function findVirtioVersion(hart: Hart, timebase: Timebase): 1 | 2 {
  return !goesOnWith(2, hart, timebase) && goesOnWith(1, hart, timebase) ? 1 : 2;
}

/** Thrown out of a trial when it has shown what it can. */
class TrialOver {
  constructor(readonly goesOn: boolean) {}
}

function goesOnWith(version: number, hart: Hart, timebase: Timebase): boolean {
  let answered = false;
  const isDisk = (physical: number): boolean =>
    physical >= VIRTIO_BASE && physical < VIRTIO_BASE + VIRTIO_SLOTS * VIRTIO_STRIDE;
  const bus: Bus = {
    ramBase: RAM_BASE,
    load(physical) {
      if (answered) throw new TrialOver(isDisk(physical));
      answered = true;
      return BigInt(version);
    },
    store(physical) {
      throw new TrialOver(isDisk(physical));
    },
  };
  const trial = new TrialHart(hart, bus, timebase);
  try {
    trial.run(trial.cycles + TRIAL_CYCLES);
  } catch (over) {
    if (over instanceof TrialOver) return over.goesOn;
    throw over;
  }
  return false;
}

/** A copy of a hart whose stores only it can see. */
class TrialHart extends Hart {
  private readonly stored = new Map<bigint, bigint>();

  constructor(original: Hart, bus: Bus, timebase: Timebase) {
    super(SPARE_HART, original.state, original.frames, bus, timebase);
    this.loadBlock(original.saveBlock());
  }

  override load8(base: number, offset: number): number {
    return Number(this.loadBytes(base, offset, 1, () => BigInt(super.load8(base, offset))));
  }

  override load16(base: number, offset: number): number {
    return Number(this.loadBytes(base, offset, 2, () => BigInt(super.load16(base, offset))));
  }

  override load32(base: number, offset: number): number {
    return Number(this.loadBytes(base, offset, 4, () => BigInt(super.load32(base, offset)))) | 0;
  }

  override load64(base: number, offset: number): bigint {
    return this.loadBytes(base, offset, 8, () => super.load64(base, offset));
  }

  override store8(base: number, offset: number, value: number): void {
    this.storeBytes(base, offset, 1, BigInt(value));
  }

  override store16(base: number, offset: number, value: number): void {
    this.storeBytes(base, offset, 2, BigInt(value));
  }

  override store32(base: number, offset: number, value: number): void {
    this.storeBytes(base, offset, 4, BigInt(value));
  }

  override store64(base: number, offset: number, value: bigint): void {
    this.storeBytes(base, offset, 8, value);
  }

  /** What an atomic does depends on other harts, so a trial ends there. */
  override atomicAddress(): number {
    throw new TrialOver(false);
  }

  private loadBytes(base: number, offset: number, bytes: number, load: () => bigint): bigint {
    const address = this.x[base] + BigInt(offset);
    let value = BigInt.asUintN(bytes * 8, load());
    for (let i = 0; i < bytes; i++) {
      const byte = this.stored.get(BigInt.asIntN(64, address + BigInt(i)));
      if (byte === undefined) continue;
      const shift = BigInt(8 * i);
      value = (value & ~(0xffn << shift)) | (byte << shift);
    }
    return BigInt.asIntN(64, value);
  }

  private storeBytes(base: number, offset: number, bytes: number, value: bigint): void {
    const address = this.x[base] + BigInt(offset);
    for (let i = 0; i < bytes; i++) {
      this.stored.set(BigInt.asIntN(64, address + BigInt(i)), (value >> BigInt(8 * i)) & 0xffn);
    }
  }
}
