/** The kernel's page table, as a list of what it maps, and the table that kvmmake builds of it. */
import { PAGE_BYTES, PTE_R, PTE_W, PTE_X } from '../../sv39/pte.js';
import type { FrameSource, PageTables } from './page-table.js';

export interface KernelRegion {
  readonly name: string;
  /** Page-aligned virtual addresses, half-open. */
  readonly start: number;
  readonly end: number;
  readonly physical: number;
  readonly permissions: bigint;
}

/** Addresses of the kernel's parts, from its symbols and the board. */
export interface KernelParts {
  readonly textStart: number;
  /** End of what no one may write. */
  readonly textEnd: number;
  readonly memoryEnd: number;
  /** The page with the code that enters and leaves the kernel. */
  readonly trampoline: number;
}

/** One past the highest address in use: half of Sv39's space, so that no address has its sign extended. */
export const MAXIMUM_ADDRESS = 2 ** 38;
export const TRAMPOLINE = MAXIMUM_ADDRESS - PAGE_BYTES;
export const TRAPFRAME = TRAMPOLINE - PAGE_BYTES;

/** Where xv6 has the stack of process slot `slot`: one page, above one that is never mapped. */
export const kernelStack = (slot: number): number => TRAMPOLINE - (slot + 1) * 2 * PAGE_BYTES;

const inPlace = (name: string, start: number, end: number, permissions: bigint): KernelRegion => ({
  name,
  start,
  end,
  physical: start,
  permissions,
});

/** What every kernel of this family maps, whatever devices it has. */
export const memoryRegions = (parts: KernelParts): KernelRegion[] => [
  inPlace('text', parts.textStart, parts.textEnd, PTE_R | PTE_X),
  inPlace('data', parts.textEnd, parts.memoryEnd, PTE_R | PTE_W),
  {
    name: 'trampoline',
    start: TRAMPOLINE,
    end: MAXIMUM_ADDRESS,
    physical: parts.trampoline,
    permissions: PTE_R | PTE_X,
  },
];

export const deviceRegion = (name: string, start: number, bytes: number): KernelRegion =>
  inPlace(name, start, start + bytes, PTE_R | PTE_W);

/** kvmmake: the regions, and a stack from a fresh frame at each of these addresses. 0 when memory is out, with all given back. */
export function makeKernelTable(
  tables: PageTables,
  frames: FrameSource,
  regions: readonly KernelRegion[],
  stacks: readonly number[],
): number {
  const root = tables.create();
  if (root === 0) return 0;
  const undo: (() => void)[] = [() => tables.free(root)];
  const map = (address: number, size: number, physical: number, permissions: bigint): boolean => {
    if (!tables.map(root, address, size, physical, permissions)) return false;
    undo.push(() => tables.unmap(root, address, size, false));
    return true;
  };
  const mapStack = (address: number): boolean => {
    const frame = frames.allocate();
    if (frame === 0) return false;
    undo.push(() => frames.free(frame));
    return map(address, PAGE_BYTES, frame, PTE_R | PTE_W);
  };
  const complete =
    regions.every((region) =>
      map(region.start, region.end - region.start, region.physical, region.permissions),
    ) && stacks.every(mapStack);
  if (complete) return root;
  undo.reverse().forEach((step) => step());
  return 0;
}

/** The region that an address lies in. */
export const regionAt = (regions: readonly KernelRegion[], address: number): KernelRegion | undefined =>
  regions.find((region) => address >= region.start && address < region.end);
