/** Page tables for tests: three tables in three frames, so that each level's entry can be set at will. */
import { PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X } from '../../src/sv39/pte.js';
import { RAM_BASE } from '../support/assembler.js';

export const TABLES = [RAM_BASE + 0x8_0000n, RAM_BASE + 0x8_1000n, RAM_BASE + 0x8_2000n];
/** Where the tables of level 2, 1 and 0 lie. */
export const [ROOT, MIDDLE, LAST] = TABLES;

export const SATP_SV39 = 8n << 60n;
export const SATP = SATP_SV39 | (ROOT >> 12n);

/** An entry that leads to a physical address. */
export const pte = (physical: bigint, bits: bigint): bigint => ((physical >> 12n) << 10n) | bits;

export const POINTER = PTE_V;
export const READABLE = PTE_V | PTE_R | PTE_A;
export const WRITABLE = PTE_V | PTE_R | PTE_W | PTE_A | PTE_D;
export const EXECUTABLE = PTE_V | PTE_X | PTE_A;
export const ANYTHING = WRITABLE | PTE_X;
export const USER = PTE_U;

/** Physical address of the entry for a virtual address in the table at `table`. */
export const entryAt = (table: bigint, virtual: bigint, level: number): bigint =>
  table + 8n * ((virtual >> BigInt(12 + 9 * level)) & 0x1ffn);

/** What takes entries: a TestHart, or a map. */
export interface Memory {
  poke(physical: bigint, value: bigint): void;
}

/** Points the root and the middle table at the way to a virtual address, and sets its last entry. */
export function map(memory: Memory, virtual: bigint, leaf: bigint): void {
  memory.poke(entryAt(ROOT, virtual, 2), pte(MIDDLE, POINTER));
  memory.poke(entryAt(MIDDLE, virtual, 1), pte(LAST, POINTER));
  memory.poke(entryAt(LAST, virtual, 0), leaf);
}
