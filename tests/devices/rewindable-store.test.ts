import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../src/devices/block-store.js';
import { BlockStoreError } from '../../src/devices/device.js';
import { RewindableStore } from '../../src/devices/rewindable-store.js';

const filled = (byte: number, sectors = 1) => new Uint8Array(512 * sectors).fill(byte);

/** A disk of four sectors of zeros, and one that goes back in it. */
function disks() {
  const inner = new MemoryStore(filled(0, 4));
  const contents = (): number[] => {
    const bytes = new Uint8Array(4 * 512);
    inner.read(0, bytes);
    return [0, 1, 2, 3].map((sector) => bytes[512 * sector + 511]);
  };
  return { inner, disk: new RewindableStore(inner), contents };
}

describe('a disk that can go back', () => {
  it('writes through, and takes back what was written since a state', () => {
    const { disk, contents } = disks();
    disk.write(1, filled(1, 2));
    const state = disk.state();
    disk.write(2, filled(2, 2));
    expect(contents()).toEqual([0, 1, 2, 2]);
    disk.restore(state);
    expect(contents()).toEqual([0, 1, 1, 0]);
  });

  it('goes forwards again', () => {
    const { disk, contents } = disks();
    const early = disk.state();
    disk.write(0, filled(7));
    const late = disk.state();
    disk.restore(early);
    expect(contents()).toEqual([0, 0, 0, 0]);
    disk.restore(late);
    expect(contents()).toEqual([7, 0, 0, 0]);
  });

  it('is as the other disk is when that fails', () => {
    const { inner, disk, contents } = disks();
    const state = disk.state();
    const { write } = inner;
    inner.write = () => {
      throw new BlockStoreError('full');
    };
    expect(() => disk.write(0, filled(1))).toThrow('full');
    inner.write = write;
    disk.write(1, filled(1));
    disk.restore(state);
    expect(contents()).toEqual([0, 0, 0, 0]);
  });
});
