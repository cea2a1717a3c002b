/** Access to CSRs by instructions: privilege, existence and read-only checks, then the row. */
import type { Hart } from '../hart.js';
import type { Csr } from './csr.js';
import { csrByNumber } from './index.js';

/** The CSR that instruction `i` may access for reading, and for writing too if asked. Throws Trap. */
function accessible(h: Hart, i: number, number: number, write: boolean): Csr {
  const csr = csrByNumber.get(number);
  const lowestMode = (number >> 8) & 3;
  const isReadOnly = number >> 10 === 3;
  if (csr === undefined || h.mode < lowestMode || (write && isReadOnly)) return h.illegal(i);
  if (csr.allowed && !csr.allowed(h)) return h.illegal(i);
  return csr;
}

/** Reads a CSR for instruction `i`. Throws Trap. */
export function readCsr(h: Hart, i: number, number: number): bigint {
  return accessible(h, i, number, false).read(h);
}

/** Writes a CSR for instruction `i` and returns what it held. Throws Trap. */
export function writeCsr(h: Hart, i: number, number: number, value: bigint): bigint {
  const csr = accessible(h, i, number, true);
  const old = csr.read(h);
  csr.write!(h, BigInt.asIntN(64, value));
  return old;
}

/** Writes a CSR for instruction `i` with a function of what it held, and returns that. Throws Trap. */
export function modifyCsr(h: Hart, i: number, number: number, change: (old: bigint) => bigint): bigint {
  const csr = accessible(h, i, number, true);
  const old = csr.read(h);
  csr.write!(h, BigInt.asIntN(64, change((csr.readToModify ?? csr.read)(h))));
  return old;
}
