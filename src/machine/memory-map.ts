/**
 * The board's address space as one table. Addresses, sizes and interrupt numbers are those of the `virt` board
 * that xv6-riscv and Linux know, so their kernels run unchanged. Physical addresses are plain numbers: all of
 * them lie far below 2^53.
 */
import { BadInputError } from './errors.js';
import { hex } from './hex.js';

/** Ticks of `mtime` in a second. */
export const TIMEBASE_HZ = 10_000_000;

export const MAX_HARTS = 8;

const MEBIBYTE = 1024 * 1024;
export const DEFAULT_RAM_BYTES = 128 * MEBIBYTE;
export const MIN_RAM_BYTES = 2 * MEBIBYTE;
/** RAM and the rest of the machine's state share one WebAssembly memory, which ends at 4 GiB. */
export const MAX_RAM_BYTES = 3072 * MEBIBYTE;
const PAGE_BYTES = 4096;

export const FINISHER_BASE = 0x0010_0000;
export const CLINT_BASE = 0x0200_0000;
export const PLIC_BASE = 0x0c00_0000;
export const UART_BASE = 0x1000_0000;
export const UART_IRQ = 10;
export const VIRTIO_BASE = 0x1000_1000;
export const VIRTIO_STRIDE = 0x1000;
export const VIRTIO_SLOTS = 8;
/** Slot n interrupts on line VIRTIO_FIRST_IRQ + n. */
export const VIRTIO_FIRST_IRQ = 1;
export const RAM_BASE = 0x8000_0000;

/** The addresses `base` to `base + size - 1`. */
export interface MemoryRange {
  /** What answers there, such as `uart`; unique in its map. */
  readonly name: string;
  /** Physical address of the first byte. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** The line of the interrupt controller that it drives, if any. */
  readonly irq?: number;
}

/** Ranges that do not overlap, in order of address. */
export interface MemoryMap {
  readonly ranges: readonly MemoryRange[];
  /** The range that holds all of the `bytes` bytes (default 1) at a physical address, or undefined. */
  find(address: number, bytes?: number): MemoryRange | undefined;
  /** The range of that name. Throws RangeError where there is none. */
  named(name: string): MemoryRange;
}

/** Makes a map of ranges given in any order. Throws RangeError for an empty range, an overlap, or a name used twice. */
export function buildMemoryMap(entries: readonly MemoryRange[]): MemoryMap {
  const ranges = [...entries].sort((a, b) => a.base - b.base);
  const byName = new Map(ranges.map((range) => [range.name, range]));
  if (byName.size !== ranges.length) throw new RangeError('two ranges of the memory map have the same name');
  ranges.forEach((range, index) => {
    if (range.size <= 0) throw new RangeError(`${describe(range)} of the memory map is empty`);
    const previous = ranges[index - 1];
    if (index > 0 && previous.base + previous.size > range.base) {
      throw new RangeError(`${describe(previous)} and ${describe(range)} overlap in the memory map`);
    }
  });
  return {
    ranges,
    find(address, bytes = 1) {
      let low = 0;
      let high = ranges.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (ranges[middle].base <= address) low = middle + 1;
        else high = middle;
      }
      const range = ranges[low - 1];
      return low > 0 && address + bytes <= range.base + range.size ? range : undefined;
    },
    named(name) {
      const range = byName.get(name);
      if (range === undefined) throw new RangeError(`the memory map has no ${name}`);
      return range;
    },
  };
}

/** `uart (0x10000000 to 0x10000100)`; the second address is the first one past the range. */
const describe = ({ name, base, size }: MemoryRange): string =>
  `${name} (${hex(base)} to ${hex(base + size)})`;

/** A board of one size: what there is besides the contents. */
export interface Board {
  /** 1 to 8. */
  readonly harts: number;
  /** Bytes of RAM. */
  readonly memoryBytes: number;
  readonly map: MemoryMap;
}

/** The board with so many harts and so many bytes of RAM. Throws BadInputError for a size it cannot have. */
export function buildBoard(harts: number, memoryBytes: number): Board {
  if (!Number.isInteger(harts) || harts < 1 || harts > MAX_HARTS) {
    throw new BadInputError(`the number of harts is ${harts}; it must be 1 to ${MAX_HARTS}`);
  }
  const inRange = memoryBytes >= MIN_RAM_BYTES && memoryBytes <= MAX_RAM_BYTES;
  if (!inRange || memoryBytes % PAGE_BYTES !== 0) {
    const limits = `${MIN_RAM_BYTES / MEBIBYTE}M to ${MAX_RAM_BYTES / MEBIBYTE}M`;
    throw new BadInputError(
      `the memory size is ${memoryBytes} bytes; it must be ${limits}, in whole 4 KiB pages`,
    );
  }
  return { harts, memoryBytes, map: buildMemoryMap(boardRanges(memoryBytes)) };
}

const boardRanges = (memoryBytes: number): MemoryRange[] => [
  { name: 'finisher', base: FINISHER_BASE, size: 0x1000 },
  { name: 'clint', base: CLINT_BASE, size: 0x1_0000 },
  { name: 'plic', base: PLIC_BASE, size: 0x60_0000 },
  { name: 'uart', base: UART_BASE, size: 0x100, irq: UART_IRQ },
  ...Array.from({ length: VIRTIO_SLOTS }, (_, slot) => ({
    name: `virtio${slot}`,
    base: VIRTIO_BASE + slot * VIRTIO_STRIDE,
    size: VIRTIO_STRIDE,
    irq: VIRTIO_FIRST_IRQ + slot,
  })),
  { name: 'ram', base: RAM_BASE, size: memoryBytes },
];
