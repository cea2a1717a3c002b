/**
 * Page tables by parameters: Sv39 (three levels of 9 bits, entries of 8 bytes) and Sv32 (two levels of 10 bits,
 * entries of 4 bytes), as the privileged specification describes them (sections "Sv32: Page-Based 32-bit Virtual-Memory
 * Systems" and "Sv39"). Written from the specification, apart from the machine's own walk: it judges that too.
 */
import { isLeaf, PAGE_BYTES, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X } from '../../sv39/pte.js';
import { hex, ModelError } from './errors.js';
import { type Memory, type ReadableMemory, roundDown, roundUp } from './memory.js';

export interface TableFormat {
  readonly name: string;
  readonly levels: number;
  readonly entryBytes: 4 | 8;
  readonly entriesPerTable: number;
  /** Bytes that one entry of each level spans: 4096 at level 0. */
  readonly spans: readonly number[];
}

const formatOf = (name: string, levels: number, indexBits: number, entryBytes: 4 | 8): TableFormat => {
  const entriesPerTable = 1 << indexBits;
  const spans = Array.from({ length: levels }, (_, level) => PAGE_BYTES * entriesPerTable ** level);
  return { name, levels, entryBytes, entriesPerTable, spans };
};

export const SV39 = formatOf('Sv39', 3, 9, 8);
export const SV32 = formatOf('Sv32', 2, 10, 4);

/** What a mapping may ask for. */
export const PERMISSIONS = PTE_R | PTE_W | PTE_X | PTE_U;

/** In both formats the frame's number begins at bit 10; above it, an Sv39 entry has ten bits of another meaning. */
const PPN_SHIFT = 10n;
const PPN_MASK = (1n << 44n) - 1n;

export const frameOf = (entry: bigint): number => Number((entry >> PPN_SHIFT) & PPN_MASK) * PAGE_BYTES;
export const entryFor = (frame: number, flags: bigint): bigint =>
  (BigInt(frame / PAGE_BYTES) << PPN_SHIFT) | flags;

export const isValid = (entry: bigint): boolean => (entry & PTE_V) !== 0n;
export const isValidLeaf = (entry: bigint): boolean => isValid(entry) && isLeaf(entry);
export const isPointer = (entry: bigint): boolean => isValid(entry) && !isLeaf(entry);

export const indexOf = ({ spans, entriesPerTable }: TableFormat, address: number, level: number): number =>
  (address / spans[level]) & (entriesPerTable - 1);

/** An entry passed on the way down a table. */
export interface Descent {
  readonly level: number;
  /** Physical address of the entry. */
  readonly at: number;
  readonly entry: bigint;
}

/** The entry of a table of some level that an address goes by; one that is missing from memory reads as 0. */
function entryOf(
  format: TableFormat,
  memory: ReadableMemory,
  table: number,
  level: number,
  address: number,
): Descent {
  const at = table + indexOf(format, address, level) * format.entryBytes;
  return { level, at, entry: memory.read(at, format.entryBytes) ?? 0n };
}

const goesOn = ({ level, entry }: Descent): boolean => level > 0 && isPointer(entry);

/** Where going down a table ends: at level 0, at a leaf above it (a superpage), or where a table is missing. */
export function bottomOf(
  format: TableFormat,
  memory: ReadableMemory,
  root: number,
  address: number,
): Descent {
  let step = entryOf(format, memory, root, format.levels - 1, address);
  while (goesOn(step)) step = entryOf(format, memory, frameOf(step.entry), step.level - 1, address);
  return step;
}

/** All the entries passed on the way there, the root's first. */
export function descend(
  format: TableFormat,
  memory: ReadableMemory,
  root: number,
  address: number,
): Descent[] {
  const path = [entryOf(format, memory, root, format.levels - 1, address)];
  for (let step = path[0]; goesOn(step); path.push(step)) {
    step = entryOf(format, memory, frameOf(step.entry), step.level - 1, address);
  }
  return path;
}

/** A leaf of a table. `address` is where the pages that it maps begin. */
export interface Leaf extends Descent {
  readonly address: number;
}

