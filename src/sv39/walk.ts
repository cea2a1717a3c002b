/**
 * The Sv39 address translation, in the order and with the step numbers of the privileged specification,
 * section "Virtual Address Translation Process". A and D bits are set by hardware.
 */
import {
  ENTRIES_PER_TABLE,
  isLeaf,
  LEVELS,
  PAGE_SHIFT,
  PTE_A,
  PTE_BYTES,
  PTE_D,
  PTE_R,
  PTE_RESERVED,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
  ppnOf,
  vpnIndex,
} from './pte.js';

export type Access = 'read' | 'write' | 'execute';

/** What decides a translation besides the address. */
export interface Regime {
  /** Physical page number of the root table (satp.PPN). */
  readonly root: number;
  /** True when the access is made with user privilege. */
  readonly user: boolean;
  /** mstatus.SUM: supervisor loads and stores may touch user pages. */
  readonly sum: boolean;
  /** mstatus.MXR: loads may read pages that are only executable. */
  readonly mxr: boolean;
}

/** Physical memory as the page-table walker sees it. */
export interface TableMemory {
  /** The PTE at a physical address, or undefined where a PMP or PMA check denies the read. */
  readPte(physical: number): bigint | undefined;
  /** Stores an updated PTE; false where that is denied. */
  writePte(physical: number, pte: bigint): boolean;
  /** Told of each table that the walk goes through: its page number, level, and first virtual address. */
  visitTable(ppn: number, level: number, virtualBase: bigint): void;
}

/** A translation, or the reason there is none. */
export type Walk =
  | {
      readonly ok: true;
      /** Physical address of the byte that was asked for. */
      readonly physical: number;
      /** The leaf, with A (and D) as they now stand. */
      readonly pte: bigint;
      /** 0 for a 4 KiB page, 1 for 2 MiB, 2 for 1 GiB. */
      readonly level: number;
    }
  | {
      readonly ok: false;
      readonly fault: 'page' | 'access';
      /** Level of the entry that ended the walk. */
      readonly level: number;
      readonly pte: bigint;
      /** Why, in words that follow "because". */
      readonly reason: string;
    };

const fail = (fault: 'page' | 'access', level: number, pte: bigint, reason: string): Walk => ({
  ok: false,
  fault,
  level,
  pte,
  reason,
});

/** True when bits 63:39 of a 64-bit address all equal bit 38. */
export const isCanonical = (virtual: bigint): boolean =>
  BigInt.asIntN(39, virtual) === BigInt.asIntN(64, virtual);

/** Translates `virtual` (any 64-bit value) for one access. */
export function walk(virtual: bigint, access: Access, regime: Regime, memory: TableMemory): Walk {
  if (!isCanonical(virtual)) {
    return fail('page', LEVELS - 1, 0n, 'the address is not canonical (bits 63 to 39 differ from bit 38)');
  }
  // Steps 1 to 4: from the root down to a leaf.
  let table = regime.root;
  let level = LEVELS - 1;
  let pte: bigint;
  let address: number;
  for (;;) {
    const span = BigInt(PAGE_SHIFT + 9 * (level + 1));
    memory.visitTable(table, level, BigInt.asIntN(64, (virtual >> span) << span));
    address = table * (ENTRIES_PER_TABLE * PTE_BYTES) + vpnIndex(virtual, level) * PTE_BYTES;
    const read = memory.readPte(address);
    if (read === undefined) return fail('access', level, 0n, 'the page table lies where it cannot be read');
    pte = read;
    if ((pte & PTE_V) === 0n) return fail('page', level, pte, 'the entry is not valid (V=0)');
    if ((pte & (PTE_R | PTE_W)) === PTE_W) return fail('page', level, pte, 'the entry has W without R');
    if ((pte & PTE_RESERVED) !== 0n) return fail('page', level, pte, 'the entry has reserved bits set');
    if (isLeaf(pte)) break;
    if ((pte & (PTE_A | PTE_D | PTE_U)) !== 0n) {
      return fail('page', level, pte, 'a pointer to a table has A, D or U set');
    }
    if (level === 0) return fail('page', level, pte, 'the last level holds a pointer, not a leaf');
    table = Number(ppnOf(pte));
    level--;
  }
  // Step 5: a superpage must be aligned to its size.
  const lowPpn = ppnOf(pte) & ((1n << BigInt(9 * level)) - 1n);
  if (lowPpn !== 0n) return fail('page', level, pte, 'the superpage is not aligned to its size');
  // Step 6: permissions.
  const denied = permissionDenied(pte, access, regime);
  if (denied !== undefined) return fail('page', level, pte, denied);
  // Step 7: A and D.
  const wanted = pte | PTE_A | (access === 'write' ? PTE_D : 0n);
  if (wanted !== pte) {
    if (!memory.writePte(address, wanted)) {
      return fail('access', level, pte, 'the page table lies where it cannot be written');
    }
    pte = wanted;
  }
  // Step 8: the physical address.
  const offsetBits = BigInt(PAGE_SHIFT + 9 * level);
  const base = (ppnOf(pte) << BigInt(PAGE_SHIFT)) >> offsetBits;
  const physical = (base << offsetBits) | (virtual & ((1n << offsetBits) - 1n));
  return { ok: true, physical: Number(physical), pte, level };
}

/** Why a leaf does not permit an access, or undefined when it does. */
function permissionDenied(pte: bigint, access: Access, regime: Regime): string | undefined {
  const userPage = (pte & PTE_U) !== 0n;
  if (regime.user && !userPage) return 'the page is not for user mode (U=0)';
  if (!regime.user && userPage) {
    if (access === 'execute') return 'supervisor mode may not execute a user page (U=1)';
    if (!regime.sum) return 'supervisor mode may not touch a user page (U=1) while sstatus.SUM is 0';
  }
  if (access === 'execute' && (pte & PTE_X) === 0n) return 'the page is not executable (X=0)';
  if (access === 'write' && (pte & PTE_W) === 0n) return 'the page is not writable (W=0)';
  if (access === 'read' && (pte & PTE_R) === 0n && !(regime.mxr && (pte & PTE_X) !== 0n)) {
    return 'the page is not readable (R=0)';
  }
  return undefined;
}
