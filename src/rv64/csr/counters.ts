/**
 * Counters (unprivileged specification, chapter "Zicntr"; privileged specification, "Hardware Performance
 * Monitor"). A write to minstret or mcycle takes the place of the increment that its own instruction would make.
 */
import type { Hart } from '../hart.js';
import { Mode } from '../trap.js';
import { COUNTER_BIT, Slot } from './bits.js';
import { constant, type Csr } from './csr.js';

/** mcounteren opens a counter to supervisor mode; user mode needs scounteren too. */
const counterAllowed =
  (bit: bigint) =>
  (h: Hart): boolean => {
    if (h.mode === Mode.Machine) return true;
    if (((h.csr[Slot.mcounteren] >> bit) & 1n) === 0n) return false;
    return h.mode === Mode.Supervisor || ((h.csr[Slot.scounteren] >> bit) & 1n) !== 0n;
  };

/** The 29 counters that a part may have beyond the three; here they count nothing. */
const performance = Array.from({ length: 29 }, (_, i) => i + 3).flatMap((n): Csr[] => [
  constant(`mhpmcounter${n}`, 0xb00 + n, 0n),
  constant(`mhpmevent${n}`, 0x320 + n, 0n),
  { name: `hpmcounter${n}`, number: 0xc00 + n, read: () => 0n, allowed: (h) => h.mode === Mode.Machine },
]);

export const counterCsrs: readonly Csr[] = [
  {
    name: 'mcycle',
    number: 0xb00,
    read: (h) => h.mcycle,
    write: (h, value) => {
      h.mcycle = value - 1n;
    },
  },
  {
    name: 'minstret',
    number: 0xb02,
    read: (h) => h.instret,
    write: (h, value) => {
      h.instret = value - 1n;
    },
  },
  { name: 'cycle', number: 0xc00, read: (h) => h.mcycle, allowed: counterAllowed(COUNTER_BIT.cycle) },
  { name: 'time', number: 0xc01, read: (h) => h.ticks, allowed: counterAllowed(COUNTER_BIT.time) },
  { name: 'instret', number: 0xc02, read: (h) => h.instret, allowed: counterAllowed(COUNTER_BIT.instret) },
  ...performance,
];