/** All valid leaves under a table in ascending order; `onTable` hears of every table, the root first. */
export function* leavesOf(
  format: TableFormat,
  memory: ReadableMemory,
  root: number,
  onTable: (table: number, level: number) => void = () => {},
  level = format.levels - 1,
  base = 0,
): Generator<Leaf> {
  onTable(root, level);
  for (let index = 0; index < format.entriesPerTable; index++) {
    const at = root + index * format.entryBytes;
    const entry = memory.read(at, format.entryBytes) ?? 0n;
    const address = base + index * format.spans[level];
    if (isValidLeaf(entry)) yield { level, at, entry, address };
    else if (isPointer(entry) && level > 0) {
      yield* leavesOf(format, memory, frameOf(entry), onTable, level - 1, address);
    }
  }
}

/** Where tables and copies of pages come from. */
export interface FrameSource {
  allocate(): number;
  free(frame: number): void;
}

/** walk, mappages, and what is made of them. */
export class PageTables {
  constructor(
    readonly format: TableFormat,
    private readonly memory: Memory,
    private readonly frames: FrameSource,
  ) {}

  /** An empty table, or 0 when memory is out. */
  create(): number {
    const root = this.frames.allocate();
    if (root !== 0) this.memory.fill(root, 0);
    return root;
  }

  /** Address of the level-0 entry of `address`, making the tables on the way if `allocate`; 0 if one is missing. */
  walk(root: number, address: number, allocate = false): number {
    for (;;) {
      const last = bottomOf(this.format, this.memory, root, address);
      if (last.level === 0) return last.at;
      if (isValid(last.entry)) throw new ModelError(`${hex(address)} is mapped by a superpage`);
      const table = allocate ? this.create() : 0;
      if (table === 0) return 0;
      this.write(last.at, entryFor(table, PTE_V));
    }
  }

  /** The level-0 entry of an address; 0 where there is none. */
  entry(root: number, address: number): bigint {
    const at = this.walk(root, address);
    return at === 0 ? 0n : this.read(at);
  }

  /**
   * Maps the pages that [address, address + size) touches to the frames from `physical` on. False, with nothing
   * mapped, when memory is out. Throws ModelError at a page that is mapped already, and for no bytes.
   */
  map(root: number, address: number, size: number, physical: number, permissions: bigint): boolean {
    if (size <= 0) throw new ModelError('there is nothing to map');
    const start = roundDown(address);
    const end = roundUp(address + size);
    for (let page = start; page < end; page += PAGE_BYTES) {
      if (isValid(this.entry(root, page))) {
        this.unmap(root, start, page - start, false);
        throw new ModelError(`${hex(page)} is mapped already`);
      }
      const at = this.walk(root, page, true);
      if (at === 0) {
        this.unmap(root, start, page - start, false);
        return false;
      }
      this.write(at, entryFor(roundDown(physical) + (page - start), permissions | PTE_V));
    }
    return true;
  }

  /** Unmaps whole pages, all of which are mapped, and frees their frames if `release`. */
  unmap(root: number, address: number, size: number, release: boolean): void {
    for (let page = address; page < address + size; page += PAGE_BYTES) {
      const entry = this.entry(root, page);
      if (!isValidLeaf(entry)) throw new ModelError(`${hex(page)} is not mapped`);
      this.write(this.walk(root, page), 0n);
      if (release) this.frames.free(frameOf(entry));
    }
  }

  /** Copies [0, size), frame by frame with its permissions. False, with nothing copied, when memory is out. */
  copy(from: number, to: number, size: number): boolean {
    for (let page = 0; page < size; page += PAGE_BYTES) {
      const entry = this.entry(from, page);
      if (!isValidLeaf(entry)) throw new ModelError(`${hex(page)} is not mapped`);
      const frame = this.frames.allocate();
      if (frame !== 0) this.memory.copy(frameOf(entry), frame);
      if (frame === 0 || !this.map(to, page, PAGE_BYTES, frame, entry & PERMISSIONS)) {
        if (frame !== 0) this.frames.free(frame);
        this.unmap(to, 0, page, true);
        return false;
      }
    }
    return true;
  }

  /** Frees the tables under a root. Throws ModelError at a leaf, before anything is freed. */
  free(root: number): void {
    const tables: number[] = [];
    for (const { address } of leavesOf(this.format, this.memory, root, (table) => tables.push(table))) {
      throw new ModelError(`a leaf is left at ${hex(address)}`);
    }
    tables.forEach((table) => this.frames.free(table));
  }

  private read(at: number): bigint {
    return this.memory.read(at, this.format.entryBytes) ?? 0n;
  }

  private write(at: number, entry: bigint): void {
    this.memory.write(at, this.format.entryBytes, entry);
  }
}
