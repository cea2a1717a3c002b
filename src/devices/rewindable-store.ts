/**
 * A disk that can go back to what it was: another disk, and of each sector written to what was in it before and what is
 * in it now. Its state is what differs from the beginning, and restoring a state writes the other disk's sectors back.
 */
import { type BlockStore, SECTOR_BYTES } from './device.js';

/** Sectors that were written to, with their contents of 512 bytes, which nobody changes. */
type RewindableState = readonly (readonly [sector: number, bytes: Uint8Array])[];

export class RewindableStore implements BlockStore {
  private readonly original = new Map<number, Uint8Array>();
  private current = new Map<number, Uint8Array>();

  constructor(private readonly disk: BlockStore) {}

  get sectors(): number {
    return this.disk.sectors;
  }

  get readOnly(): boolean {
    return this.disk.readOnly;
  }

  read(sector: number, into: Uint8Array): void {
    this.disk.read(sector, into);
  }

  write(first: number, from: Uint8Array): void {
    const count = from.length / SECTOR_BYTES;
    for (let sector = first; sector < first + count; sector++) this.keepOriginal(sector);
    this.disk.write(first, from);
    for (let index = 0; index < count; index++) {
      this.current.set(first + index, from.slice(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES));
    }
  }

  flush(): void {
    this.disk.flush();
  }

  state(): RewindableState {
    return [...this.current];
  }

  restore(state: unknown): void {
    const wanted = new Map(state as RewindableState);
    for (const [sector, original] of this.original) {
      const bytes = wanted.get(sector) ?? original;
      if (bytes !== (this.current.get(sector) ?? original)) this.disk.write(sector, bytes);
    }
    this.current = wanted;
  }

  private keepOriginal(sector: number): void {
    if (this.original.has(sector)) return;
    const bytes = new Uint8Array(SECTOR_BYTES);
    this.disk.read(sector, bytes);
    this.original.set(sector, bytes);
  }
}
