/**
 * A page table in canonical form: what it maps, apart from where the allocator happened to take frames from. Runs of
 * like pages are one row, physical memory goes by names, and frames are numbered in the order in which the table uses
 * them. So two kernels that map the same have the same dump.
 */
import { LEVELS, PTE_G, PTE_R, PTE_U, PTE_W, PTE_X } from '../../sv39/pte.js';
import { TRAMPOLINE, TRAPFRAME } from '../model/kernel-layout.js';
import type { ReadableMemory } from '../model/memory.js';
import { frameOf, leavesOf, SV39 } from '../model/page-table.js';

/** What a row's first page is mapped to; its other pages to what follows. */
export type Target =
  /** Memory or a device at its own address. */
  | { readonly kind: 'in-place'; readonly name: string }
  /** A named place, `offset` bytes into it. */
  | { readonly kind: 'elsewhere'; readonly name: string; readonly offset: number }
  /** Frames that have no name, numbered in the order of first use; `again` when the table maps them elsewhere too. */
  | { readonly kind: 'frames'; readonly first: number; readonly again: boolean };

/** Whether it is frames that the table has mapped nowhere else so far. */
export const isOwn = (target: Target): boolean => target.kind === 'frames' && !target.again;

/** Pages that are mapped alike. Addresses are virtual, below 2^39. */
export interface Row {
  readonly start: number;
  /** One past the last byte; of the first run of pages, where there are many. */
  readonly end: number;
  /** How many runs of pages there are, at equal distances of `stride` bytes; 1 and 0 for one. */
  readonly count: number;
  readonly stride: number;
  /** The level of the leaves: 0 for pages of 4096 bytes, 1 for superpages of 2 MiB. */
  readonly level: number;
  /** `rwxu`, with `-` for what is not allowed; then `g` for global, and the bits that software uses. */
  readonly access: string;
  /** What it is for. */
  readonly name: string;
  readonly target: Target;
}

/** What the kernel's table is called. */
export const KERNEL = 'kernel';

export interface Dump {
  /** Whose table it is: `KERNEL`, or `process sh`. */
  readonly table: string;
  /** How many tables there are of each level, the root's first. Not compared: the rows decide it. */
  readonly tables: readonly number[];
  readonly rows: readonly Row[];
}

/** Physical memory by name. */
export interface PhysicalNames {
  /** The device or the part of the kernel at an address, and how far into it that is; undefined for a frame. */
  placeOf(physical: number, inPlace: boolean): { readonly name: string; readonly offset: number } | undefined;
}

/** So many like runs at equal distances become one row. */
const WORTH_FOLDING = 3;

const RSW_SHIFT = 8n;
const RSW_MASK = 3n;

/** Reads the table with this root. Upper halves of the address space are not used by kernels of this family. */
export function dumpTable(memory: ReadableMemory, root: number, table: string, names: PhysicalNames): Dump {
  const tables = Array.from({ length: LEVELS }, () => 0);
  const frames = new Map<number, number>();
  const rows: Row[] = [];
  for (const { entry, address, level } of leavesOf(SV39, memory, root, (_, at) => tables[at]++)) {
    const target = targetOf(entry, address, names, frames);
    const end = address + SV39.spans[level];
    const name = nameOf(entry, address, target, table === KERNEL);
    const row = { start: address, end, count: 1, stride: 0, level, access: accessOf(entry), name, target };
    const last = rows.at(-1);
    if (last && continues(last, row)) rows[rows.length - 1] = { ...last, end };
    else rows.push(row);
  }
  return { table, tables: tables.reverse(), rows: foldRuns(rows) };
}

function targetOf(entry: bigint, address: number, names: PhysicalNames, frames: Map<number, number>): Target {
  const physical = frameOf(entry);
  const place = names.placeOf(physical, physical === address);
  if (place && physical === address) return { kind: 'in-place', name: place.name };
  if (place) return { kind: 'elsewhere', ...place };
  const known = frames.get(physical);
  if (known === undefined) frames.set(physical, frames.size);
  return { kind: 'frames', first: known ?? frames.size - 1, again: known !== undefined };
}

export function accessOf(entry: bigint): string {
  const bits: [bigint, string][] = [
    [PTE_R, 'r'],
    [PTE_W, 'w'],
    [PTE_X, 'x'],
    [PTE_U, 'u'],
  ];
  const software = (entry >> RSW_SHIFT) & RSW_MASK;
  const letters = bits.map(([bit, letter]) => (entry & bit ? letter : '-')).join('');
  return letters + (entry & PTE_G ? ' g' : '') + (software ? ` rsw=${software}` : '');
}

