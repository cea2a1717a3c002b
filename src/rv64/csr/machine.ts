/** Machine-mode CSRs (privileged specification, chapter "Machine-Level ISA"). */
import type { Hart } from '../hart.js';
import { Interrupt, Mode } from '../trap.js';
import {
  ENVCFG_FIOM,
  MENVCFG_STCE,
  MSTATUS_MIE,
  MSTATUS_MPIE,
  MSTATUS_MPP,
  MSTATUS_MPP_SHIFT,
  MSTATUS_MPRV,
  MSTATUS_MXR,
  MSTATUS_SIE,
  MSTATUS_SPIE,
  MSTATUS_SPP,
  MSTATUS_SUM,
  MSTATUS_TSR,
  MSTATUS_TVM,
  MSTATUS_TW,
  Slot,
} from './bits.js';
import { constant, type Csr, stored } from './csr.js';

/** MXL = 64 bits, and the letters of the extensions: A, C, I, M, S, U. */
const MISA = [...'ACIMSU'].reduce(
  (bits, letter) => bits | (1n << BigInt(letter.charCodeAt(0) - 65)),
  2n << 62n,
);

const MSTATUS_WRITABLE = BigInt(
  MSTATUS_SIE |
    MSTATUS_MIE |
    MSTATUS_SPIE |
    MSTATUS_MPIE |
    MSTATUS_SPP |
    MSTATUS_MPRV |
    MSTATUS_SUM |
    MSTATUS_MXR |
    MSTATUS_TVM |
    MSTATUS_TW |
    MSTATUS_TSR,
);
const MPP = BigInt(MSTATUS_MPP);

const bit = (interrupt: number): bigint => 1n << BigInt(interrupt);

export const SUPERVISOR_INTERRUPTS =
  bit(Interrupt.SupervisorSoftware) | bit(Interrupt.SupervisorTimer) | bit(Interrupt.SupervisorExternal);
const ALL_INTERRUPTS =
  SUPERVISOR_INTERRUPTS |
  bit(Interrupt.MachineSoftware) |
  bit(Interrupt.MachineTimer) |
  bit(Interrupt.MachineExternal);

/** Exceptions 0 to 9, 12, 13 and 15 can be delegated; an environment call from machine mode cannot. */
const DELEGABLE_EXCEPTIONS = 0xb3ffn;

/** With Sstc, STIP is the comparison of time and stimecmp and cannot be written. */
const mipWritable = (h: Hart): bigint =>
  (h.csr[Slot.menvcfg] & MENVCFG_STCE) !== 0n
    ? SUPERVISOR_INTERRUPTS & ~bit(Interrupt.SupervisorTimer)
    : SUPERVISOR_INTERRUPTS;

export const machineCsrs: readonly Csr[] = [
  // 0 stands for "not a commercial implementation", "no registered architecture", "no version".
  { name: 'mvendorid', number: 0xf11, read: () => 0n },
  { name: 'marchid', number: 0xf12, read: () => 0n },
  { name: 'mimpid', number: 0xf13, read: () => 0n },
  { name: 'mhartid', number: 0xf14, read: (h) => BigInt(h.index) },
  { name: 'mconfigptr', number: 0xf15, read: () => 0n },

  {
    name: 'mstatus',
    number: 0x300,
    read: (h) => h.csr[Slot.mstatus],
    write: (h, value) => {
      let status = (h.csr[Slot.mstatus] & ~MSTATUS_WRITABLE) | (value & MSTATUS_WRITABLE);
      // MPP holds modes that exist; 2 does not.
      if ((value & MPP) >> BigInt(MSTATUS_MPP_SHIFT) !== 2n) {
        status = (status & ~MPP) | (value & MPP);
      }
      h.csr[Slot.mstatus] = status;
      h.updateContexts();
      h.leave();
    },
  },
  constant('misa', 0x301, MISA),
  stored('medeleg', 0x302, { mask: DELEGABLE_EXCEPTIONS }),
  stored('mideleg', 0x303, { mask: SUPERVISOR_INTERRUPTS, changed: (h) => h.leave() }),
  stored('mie', 0x304, { mask: ALL_INTERRUPTS, changed: (h) => h.leave() }),
  // The base is aligned to four bytes; modes are direct (0) and vectored (1).
  stored('mtvec', 0x305, { mask: ~2n }),
  stored('mcounteren', 0x306, { mask: 7n }),
  stored('menvcfg', 0x30a, {
    mask: MENVCFG_STCE | ENVCFG_FIOM,
    changed: (h) => {
      // What software wrote to STIP does not outlive its becoming read-only.
      h.csr[Slot.mip] &= mipWritable(h);
      h.updateTimers();
    },
  }),
  constant('mcountinhibit', 0x320, 0n),

  // A part without triggers: the selector is hard-wired, and what it selects has type 0, "no trigger here"
  // (debug specification, "Trigger Module").
  ...['tselect', 'tdata1', 'tdata2', 'tdata3'].map((name, i) => constant(name, 0x7a0 + i, 0n)),

  stored('mscratch', 0x340),
  stored('mepc', 0x341, { mask: ~1n }),
  stored('mcause', 0x342),
  stored('mtval', 0x343),
  {
    name: 'mip',
    number: 0x344,
    read: (h) => BigInt(h.pending),
    // A read-modify-write works on the bits that software set, not on the wires (section "mip and mie").
    readToModify: (h) => h.csr[Slot.mip] | (BigInt(h.pending) & ~bit(Interrupt.SupervisorExternal)),
    write: (h, value) => {
      const writable = mipWritable(h);
      h.csr[Slot.mip] = (h.csr[Slot.mip] & ~writable) | (value & writable);
      h.leave();
    },
  },
];

/** Whether mstatus.TVM keeps supervisor mode away from satp. */
export const satpAllowed = (h: { mode: number; mstatusHas(bit: number): boolean }): boolean =>
  h.mode === Mode.Machine || !h.mstatusHas(MSTATUS_TVM);
