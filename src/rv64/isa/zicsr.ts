/**
 * Zicsr, access to control and status registers (unprivileged specification, chapter "Zicsr").
 * csrrs and csrrc with rs1 = x0 (an immediate of 0) read only; every other form writes.
 */
import { modifyCsr, readCsr, writeCsr } from '../csr/access.js';
import { csrByNumber } from '../csr/index.js';
import type { Emit, Emitter, I64 } from '../emitter.js';
import { csrNumber, rd, rs1, uimm } from '../fields.js';
import { row, type Row, type Run } from '../row.js';
import { Offset } from '../state.js';

/** What an instruction writes, in translated code, to a CSR that holds `old`. */
type EmitChange = (t: Emitter, old: I64, operand: I64) => I64;

/** What is written where, in translated code: see Csr.translated. */
function emitAccess(t: Emitter, i: number, change?: (old: I64) => I64): void {
  const number = csrNumber(i);
  const csr = csrByNumber.get(number)?.translated;
  if (csr === undefined) return t.interpret();
  const { i32, i64 } = t;
  const masked = (value: I64, mask: bigint): I64 =>
    mask === -1n ? value : i64.and(value, i64.constant(BigInt.asIntN(64, mask)));
  const old = t.keep('first', masked(t.csr(csr.slot), csr.readable));
  const value = change && t.keep('second', change(old));
  const lowestMode = (number >> 8) & 3;
  const isDenied = i32.ltU(t.hartWord(Offset.mode), i32.constant(lowestMode));
  const hasEffects = value && csr.hasEffects?.(t, old, value);
  t.interpretIf(hasEffects ? i32.or(isDenied, hasEffects) : isDenied, () => {
    if (value) {
      const written = masked(value, csr.writable);
      const rest = masked(t.csr(csr.slot), ~csr.writable);
      t.setCsr(csr.slot, csr.writable === -1n ? written : i64.or(rest, written));
      csr.written?.(t, value);
    }
    t.set(rd(i), old);
  });
}

const withRegister =
  (change: EmitChange): Emit =>
  (t, i) =>
    emitAccess(t, i, (old) => change(t, old, t.x(rs1(i))));

const withImmediate =
  (change: EmitChange): Emit =>
  (t, i) =>
    emitAccess(t, i, (old) => change(t, old, t.i64.constant(uimm(i))));

/** Set and clear with an operand that is known to be 0 only read. */
const orReadOnly =
  (emit: Emit): Emit =>
  (t, i) =>
    rs1(i) === 0 ? emitAccess(t, i) : emit(t, i);

const emitWrite: EmitChange = (_t, _old, operand) => operand;
const emitSet: EmitChange = (t, old, operand) => t.i64.or(old, operand);
const emitClear: EmitChange = (t, old, operand) => t.i64.and(old, t.i64.xor(operand, t.i64.constant(-1)));

/** A row that reads, or writes what `change` makes of the old value and an operand. */
const modify =
  (
    operandOf: (h: Parameters<Run>[0], i: number) => bigint,
    change: (old: bigint, operand: bigint) => bigint,
  ): Run =>
  (h, i) => {
    const operand = operandOf(h, i);
    h.x[rd(i)] =
      rs1(i) === 0
        ? readCsr(h, i, csrNumber(i))
        : modifyCsr(h, i, csrNumber(i), (old) => change(old, operand));
  };

const register: (h: Parameters<Run>[0], i: number) => bigint = (h, i) => h.x[rs1(i)];
const immediate: (h: Parameters<Run>[0], i: number) => bigint = (_h, i) => BigInt(uimm(i));
const set = (old: bigint, operand: bigint): bigint => old | operand;
const clear = (old: bigint, operand: bigint): bigint => old & ~operand;

export const zicsr: readonly Row[] = [
  row(
    'csrrw rd, csr, rs1',
    'csr rs1 001 rd 1110011',
    (h, i) => {
      h.x[rd(i)] = writeCsr(h, i, csrNumber(i), h.x[rs1(i)]);
    },
    withRegister(emitWrite),
  ),
  row(
    'csrrs rd, csr, rs1',
    'csr rs1 010 rd 1110011',
    modify(register, set),
    orReadOnly(withRegister(emitSet)),
  ),
  row(
    'csrrc rd, csr, rs1',
    'csr rs1 011 rd 1110011',
    modify(register, clear),
    orReadOnly(withRegister(emitClear)),
  ),
  row(
    'csrrwi rd, csr, uimm',
    'csr uimm 101 rd 1110011',
    (h, i) => {
      h.x[rd(i)] = writeCsr(h, i, csrNumber(i), BigInt(uimm(i)));
    },
    withImmediate(emitWrite),
  ),
  row(
    'csrrsi rd, csr, uimm',
    'csr uimm 110 rd 1110011',
    modify(immediate, set),
    orReadOnly(withImmediate(emitSet)),
  ),
  row(
    'csrrci rd, csr, uimm',
    'csr uimm 111 rd 1110011',
    modify(immediate, clear),
    orReadOnly(withImmediate(emitClear)),
  ),
];
