/**
 * Memory as a hart's addresses name it, for someone who only looks: what the translation in force says, permissions aside,
 * without setting A or D or reading devices.
 */
import type { Machine } from '../machine/machine.js';
import { SATP_MODE_SV39, Slot } from '../rv64/csr/bits.js';
import type { Hart } from '../rv64/hart.js';
import { Mode } from '../rv64/trap.js';
import { isLeaf, LEVELS, PAGE_BYTES, PAGE_SHIFT, PTE_BYTES, PTE_V, ppnOf, vpnIndex } from '../sv39/pte.js';
import { isCanonical } from '../sv39/walk.js';

/** An entry that a walk came to. */
export interface VisitedEntry {
  readonly level: number;
  readonly index: number;
  /** Physical address of the entry. */
  readonly at: bigint;
  /** Undefined where there is no RAM. */
  readonly entry: bigint | undefined;
}

/** Whether a hart's loads, stores and fetches go through a page table now. */
export function isTranslated(hart: Hart): boolean {
  return (
    hart.mode !== Mode.Machine && Number(BigInt.asUintN(64, hart.csr[Slot.satp]) >> 60n) === SATP_MODE_SV39
  );
}

/** Physical address of the root table that satp names. */
export function rootOf(hart: Hart): bigint {
  return (hart.csr[Slot.satp] & 0xfff_ffff_ffffn) << BigInt(PAGE_SHIFT);
}

/** The entries that lead to a virtual address, from the root to a leaf or to where there is no further. */
export function entriesFor(machine: Machine, root: bigint, virtual: bigint): VisitedEntry[] {
  const visited: VisitedEntry[] = [];
  let table = root;
  for (let level = LEVELS - 1; level >= 0; level--) {
    const index = vpnIndex(virtual, level);
    const at = table + BigInt(index * PTE_BYTES);
    const entry = readPte(machine, at);
    visited.push({ level, index, at, entry });
    if (entry === undefined || (entry & PTE_V) === 0n || isLeaf(entry)) break;
    table = ppnOf(entry) << BigInt(PAGE_SHIFT);
  }
  return visited;
}

/** The physical address that a virtual one stands for on a hart; undefined where it is not mapped. */
export function physicalAddress(machine: Machine, hart: Hart, virtual: bigint): bigint | undefined {
  if (!isTranslated(hart)) return BigInt.asUintN(64, virtual);
  if (!isCanonical(virtual)) return undefined;
  const { level, entry } = entriesFor(machine, rootOf(hart), virtual).at(-1)!;
  if (entry === undefined || (entry & PTE_V) === 0n || !isLeaf(entry)) return undefined;
  const offsetMask = (1n << BigInt(PAGE_SHIFT + 9 * level)) - 1n;
  return ((ppnOf(entry) << BigInt(PAGE_SHIFT)) & ~offsetMask) | (virtual & offsetMask);
}

/** The bytes at a hart's virtual address, up to where no memory is mapped. */
export function readVirtual(machine: Machine, hart: Hart, virtual: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  for (const piece of physicalPieces(machine, hart, virtual, length)) {
    bytes.set(machine.readMemory(piece.physical, piece.length)!, done);
    done += piece.length;
  }
  return bytes.subarray(0, done);
}

/** Stores bytes at a hart's virtual address; false, and nothing stored, where not all of them are memory. */
export function writeVirtual(machine: Machine, hart: Hart, virtual: bigint, bytes: Uint8Array): boolean {
  const pieces = physicalPieces(machine, hart, virtual, bytes.length);
  if (pieces.reduce((sum, { length }) => sum + length, 0) < bytes.length) return false;
  let done = 0;
  for (const { physical, length } of pieces) {
    machine.writeMemory(physical, bytes.subarray(done, done + length));
    done += length;
  }
  return true;
}

/** A range of physical memory, within a page. */
export interface Piece {
  readonly physical: bigint;
  readonly length: number;
}

/**
 * The memory that a range of a hart's virtual addresses means, page by page, up to where there is none. Without a hart
 * the addresses are physical.
 */
export function physicalPieces(
  machine: Machine,
  hart: Hart | undefined,
  virtual: bigint,
  length: number,
): Piece[] {
  const pieces: Piece[] = [];
  for (let done = 0; done < length;) {
    const address = BigInt.asUintN(64, virtual + BigInt(done));
    const physical = hart ? physicalAddress(machine, hart, address) : address;
    const rest = PAGE_BYTES - Number(address % BigInt(PAGE_BYTES));
    const bytes = Math.min(rest, length - done);
    if (physical === undefined || machine.readMemory(physical, bytes) === undefined) break;
    pieces.push({ physical, length: bytes });
    done += bytes;
  }
  return pieces;
}

function readPte(machine: Machine, at: bigint): bigint | undefined {
  const bytes = machine.readMemory(at, PTE_BYTES);
  return bytes && new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}
