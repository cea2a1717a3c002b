/** Supervisor-mode CSRs (privileged specification, chapter "Supervisor-Level ISA", and extension "Sstc"). */
import type { I32, I64 } from '../emitter.js';
import type { Hart } from '../hart.js';
import { AT_WORK, STACK_BYTES } from '../idle-loop.js';
import { Offset } from '../state.js';
import { Interrupt, Mode } from '../trap.js';
import {
  COUNTER_BIT,
  ENVCFG_FIOM,
  MENVCFG_STCE,
  MSTATUS_MXR,
  MSTATUS_SIE,
  MSTATUS_SPIE,
  MSTATUS_SPP,
  MSTATUS_SUM,
  MSTATUS_UXL,
  SATP_MODE_SV39,
  Slot,
} from './bits.js';
import { type Csr, stored } from './csr.js';
import { satpAllowed } from './machine.js';

const SSTATUS_WRITABLE = BigInt(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_SUM | MSTATUS_MXR);
const TRANSLATION_BITS = BigInt(MSTATUS_SUM | MSTATUS_MXR);
const SIE = BigInt(MSTATUS_SIE);
const SSTATUS_VISIBLE = SSTATUS_WRITABLE | MSTATUS_UXL;

const SP = 2;

const SSIP = 1n << BigInt(Interrupt.SupervisorSoftware);

/** Below machine mode stimecmp needs menvcfg.STCE, and mcounteren.TM as time does. */
const stimecmpAllowed = (h: Hart): boolean =>
  h.mode === Mode.Machine ||
  ((h.csr[Slot.menvcfg] & MENVCFG_STCE) !== 0n && ((h.csr[Slot.mcounteren] >> COUNTER_BIT.time) & 1n) !== 0n);

export const supervisorCsrs: readonly Csr[] = [
  {
    name: 'sstatus',
    number: 0x100,
    translated: {
      slot: Slot.mstatus,
      readable: SSTATUS_VISIBLE,
      writable: SSTATUS_WRITABLE,
      hasEffects: (t, old, value) => {
        const isSet = (bits: I64, mask: bigint): I32 =>
          t.i64.ne(t.i64.and(bits, t.i64.constant(mask)), t.i64.constant(0));
        const isNotAtWork = t.i32.geS(t.hartWord(Offset.idleEnabled), t.i32.constant(AT_WORK - 1));
        const fromStack = t.i32.xor(t.low(SP), t.hartWord(Offset.idleStack));
        const isOnStack = t.i32.ltU(fromStack, t.i32.constant(STACK_BYTES));
        const mayComeRound = t.i32.or(isNotAtWork, t.i32.or(isOnStack, t.hartWord(Offset.idleSeen)));
        const looksAround = t.i32.or(t.hartWord(Offset.called), mayComeRound);
        return t.i32.or(
          isSet(t.i64.xor(old, value), TRANSLATION_BITS),
          t.i32.and(isSet(value, SIE), looksAround),
        );
      },
      // What Hart.interruptsEnabled does as long as nothing comes of it.
      written: (t, value) => {
        const enables = t.i64.ne(t.i64.and(value, t.i64.constant(SIE)), t.i64.constant(0));
        t.setHartWord(Offset.idleEnabled, t.i32.add(t.hartWord(Offset.idleEnabled), enables));
      },
    },
    read: (h) => h.csr[Slot.mstatus] & SSTATUS_VISIBLE,
    write: (h, value) => {
      const old = h.csr[Slot.mstatus];
      h.csr[Slot.mstatus] = (old & ~SSTATUS_WRITABLE) | (value & SSTATUS_WRITABLE);
      if ((old ^ value) & TRANSLATION_BITS) h.updateContexts();
      if (value & SIE) h.interruptsEnabled();
    },
  },
  // sie and sip show the interrupts that are delegated; the others read 0 and keep their value.
  {
    name: 'sie',
    number: 0x104,
    read: (h) => h.csr[Slot.mie] & h.csr[Slot.mideleg],
    write: (h, value) => {
      const delegated = h.csr[Slot.mideleg];
      h.csr[Slot.mie] = (h.csr[Slot.mie] & ~delegated) | (value & delegated);
      h.leave();
    },
  },
  stored('stvec', 0x105, { mask: ~2n }),
  stored('scounteren', 0x106, { mask: 7n }),
  stored('senvcfg', 0x10a, { mask: ENVCFG_FIOM }),
  stored('sscratch', 0x140),
  stored('sepc', 0x141, { mask: ~1n }),
  stored('scause', 0x142),
  stored('stval', 0x143),
  {
    name: 'sip',
    number: 0x144,
    read: (h) => BigInt(h.pending) & h.csr[Slot.mideleg],
    write: (h, value) => {
      const writable = SSIP & h.csr[Slot.mideleg];
      h.csr[Slot.mip] = (h.csr[Slot.mip] & ~writable) | (value & writable);
      h.leave();
    },
  },
  stored('stimecmp', 0x14d, { changed: (h) => h.updateTimers(), allowed: stimecmpAllowed }),
  {
    name: 'satp',
    number: 0x180,
    read: (h) => h.csr[Slot.satp],
    allowed: satpAllowed,
    // A write with a mode that is not implemented has no effect at all (section "satp").
    write: (h, value) => {
      const mode = BigInt.asUintN(64, value) >> 60n;
      if (mode !== 0n && mode !== BigInt(SATP_MODE_SV39)) return;
      h.csr[Slot.satp] = value;
      if (h.strict) h.forgetTranslations();
      h.updateContexts();
      h.leave();
    },
  },
];
