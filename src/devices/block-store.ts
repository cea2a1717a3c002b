/** A disk in memory: an image that is never written to, and the sectors that differ from it. */

import { type BlockStore, SECTOR_BYTES } from './device.js';

interface MemoryStoreState {
  /** In ascending order, each of 512 bytes. */
  changedSectors: { sector: number; bytes: Uint8Array }[];
}

export class MemoryStore implements BlockStore {
  readonly sectors: number;
  readonly readOnly: boolean;
  private changed = new Map<number, Uint8Array>();

  /** `image` is 512·n bytes, else a RangeError is thrown; it is used in place, so that machines may share it. */
  constructor(
    private readonly image: Uint8Array,
    { readOnly = false } = {},
  ) {
    if (image.length % SECTOR_BYTES !== 0) {
      throw new RangeError(`a disk image of ${image.length} bytes ends within a sector`);
    }
    this.sectors = image.length / SECTOR_BYTES;
    this.readOnly = readOnly;
  }

  read(sector: number, into: Uint8Array): void {
    for (let offset = 0; offset < into.length; offset += SECTOR_BYTES, sector++) {
      const start = sector * SECTOR_BYTES;
      into.set(this.changed.get(sector) ?? this.image.subarray(start, start + SECTOR_BYTES), offset);
    }
  }

  write(sector: number, from: Uint8Array): void {
    for (let offset = 0; offset < from.length; offset += SECTOR_BYTES, sector++) {
      this.changed.set(sector, from.slice(offset, offset + SECTOR_BYTES));
    }
  }

  flush(): void {}

  state(): MemoryStoreState {
    const changedSectors = [...this.changed]
      .sort(([a], [b]) => a - b)
      .map(([sector, bytes]) => ({ sector, bytes: bytes.slice() }));
    return { changedSectors };
  }

  restore(state: unknown): void {
    const { changedSectors } = state as MemoryStoreState;
    this.changed = new Map(changedSectors.map(({ sector, bytes }) => [sector, bytes.slice()]));
  }
}
