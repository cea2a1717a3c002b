/** Texts about harts, page tables, memory and devices, for `monitor` commands. */
import type { Machine } from '../../machine/machine.js';
import { RAM_BASE } from '../../machine/memory-map.js';
import type { Hart } from '../../rv64/hart.js';
import {
  ENTRIES_PER_TABLE,
  isLeaf,
  LEVELS,
  PAGE_BYTES,
  PAGE_SHIFT,
  PTE_BYTES,
  PTE_V,
  ppnOf,
} from '../../sv39/pte.js';
import { isCanonical } from '../../sv39/walk.js';
import { entriesFor, isTranslated, physicalAddress, rootOf } from '../address-space.js';
import { hexOfBytes } from './hex.js';

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** The bits of an entry from G down to V as letters, and dots for those that are not set; A and D come first. */
const flagsOf = (entry: bigint): string =>
  [...'DAGUXWRV'].map((letter, i) => ((entry >> BigInt(7 - i)) & 1n ? letter : '.')).join('');

export function infoHarts(machine: Machine): string {
  return machine.harts.map((hart) => `${machine.describeHart(hart.index)}\n  ${hart.steps} steps`).join('\n');
}

export function devices(machine: Machine): string {
  const lines = machine.board.map.ranges.map(({ name, base, size, irq }) => {
    const interrupt = irq === undefined ? '' : `, interrupt ${irq}`;
    return `${hex(base)} to ${hex(base + size - 1)}: ${name}${interrupt}`;
  });
  return lines.join('\n');
}

export function walkText(machine: Machine, hart: Hart, virtual: bigint): string {
  if (!isTranslated(hart)) return `${hex(virtual)} is physical: hart ${hart.index} uses no page table now`;
  if (!isCanonical(virtual)) return `${hex(virtual)} is not canonical: bits 63 to 39 differ from bit 38`;
  const entries = entriesFor(machine, rootOf(hart), virtual);
  const lines = entries.map(({ level, index, at, entry }) => {
    const place = `level ${level}, index ${index}, at ${hex(at)}: `;
    if (entry === undefined) return `${place}there is no RAM`;
    if ((entry & PTE_V) === 0n) return `${place}${hex(entry)}, not valid (V=0)`;
    const frame = hex(ppnOf(entry) << BigInt(PAGE_SHIFT));
    if (isLeaf(entry)) return `${place}${hex(entry)}, ${flagsOf(entry)}, page at ${frame}`;
    return `${place}${hex(entry)}, ${level === 0 ? 'a pointer where only a leaf can be' : `table at ${frame}`}`;
  });
  const physical = physicalAddress(machine, hart, virtual);
  const result = physical === undefined ? 'not mapped' : `physical address ${hex(physical)}`;
  return [`satp names the table at ${hex(rootOf(hart))}`, ...lines, `${hex(virtual)}: ${result}`].join('\n');
}

interface Mapping {
  virtual: bigint;
  physical: bigint;
  bytes: bigint;
  flags: string;
}

/** Mappings that go on where the one before ends are one line. */
export function pageTable(machine: Machine, hart: Hart): string {
  if (!isTranslated(hart)) return `hart ${hart.index} uses no page table now`;
  const ranges: Mapping[] = [];
  for (const mapping of mappingsOf(machine, rootOf(hart), LEVELS - 1, 0n)) {
    const last = ranges.at(-1);
    const goesOn =
      last?.flags === mapping.flags &&
      last.virtual + last.bytes === mapping.virtual &&
      last.physical + last.bytes === mapping.physical;
    if (goesOn) last.bytes += mapping.bytes;
    else ranges.push(mapping);
  }
  const lines = ranges.map(
    ({ virtual, physical, bytes, flags }) =>
      `${hex(BigInt.asUintN(64, virtual))} to ${hex(physical)}, ${hex(bytes)} bytes, ${flags}`,
  );
  return [`table at ${hex(rootOf(hart))}`, ...lines].join('\n');
}

function* mappingsOf(machine: Machine, table: bigint, level: number, base: bigint): Generator<Mapping> {
  const bytes = machine.readMemory(table, PAGE_BYTES);
  if (bytes === undefined) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const span = 1n << BigInt(PAGE_SHIFT + 9 * level);
  for (let index = 0; index < ENTRIES_PER_TABLE; index++) {
    const entry = view.getBigUint64(index * PTE_BYTES, true);
    if ((entry & PTE_V) === 0n) continue;
    const virtual = BigInt.asIntN(39, base + BigInt(index) * span);
    const physical = ppnOf(entry) << BigInt(PAGE_SHIFT);
    if (isLeaf(entry)) yield { virtual, physical, bytes: span, flags: flagsOf(entry) };
    else if (level > 0) yield* mappingsOf(machine, physical, level - 1, virtual);
  }
}

/** Most bytes that `physical` shows. */
const MOST_SHOWN = 4096;

export function physicalMemory(machine: Machine, address: bigint, length: number): string {
  const bytes = machine.readMemory(address, Math.min(length, MOST_SHOWN));
  if (bytes === undefined) return `there is no RAM at ${hex(address)}`;
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const digits = hexOfBytes(bytes.subarray(at, at + 16)).replace(/.{8}(?=.)/g, '$& ');
    lines.push(`${hex(address + BigInt(at))}: ${digits}`);
  }
  return lines.join('\n');
}

/** Frames that hold one byte over and over, from the ninth on: free lists have a link in the first eight. */
export function frames(machine: Machine): string {
  const { memoryBytes } = machine.board;
  const ram = machine.readMemory(BigInt(RAM_BASE), memoryBytes)!;
  const words = new Int32Array(ram.buffer, ram.byteOffset, memoryBytes / 4);
  const counts = new Map<number, number>();
  for (let start = 0; start < words.length; start += PAGE_BYTES / 4) {
    const filler = words[start + 2];
    let end = start + 3;
    while (end < start + PAGE_BYTES / 4 && words[end] === filler) end++;
    const isFilled = end === start + PAGE_BYTES / 4 && Math.imul(filler & 0xff, 0x0101_0101) === filler;
    const key = isFilled ? filler & 0xff : -1;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const lines = [...counts]
    .sort(([a], [b]) => a - b)
    .map(([byte, count]) => {
      return `${String(count).padStart(8)} ${byte < 0 ? 'with contents' : `filled with ${hex(byte)}${MEANING.get(byte) ?? ''}`}`;
    });
  return [`${memoryBytes / PAGE_BYTES} frames of ${PAGE_BYTES} bytes`, ...lines].join('\n');
}

/** What kernels of this family fill frames with. */
const MEANING: ReadonlyMap<number, string> = new Map([
  [0, ''],
  [1, ', as kfree leaves them'],
  [5, ', as kalloc gives them out'],
]);
