/**
 * Page-table entries of Sv39, as the privileged specification draws them (section "Sv39 page table entry"):
 * 63 N | 62:61 PBMT | 60:54 reserved | 53:10 PPN | 9:8 RSW | 7 D | 6 A | 5 G | 4 U | 3 X | 2 W | 1 R | 0 V.
 */

export const PTE_V = 1n << 0n;
export const PTE_R = 1n << 1n;
export const PTE_W = 1n << 2n;
export const PTE_X = 1n << 3n;
export const PTE_U = 1n << 4n;
export const PTE_G = 1n << 5n;
export const PTE_A = 1n << 6n;
export const PTE_D = 1n << 7n;

/** Bits 63:54, which must be zero where neither Svnapot nor Svpbmt is implemented. */
export const PTE_RESERVED = 0x3ffn << 54n;

export const PAGE_SHIFT = 12;
export const PAGE_BYTES = 4096;
/** Levels of an Sv39 table; the root is level 2. */
export const LEVELS = 3;
export const ENTRIES_PER_TABLE = 512;
export const PTE_BYTES = 8;

/** The physical page number a PTE holds. */
export const ppnOf = (pte: bigint): bigint => (pte >> 10n) & 0xfff_ffff_ffffn;

/** A leaf maps memory; any of R and X makes one. W alone is reserved, and no pointer either. */
export const isLeaf = (pte: bigint): boolean => (pte & (PTE_R | PTE_W | PTE_X)) !== 0n;

/** Index into the table of `level` for a virtual address. */
export const vpnIndex = (virtual: bigint, level: number): number =>
  Number((virtual >> BigInt(PAGE_SHIFT + 9 * level)) & 0x1ffn);
