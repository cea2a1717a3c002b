/** mmap: the regions of one address space. They never overlap; unmapping cuts them. */
import { PTE_R, PTE_U, PTE_W, PTE_X } from '../../sv39/pte.js';
import { hex, ModelError } from './errors.js';

/** Bits of mmap's `prot` and `flags`, as Unix has them. */
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const MAP_SHARED = 1;
/** Kernels differ: Unix has 0x20, and small ones use the first free bit. */
export const MAP_ANONYMOUS = 0x20 | 4;

export interface Region {
  /** Page-aligned virtual addresses, half-open. */
  readonly start: number;
  readonly end: number;
  readonly protection: number;
  readonly flags: number;
}

/** The most that the pages of a region may allow. Whoever may write may read: the hardware has no other way. */
export function permissionsOf(region: Region): bigint {
  let permissions = PTE_U;
  if (region.protection & (PROT_READ | PROT_WRITE)) permissions |= PTE_R;
  if (region.protection & PROT_WRITE) permissions |= PTE_W;
  if (region.protection & PROT_EXEC) permissions |= PTE_X;
  return permissions;
}

export const isSharedFile = (region: Region): boolean =>
  (region.flags & MAP_SHARED) !== 0 && (region.flags & MAP_ANONYMOUS) === 0;

export class Regions {
  private list: readonly Region[] = [];

  all(): readonly Region[] {
    return this.list;
  }

  at(address: number): Region | undefined {
    return this.list.find((region) => address >= region.start && address < region.end);
  }

  overlapping(start: number, end: number): Region | undefined {
    return this.list.find((region) => region.start < end && start < region.end);
  }

  /** Throws ModelError for one that overlaps another, or is empty. */
  add(region: Region): void {
    if (region.end <= region.start) throw new ModelError('a region has at least a page');
    const other = this.overlapping(region.start, region.end);
    if (other) throw new ModelError(`region ${hex(region.start)} overlaps ${hex(other.start)}`);
    this.list = [...this.list, region].sort((a, b) => a.start - b.start);
  }

  /** Cuts [start, end) out of the regions: at an end of one, from its middle, or across several. */
  remove(start: number, end: number): void {
    this.list = this.list.flatMap((region) => {
      if (region.end <= start || region.start >= end) return [region];
      const before = { ...region, end: Math.min(region.end, start) };
      const after = { ...region, start: Math.max(region.start, end) };
      return [before, after].filter((rest) => rest.start < rest.end);
    });
  }

  /** What fork gives a child. */
  copy(): Regions {
    const copy = new Regions();
    copy.list = this.list;
    return copy;
  }
}
