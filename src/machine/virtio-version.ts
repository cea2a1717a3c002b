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
  const trial = new Hart(SPARE_HART, hart.state, hart.frames, bus, timebase);
  trial.loadBlock(hart.saveBlock());
  try {
    hart.frames.tryOut(() => trial.run(trial.cycles + TRIAL_CYCLES));
  } catch (over) {
    if (over instanceof TrialOver) return over.goesOn;
    throw over;
  }
  return false;
}
