/** M, integer multiplication and division (unprivileged specification, chapter "M"). */
import { rd, rs1, rs2 } from '../fields.js';
import { row, type Row } from '../row.js';

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Signed 32-bit quotient and remainder with the specification's results for zero and overflow. */
const quotientW = (a: number, b: number): number => (b === 0 ? -1 : (a / b) | 0);
const remainderW = (a: number, b: number): number => (b === 0 ? a : (a % b) | 0);

export const rv64m: readonly Row[] = [
  row('mul rd, rs1, rs2', '0000001 rs2 rs1 000 rd 0110011', (h, i) => {
    h.x[rd(i)] = h.x[rs1(i)] * h.x[rs2(i)];
  }),
  row('mulh rd, rs1, rs2', '0000001 rs2 rs1 001 rd 0110011', (h, i) => {
    h.x[rd(i)] = (h.x[rs1(i)] * h.x[rs2(i)]) >> 64n;
  }),
  row('mulhsu rd, rs1, rs2', '0000001 rs2 rs1 010 rd 0110011', (h, i) => {
    h.x[rd(i)] = (h.x[rs1(i)] * unsigned(h.x[rs2(i)])) >> 64n;
  }),
  row('mulhu rd, rs1, rs2', '0000001 rs2 rs1 011 rd 0110011', (h, i) => {
    h.x[rd(i)] = (unsigned(h.x[rs1(i)]) * unsigned(h.x[rs2(i)])) >> 64n;
  }),
  // The one signed overflow, -2^63 / -1, comes out right because the store keeps the low 64 bits of 2^63.
  row('div rd, rs1, rs2', '0000001 rs2 rs1 100 rd 0110011', (h, i) => {
    const divisor = h.x[rs2(i)];
    h.x[rd(i)] = divisor === 0n ? -1n : h.x[rs1(i)] / divisor;
  }),
  row('divu rd, rs1, rs2', '0000001 rs2 rs1 101 rd 0110011', (h, i) => {
    const divisor = unsigned(h.x[rs2(i)]);
    h.x[rd(i)] = divisor === 0n ? -1n : unsigned(h.x[rs1(i)]) / divisor;
  }),
  row('rem rd, rs1, rs2', '0000001 rs2 rs1 110 rd 0110011', (h, i) => {
    const divisor = h.x[rs2(i)];
    h.x[rd(i)] = divisor === 0n ? h.x[rs1(i)] : h.x[rs1(i)] % divisor;
  }),
  row('remu rd, rs1, rs2', '0000001 rs2 rs1 111 rd 0110011', (h, i) => {
    const divisor = unsigned(h.x[rs2(i)]);
    h.x[rd(i)] = divisor === 0n ? h.x[rs1(i)] : unsigned(h.x[rs1(i)]) % divisor;
  }),
  row('mulw rd, rs1, rs2', '0000001 rs2 rs1 000 rd 0111011', (h, i) => {
    h.x[rd(i)] = BigInt(Math.imul(h.low(rs1(i)), h.low(rs2(i))));
  }),
  row('divw rd, rs1, rs2', '0000001 rs2 rs1 100 rd 0111011', (h, i) => {
    h.x[rd(i)] = BigInt(quotientW(h.low(rs1(i)), h.low(rs2(i))));
  }),
  row('divuw rd, rs1, rs2', '0000001 rs2 rs1 101 rd 0111011', (h, i) => {
    h.x[rd(i)] = BigInt(quotientW(h.low(rs1(i)) >>> 0, h.low(rs2(i)) >>> 0));
  }),
  row('remw rd, rs1, rs2', '0000001 rs2 rs1 110 rd 0111011', (h, i) => {
    h.x[rd(i)] = BigInt(remainderW(h.low(rs1(i)), h.low(rs2(i))));
  }),
  row('remuw rd, rs1, rs2', '0000001 rs2 rs1 111 rd 0111011', (h, i) => {
    h.x[rd(i)] = BigInt(remainderW(h.low(rs1(i)) >>> 0, h.low(rs2(i)) >>> 0) | 0);
  }),
];
