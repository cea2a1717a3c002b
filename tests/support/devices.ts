/** What the device tests share: lines and clocks that remember, and storms of random accesses. */

import fc from 'fast-check';
import type { Clock, Device, InterruptLine, Width } from '../../src/devices/device.js';

/** A line that remembers its level and every call that set it. */
export class RecordingLine implements InterruptLine {
  level = false;
  calls: boolean[] = [];

  set(level: boolean): void {
    this.level = level;
    this.calls.push(level);
  }
}

/** A clock that stands still until it is set. */
export class StoppedClock implements Clock {
  constructor(private now = 0n) {}

  ticks(): bigint {
    return this.now;
  }

  setTicks(ticks: bigint): void {
    this.now = ticks;
  }
}

export type Access =
  | { kind: 'load'; offset: number; width: Width }
  | { kind: 'store'; offset: number; width: Width; value: number };

export const WIDTHS: Width[] = [1, 2, 4];

/** Random aligned accesses, drawn mostly to `interesting` offsets and now and then to any below `size`. */
export function accesses(size: number, interesting: number[]): fc.Arbitrary<Access[]> {
  const offset = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...interesting) },
    { weight: 2, arbitrary: fc.nat(size - 1) },
  );
  const width = fc.constantFrom(...WIDTHS);
  const value = fc.oneof(fc.nat(0xff), fc.integer({ min: 0, max: 0xffff_ffff }));
  return fc.array(
    fc
      .record({ kind: fc.constantFrom('load', 'store'), offset, width, value })
      .map(({ kind, offset, width, value }): Access => {
        const aligned = offset - (offset % width);
        return kind === 'load'
          ? { kind, offset: aligned, width }
          : { kind: 'store', offset: aligned, width, value: value % 2 ** (8 * width) };
      }),
    { maxLength: 60 },
  );
}

/** Makes the accesses and returns what the loads read, which must be unsigned numbers of their width. */
export function perform(device: Device, storm: Access[]): number[] {
  const loaded: number[] = [];
  for (const access of storm) {
    if (access.kind === 'store') {
      device.store(access.offset, access.width, access.value);
      continue;
    }
    const value = device.load(access.offset, access.width);
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * access.width)) {
      throw new Error(`a load of ${access.width} bytes at offset ${access.offset} returned ${value}`);
    }
    loaded.push(value);
  }
  return loaded;
}

/** Loads and stores every width at every aligned offset. */
export function touchEverything(device: Device, offsets: Iterable<number>): void {
  for (const offset of offsets) {
    for (const width of WIDTHS) {
      if (offset % width !== 0) continue;
      perform(device, [
        { kind: 'load', offset, width },
        { kind: 'store', offset, width, value: 2 ** (8 * width) - 1 },
        { kind: 'load', offset, width },
        { kind: 'store', offset, width, value: 0 },
      ]);
    }
  }
}

export function range(end: number): number[] {
  return Array.from({ length: end }, (_, index) => index);
}
