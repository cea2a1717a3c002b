/**
 * A, atomic instructions (unprivileged specification, chapter "A"). One thread runs all harts and no slice ends
 * inside an instruction, so each is atomic as it stands; aq and rl have nothing left to order.
 */
import { rd, rs1, rs2 } from '../fields.js';
import type { Emitter, I64 } from '../emitter.js';
import { row, type Row } from '../row.js';

/** What an AMO stores, in translated code; operands of words are sign-extended. */
type EmitCombine = (t: Emitter, memory: I64, register: I64) => I64;

/**
 * The rows of one atomic memory operation on words and double words; `combine` gives what is stored. What leaves memory
 * as it was, and that not 0, is taken for the test-and-set of a lock that another hart holds.
 */
function amo(
  name: string,
  funct5: string,
  combine: (memory: bigint, register: bigint) => bigint,
  emit: EmitCombine,
): Row[] {
  return [
    row(
      `${name}.w rd, rs2, (rs1)`,
      `${funct5} aq rl rs2 rs1 010 rd 0101111`,
      (h, i) => {
        const at = h.atomicAddress(rs1(i), 4);
        const old = h.state.view.getInt32(at, true);
        const result = Number(BigInt.asIntN(32, combine(BigInt(old), BigInt(h.low(rs2(i))))));
        h.state.view.setInt32(at, result, true);
        if (result === old && old !== 0) h.refuse();
        h.x[rd(i)] = BigInt(old);
      },
      (t, i) => {
        const register = t.signExtend(t.low(rs2(i)));
        t.atomic(4, rd(i), rs1(i), (memory) => emit(t, memory, register));
      },
    ),
    row(
      `${name}.d rd, rs2, (rs1)`,
      `${funct5} aq rl rs2 rs1 011 rd 0101111`,
      (h, i) => {
        const at = h.atomicAddress(rs1(i), 8);
        const old = h.state.view.getBigInt64(at, true);
        const result = BigInt.asIntN(64, combine(old, h.x[rs2(i)]));
        h.state.view.setBigInt64(at, result, true);
        if (result === old && old !== 0n) h.refuse();
        h.x[rd(i)] = old;
      },
      (t, i) => {
        t.atomic(8, rd(i), rs1(i), (memory) => emit(t, memory, t.x(rs2(i))));
      },
    ),
  ];
}

/** Compares as unsigned; both operands are sign-extended from the same width, which keeps the order. */
const below = (a: bigint, b: bigint): boolean => BigInt.asUintN(64, a) < BigInt.asUintN(64, b);

export const rv64a: readonly Row[] = [
  row('lr.w rd, (rs1)', '00010 aq rl 00000 rs1 010 rd 0101111', (h, i) => {
    const at = h.reserve(rs1(i), 4);
    h.x[rd(i)] = BigInt(h.state.view.getInt32(at, true));
  }),
  row('lr.d rd, (rs1)', '00010 aq rl 00000 rs1 011 rd 0101111', (h, i) => {
    const at = h.reserve(rs1(i), 8);
    h.x[rd(i)] = h.state.view.getBigInt64(at, true);
  }),
  row('sc.w rd, rs2, (rs1)', '00011 aq rl rs2 rs1 010 rd 0101111', (h, i) => {
    const at = h.atomicAddress(rs1(i), 4);
    const reserved = h.takeReservation(at);
    if (reserved) h.state.view.setInt32(at, h.low(rs2(i)), true);
    h.x[rd(i)] = reserved ? 0n : 1n;
  }),
  row('sc.d rd, rs2, (rs1)', '00011 aq rl rs2 rs1 011 rd 0101111', (h, i) => {
    const at = h.atomicAddress(rs1(i), 8);
    const reserved = h.takeReservation(at);
    if (reserved) h.state.view.setBigInt64(at, h.x[rs2(i)], true);
    h.x[rd(i)] = reserved ? 0n : 1n;
  }),
  ...amo(
    'amoswap',
    '00001',
    (_memory, register) => register,
    (_t, _memory, register) => register,
  ),
  ...amo(
    'amoadd',
    '00000',
    (memory, register) => memory + register,
    (t, memory, register) => t.i64.add(memory, register),
  ),
  ...amo(
    'amoxor',
    '00100',
    (memory, register) => memory ^ register,
    (t, memory, register) => t.i64.xor(memory, register),
  ),
  ...amo(
    'amoand',
    '01100',
    (memory, register) => memory & register,
    (t, memory, register) => t.i64.and(memory, register),
  ),
  ...amo(
    'amoor',
    '01000',
    (memory, register) => memory | register,
    (t, memory, register) => t.i64.or(memory, register),
  ),
  ...amo(
    'amomin',
    '10000',
    (memory, register) => (memory < register ? memory : register),
    (t, memory, register) => t.i64.select(t.i64.ltS(memory, register), memory, register),
  ),
  ...amo(
    'amomax',
    '10100',
    (memory, register) => (memory > register ? memory : register),
    (t, memory, register) => t.i64.select(t.i64.gtS(memory, register), memory, register),
  ),
  ...amo(
    'amominu',
    '11000',
    (memory, register) => (below(memory, register) ? memory : register),
    (t, memory, register) => t.i64.select(t.i64.ltU(memory, register), memory, register),
  ),
  ...amo(
    'amomaxu',
    '11100',
    (memory, register) => (below(register, memory) ? memory : register),
    (t, memory, register) => t.i64.select(t.i64.gtU(memory, register), memory, register),
  ),
];
