import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../src/devices/block-store.js';

const SECTORS = 4;

const image = () => Uint8Array.from({ length: SECTORS * 512 }, (_, index) => index >> 9);
const filled = (byte: number, sectors = 1) => new Uint8Array(512 * sectors).fill(byte);

function readBack(store: MemoryStore): number[] {
  const bytes = new Uint8Array(512 * SECTORS);
  store.read(0, bytes);
  return Array.from({ length: SECTORS }, (_, sector) => bytes[512 * sector + 511]);
}

describe('a disk in memory', () => {
  test('reads the image, and what was written over it', () => {
    const store = new MemoryStore(image());
    expect(store).toMatchObject({ sectors: SECTORS, readOnly: false });
    store.write(1, filled(9, 2));
    expect(readBack(store)).toEqual([0, 9, 9, 3]);
  });

  test('never changes the image, and keeps no hold of what it was given', () => {
    const original = image();
    const store = new MemoryStore(original);
    const bytes = filled(9);
    store.write(0, bytes);
    bytes.fill(7);
    expect(original).toEqual(image());
    expect(readBack(store)).toEqual([9, 1, 2, 3]);
  });

  test('an image that ends within a sector is refused', () => {
    expect(() => new MemoryStore(new Uint8Array(513))).toThrow(
      'a disk image of 513 bytes ends within a sector',
    );
  });

  test('its state is the changed sectors, in order, and neither changes the other', () => {
    const store = new MemoryStore(image());
    store.write(2, filled(8));
    store.write(0, filled(9));
    const saved = store.state();
    store.write(0, filled(1));
    expect(saved).toEqual({
      changedSectors: [
        { sector: 0, bytes: filled(9) },
        { sector: 2, bytes: filled(8) },
      ],
    });
    saved.changedSectors[1].bytes.fill(0);
    expect(readBack(store)).toEqual([1, 1, 8, 3]);
  });

  test('restoring takes back every write since, and shares nothing with the state', () => {
    const store = new MemoryStore(image());
    store.write(2, filled(8));
    const saved = store.state();
    store.write(2, filled(1));
    store.write(3, filled(1));
    store.restore(saved);
    saved.changedSectors[0].bytes.fill(0);
    expect(readBack(store)).toEqual([0, 1, 8, 3]);
  });
});
