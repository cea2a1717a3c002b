/** M, integer multiplication and division (unprivileged specification, chapter "M"). */
import type { Operations } from '../emitter.js';
import { rd, rs1, rs2 } from '../fields.js';
import { row, type Row } from '../row.js';

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Signed 32-bit quotient and remainder with the specification's results for zero and overflow. */
const quotientW = (a: number, b: number): number => (b === 0 ? -1 : (a / b) | 0);
const remainderW = (a: number, b: number): number => (b === 0 ? a : (a % b) | 0);

/**
 * The same in translated code. The operations know neither a divisor of 0 nor the signed overflow, so a divisor of 1
 * stands in for those.
 */
function quotient<T>(ops: Operations<T>, divide: 'divS' | 'divU', a: T, b: T): T {
  const [zero, one, minusOne] = [0, 1, -1].map(ops.constant);
  const isZero = ops.eqz(b);
  let divisor = ops.select(isZero, one, b);
  // Dividing by -1 is negating, which overflows to the same number.
  if (divide === 'divS') divisor = ops.select(ops.eq(b, minusOne), one, divisor);
  const result = ops[divide](a, divisor);
  if (divide === 'divU') return ops.select(isZero, minusOne, result);
  return ops.select(isZero, minusOne, ops.select(ops.eq(b, minusOne), ops.sub(zero, a), result));
}

function remainder<T>(ops: Operations<T>, divide: 'remS' | 'remU', a: T, b: T): T {
  const isZero = ops.eqz(b);
  return ops.select(isZero, a, ops[divide](a, ops.select(isZero, ops.constant(1), b)));
}

export const rv64m: readonly Row[] = [
  row(
    'mul rd, rs1, rs2',
    '0000001 rs2 rs1 000 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] * h.x[rs2(i)];
    },
    (t, i) => t.set(rd(i), t.i64.mul(t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'mulh rd, rs1, rs2',
    '0000001 rs2 rs1 001 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = (h.x[rs1(i)] * h.x[rs2(i)]) >> 64n;
    },
    (t, i) => t.set(rd(i), t.highProduct('mulh', t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'mulhsu rd, rs1, rs2',
    '0000001 rs2 rs1 010 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = (h.x[rs1(i)] * unsigned(h.x[rs2(i)])) >> 64n;
    },
    (t, i) => t.set(rd(i), t.highProduct('mulhsu', t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'mulhu rd, rs1, rs2',
    '0000001 rs2 rs1 011 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = (unsigned(h.x[rs1(i)]) * unsigned(h.x[rs2(i)])) >> 64n;
    },
    (t, i) => t.set(rd(i), t.highProduct('mulhu', t.x(rs1(i)), t.x(rs2(i)))),
  ),
  // The one signed overflow, -2^63 / -1, comes out right because the store keeps the low 64 bits of 2^63.
  row(
    'div rd, rs1, rs2',
    '0000001 rs2 rs1 100 rd 0110011',
    (h, i) => {
      const divisor = h.x[rs2(i)];
      h.x[rd(i)] = divisor === 0n ? -1n : h.x[rs1(i)] / divisor;
    },
    (t, i) => t.set(rd(i), quotient(t.i64, 'divS', t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'divu rd, rs1, rs2',
    '0000001 rs2 rs1 101 rd 0110011',
    (h, i) => {
      const divisor = unsigned(h.x[rs2(i)]);
      h.x[rd(i)] = divisor === 0n ? -1n : unsigned(h.x[rs1(i)]) / divisor;
    },
    (t, i) => t.set(rd(i), quotient(t.i64, 'divU', t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'rem rd, rs1, rs2',
    '0000001 rs2 rs1 110 rd 0110011',
    (h, i) => {
      const divisor = h.x[rs2(i)];
      h.x[rd(i)] = divisor === 0n ? h.x[rs1(i)] : h.x[rs1(i)] % divisor;
    },
    (t, i) => t.set(rd(i), remainder(t.i64, 'remS', t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'remu rd, rs1, rs2',
    '0000001 rs2 rs1 111 rd 0110011',
    (h, i) => {
      const divisor = unsigned(h.x[rs2(i)]);
      h.x[rd(i)] = divisor === 0n ? h.x[rs1(i)] : unsigned(h.x[rs1(i)]) % divisor;
    },
    (t, i) => t.set(rd(i), remainder(t.i64, 'remU', t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'mulw rd, rs1, rs2',
    '0000001 rs2 rs1 000 rd 0111011',
    (h, i) => {
      h.x[rd(i)] = BigInt(Math.imul(h.low(rs1(i)), h.low(rs2(i))));
    },
    (t, i) => t.set(rd(i), t.signExtend(t.i32.mul(t.low(rs1(i)), t.low(rs2(i))))),
  ),
  row(
    'divw rd, rs1, rs2',
    '0000001 rs2 rs1 100 rd 0111011',
    (h, i) => {
      h.x[rd(i)] = BigInt(quotientW(h.low(rs1(i)), h.low(rs2(i))));
    },
    (t, i) => t.set(rd(i), t.signExtend(quotient(t.i32, 'divS', t.low(rs1(i)), t.low(rs2(i))))),
  ),
  row(
    'divuw rd, rs1, rs2',
    '0000001 rs2 rs1 101 rd 0111011',
    (h, i) => {
      h.x[rd(i)] = BigInt(quotientW(h.low(rs1(i)) >>> 0, h.low(rs2(i)) >>> 0));
    },
    (t, i) => t.set(rd(i), t.signExtend(quotient(t.i32, 'divU', t.low(rs1(i)), t.low(rs2(i))))),
  ),
  row(
    'remw rd, rs1, rs2',
    '0000001 rs2 rs1 110 rd 0111011',
    (h, i) => {
      h.x[rd(i)] = BigInt(remainderW(h.low(rs1(i)), h.low(rs2(i))));
    },
    (t, i) => t.set(rd(i), t.signExtend(remainder(t.i32, 'remS', t.low(rs1(i)), t.low(rs2(i))))),
  ),
  row(
    'remuw rd, rs1, rs2',
    '0000001 rs2 rs1 111 rd 0111011',
    (h, i) => {
      h.x[rd(i)] = BigInt(remainderW(h.low(rs1(i)) >>> 0, h.low(rs2(i)) >>> 0) | 0);
    },
    (t, i) => t.set(rd(i), t.signExtend(remainder(t.i32, 'remU', t.low(rs1(i)), t.low(rs2(i))))),
  ),
];
