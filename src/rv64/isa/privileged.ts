/** Environment calls, returns from traps, wfi and sfence.vma (privileged specification, "Machine-Mode" and "Supervisor Instructions"). */
import { MSTATUS_TSR, MSTATUS_TVM, MSTATUS_TW } from '../csr/bits.js';
import { rs1, rs2 } from '../fields.js';
import { row, type Row } from '../row.js';
import { Cause, Mode } from '../trap.js';

export const privileged: readonly Row[] = [
  row(
    'ecall',
    '000000000000 00000 000 00000 1110011',
    (h) => {
      h.trapNow(Cause.UserEcall + h.mode, 0n);
    },
    (t) => t.interpretAndLeave(),
  ),
  row(
    'ebreak',
    '000000000001 00000 000 00000 1110011',
    (h) => {
      h.trapNow(Cause.Breakpoint, h.pc);
    },
    (t) => t.interpretAndLeave(),
  ),
  row(
    'mret',
    '0011000 00010 00000 000 00000 1110011',
    (h, i) => {
      if (h.mode < Mode.Machine) h.illegal(i);
      h.returnFromMachine();
    },
    (t) => t.interpretAndLeave(),
  ),
  row(
    'sret',
    '0001000 00010 00000 000 00000 1110011',
    (h, i) => {
      if (h.mode < Mode.Supervisor) h.illegal(i);
      if (h.mode === Mode.Supervisor && h.mstatusHas(MSTATUS_TSR)) h.illegal(i);
      h.returnFromSupervisor();
    },
    (t) => t.interpretAndLeave(),
  ),
  row('wfi', '0001000 00101 00000 000 00000 1110011', (h, i) => {
    if (h.mode === Mode.User) h.illegal(i);
    if (h.mode === Mode.Supervisor && h.mstatusHas(MSTATUS_TW)) h.illegal(i);
    h.waitForInterrupt();
  }),
  // Translations are dropped when a store changes the table they came from: except in strict mode, nothing is left to fence.
  row('sfence.vma rs1, rs2', '0001001 rs2 rs1 000 00000 1110011', (h, i) => {
    if (h.mode === Mode.User) h.illegal(i);
    if (h.mode === Mode.Supervisor && h.mstatusHas(MSTATUS_TVM)) h.illegal(i);
    h.strict?.fence(
      h,
      rs1(i) === 0 ? undefined : h.x[rs1(i)],
      rs2(i) === 0 ? undefined : Number(h.x[rs2(i)] & 0xffffn),
    );
  }),
];