function nameOf(entry: bigint, address: number, target: Target, isKernels: boolean): string {
  if (address === TRAMPOLINE) return 'trampoline';
  if (target.kind === 'in-place') return target.name;
  const isHigh = address > TRAPFRAME / 2 && target.kind === 'frames';
  // Of the kernel's table that is a mistake.
  if (entry & PTE_U && !(isKernels && isHigh)) return 'user memory';
  // A kernel's stacks lie there too, from the page below on.
  if (address === TRAPFRAME) return 'trapframe';
  if (isHigh) return 'kernel stack';
  return entry & PTE_W && target.kind === 'frames' ? 'not for users' : 'other';
}

function continues(last: Row, next: Row): boolean {
  const isAlike = last.level === next.level && last.access === next.access && last.name === next.name;
  return isAlike && last.end === next.start && follows(next.target, last, last.end - last.start);
}

/** Whether `target` is what lies `bytes` after a row's first page. */
export function follows(target: Target, { target: first, level }: Row, bytes: number): boolean {
  if (target.kind === 'in-place') return first.kind === 'in-place' && first.name === target.name;
  if (target.kind === 'elsewhere') {
    return first.kind === 'elsewhere' && first.name === target.name && first.offset + bytes === target.offset;
  }
  const pages = bytes / SV39.spans[level];
  return first.kind === 'frames' && first.again === target.again && first.first + pages === target.first;
}

/**
 * Makes one row of runs of frames that differ in nothing but their place, such as kernel stacks, also where others take
 * turns with them. Rows, before and after, are in ascending order of where they begin.
 */
export function foldRuns(rows: readonly Row[]): Row[] {
  const folded = inGroups(rows, wayOf).flatMap((alike) => {
    const found: Row[] = [];
    for (let at = 0; at < alike.length;) {
      const count = likeRuns(alike, at);
      found.push(fold(alike, at, count));
      at += count;
    }
    return found;
  });
  return folded.sort((a, b) => a.start - b.start);
}

/** What rows have to have in common to be one. */
export const wayOf = ({ name, access, level, target }: Row): string =>
  `${name} ${access} ${level} ${isOwn(target)}`;

export function inGroups<T>(things: readonly T[], keyOf: (thing: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const thing of things) {
    const group = groups.get(keyOf(thing));
    if (group) group.push(thing);
    else groups.set(keyOf(thing), [thing]);
  }
  return [...groups.values()];
}

/**
 * How many rows from one on differ in nothing but their place, at equal distances; 1 where one row for them is not worth
 * it. `goesOn` says whether a target is what comes so many bytes after a row's.
 */
export function likeRuns(rows: readonly Row[], at: number, goesOn = follows): number {
  let count = 1;
  while (at + count < rows.length && isSameRun(rows, at, count, goesOn)) count++;
  return count < WORTH_FOLDING ? 1 : count;
}

/** So many rows from one on as one. */
export function fold(rows: readonly Row[], at: number, count: number): Row {
  return count === 1 ? rows[at] : { ...rows[at], count, stride: rows[at + 1].start - rows[at].start };
}

function isSameRun(rows: readonly Row[], first: number, index: number, goesOn: typeof follows): boolean {
  const [row, next] = [rows[first], rows[first + index]];
  const bytes = row.end - row.start;
  const stride = rows[first + 1].start - row.start;
  const isAlike = row.level === next.level && row.access === next.access && row.name === next.name;
  return (
    isAlike &&
    next.end - next.start === bytes &&
    next.start === row.start + index * stride &&
    next.target.kind === 'frames' &&
    goesOn(next.target, row, index * bytes)
  );
}

/** The runs of pages that a row stands for, one by one. */
export function runsOf(row: Row): Row[] {
  const bytes = row.end - row.start;
  const pages = bytes / SV39.spans[row.level];
  return Array.from({ length: row.count }, (_, index) => ({
    ...row,
    start: row.start + index * row.stride,
    end: row.end + index * row.stride,
    count: 1,
    stride: 0,
    target:
      row.target.kind === 'frames' ? { ...row.target, first: row.target.first + index * pages } : row.target,
  }));
}

/** The runs of pages of many rows, in order of address. */
export const allRuns = (rows: readonly Row[]): Row[] =>
  rows.flatMap(runsOf).sort((a, b) => a.start - b.start);

/** What no one but the kernel may use, by name. */
const PRIVATE = ['trampoline', 'trapframe', 'kernel stack', 'text', 'data', 'free memory'];

/** What is wrong with a row whatever kernel it is of: words, or undefined. */
export function faultOf({ access, name }: Row): string | undefined {
  const [read, write, execute, user] = [...access];
  if (write === 'w' && read === '-') return 'writable and not readable: a reserved encoding';
  if (!PRIVATE.includes(name)) return undefined;
  if (user === 'u') return 'the user may reach it';
  if (write === 'w' && name === 'text') return 'kernel text is writable';
  return write === 'w' && execute === 'x' ? 'writable and executable' : undefined;
}
