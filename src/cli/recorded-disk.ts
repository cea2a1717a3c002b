import type { BlockStore } from '../devices/device.js';
import { SECTOR_BYTES } from '../devices/device.js';

/** A disk that remembers what each sector held before it was first written. Its contents are no part of a machine's state. */
export class RecordedDisk implements BlockStore {
  readonly sectors: number;
  readonly readOnly: boolean;
  /** By sector, 512 bytes each. */
  readonly overwritten = new Map<number, Uint8Array>();

  constructor(private readonly store: BlockStore) {
    this.sectors = store.sectors;
    this.readOnly = store.readOnly;
  }

  read(sector: number, into: Uint8Array): void {
    this.store.read(sector, into);
  }

  write(sector: number, from: Uint8Array): void {
    for (let at = sector; at < sector + from.length / SECTOR_BYTES; at++) {
      if (!this.overwritten.has(at)) this.overwritten.set(at, this.sector(at));
    }
    this.store.write(sector, from);
  }

  flush(): void {
    this.store.flush();
  }

  state(): undefined {
    return undefined;
  }

  restore(): void {}

  /** All of it, 512 bytes for each sector. */
  contents(): Uint8Array {
    const bytes = new Uint8Array(this.sectors * SECTOR_BYTES);
    this.store.read(0, bytes);
    return bytes;
  }

  private sector(at: number): Uint8Array {
    const bytes = new Uint8Array(SECTOR_BYTES);
    this.store.read(at, bytes);
    return bytes;
  }
}
