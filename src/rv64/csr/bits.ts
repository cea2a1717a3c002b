/** Bits of the status registers, and where the CSRs that are storage lie in a hart's block. */
import { Offset } from '../state.js';

/** mstatus: the bits that change all lie in its low word. */
export const MSTATUS_SIE = 1 << 1;
export const MSTATUS_MIE = 1 << 3;
export const MSTATUS_SPIE = 1 << 5;
export const MSTATUS_MPIE = 1 << 7;
export const MSTATUS_SPP = 1 << 8;
export const MSTATUS_MPP_SHIFT = 11;
export const MSTATUS_MPP = 3 << MSTATUS_MPP_SHIFT;
export const MSTATUS_MPRV = 1 << 17;
export const MSTATUS_SUM = 1 << 18;
export const MSTATUS_MXR = 1 << 19;
export const MSTATUS_TVM = 1 << 20;
export const MSTATUS_TW = 1 << 21;
export const MSTATUS_TSR = 1 << 22;
/** UXL and SXL, in the high word: both always say 64 bits. */
export const MSTATUS_UXL = 2n << 32n;
export const MSTATUS_SXL = 2n << 34n;

/** menvcfg.STCE: supervisor mode has a timer of its own (Sstc). */
export const MENVCFG_STCE = 1n << 63n;
/** menvcfg.FIOM and senvcfg.FIOM: fences order device accesses too; a plain bit here. */
export const ENVCFG_FIOM = 1n;

/** mcounteren and scounteren: cycle, time, instret, in this order of bits. */
export const COUNTER_BIT = { cycle: 0n, time: 1n, instret: 2n } as const;

export const SATP_MODE_SV39 = 8;

/** The CSRs that are storage, in the order of their slots. */
const SLOTS = [
  'mstatus',
  'medeleg',
  'mideleg',
  'mie',
  'mip',
  'mtvec',
  'mcounteren',
  'menvcfg',
  'mscratch',
  'mepc',
  'mcause',
  'mtval',
  'stvec',
  'scounteren',
  'senvcfg',
  'sscratch',
  'sepc',
  'scause',
  'stval',
  'stimecmp',
  'satp',
  'pmpcfg0',
  'pmpcfg2',
] as const;

export type SlotName = (typeof SLOTS)[number];

/** Index of each stored CSR into a hart's `csr` array. */
export const Slot = Object.fromEntries(SLOTS.map((name, index) => [name, index])) as Record<SlotName, number>;

/** Index among the 32-bit words of a hart's block of the low word of a stored CSR; the high word follows. */
export const lowWordOf = (slot: number): number => (Offset.csr >>> 2) + 2 * slot;

export const PMP_ENTRIES = 16;
/** Slot of pmpaddr0; the other fifteen follow. */
export const PMPADDR_SLOT = SLOTS.length;
