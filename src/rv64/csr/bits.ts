/** Bits of the status registers, and where the CSRs that are storage lie in a hart's block. */

export const MSTATUS_SIE = 1n << 1n;
export const MSTATUS_MIE = 1n << 3n;
export const MSTATUS_SPIE = 1n << 5n;
export const MSTATUS_MPIE = 1n << 7n;
export const MSTATUS_SPP = 1n << 8n;
export const MSTATUS_MPP = 3n << 11n;
export const MSTATUS_MPP_SHIFT = 11n;
export const MSTATUS_MPRV = 1n << 17n;
export const MSTATUS_SUM = 1n << 18n;
export const MSTATUS_MXR = 1n << 19n;
export const MSTATUS_TVM = 1n << 20n;
export const MSTATUS_TW = 1n << 21n;
export const MSTATUS_TSR = 1n << 22n;
/** UXL and SXL: both always say 64 bits. */
export const MSTATUS_UXL = 2n << 32n;
export const MSTATUS_SXL = 2n << 34n;

/** menvcfg.STCE: supervisor mode has a timer of its own (Sstc). */
export const MENVCFG_STCE = 1n << 63n;
/** menvcfg.FIOM and senvcfg.FIOM: fences order device accesses too; a plain bit here. */
export const ENVCFG_FIOM = 1n;

/** mcounteren and scounteren: cycle, time, instret, in this order of bits. */
export const COUNTER_BIT = { cycle: 0n, time: 1n, instret: 2n } as const;

export const SATP_MODE_SV39 = 8n;

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

export const PMP_ENTRIES = 16;
/** Slot of pmpaddr0; the other fifteen follow. */
export const PMPADDR_SLOT = SLOTS.length;
