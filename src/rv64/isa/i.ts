/** RV64I, the base integer instructions, and Zifencei (unprivileged specification, chapters "RV32I", "RV64I", "Zifencei"). */
import { immB, immI, immJ, immS, immU, rd, rs1, rs2, shamt, shamtW } from '../fields.js';
import { row, type Row } from '../row.js';

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);

export const rv64i: readonly Row[] = [
  row(
    'lui rd, imm',
    'imm[31:12] rd 0110111',
    (h, i) => {
      h.x[rd(i)] = BigInt(immU(i));
    },
    (t, i) => t.set(rd(i), t.i64.constant(immU(i))),
  ),
  row(
    'auipc rd, imm',
    'imm[31:12] rd 0010111',
    (h, i) => {
      h.x[rd(i)] = h.pc + BigInt(immU(i));
    },
    (t, i) => t.set(rd(i), t.i64.add(t.pc(), t.i64.constant(immU(i)))),
  ),

  row(
    'jal rd, imm',
    'imm[20|10:1|11|19:12] rd 1101111',
    (h, i) => {
      h.x[rd(i)] = h.nextPc;
      h.branch(immJ(i));
    },
    (t, i) => t.jump(immJ(i), rd(i)),
  ),
  row(
    'jalr rd, imm(rs1)',
    'imm[11:0] rs1 000 rd 1100111',
    (h, i) => {
      const target = h.x[rs1(i)] + BigInt(immI(i));
      h.x[rd(i)] = h.nextPc;
      h.nextPc = target & ~1n;
    },
    (t, i) => {
      const target = t.i64.add(t.x(rs1(i)), t.i64.constant(immI(i)));
      t.jumpTo(t.i64.and(target, t.i64.constant(~1)), rd(i));
    },
  ),

  row(
    'beq rs1, rs2, imm',
    'imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011',
    (h, i) => {
      if (h.x[rs1(i)] === h.x[rs2(i)]) h.branch(immB(i));
    },
    (t, i) => t.branch(t.i64.eq(t.x(rs1(i)), t.x(rs2(i))), immB(i)),
  ),
  row(
    'bne rs1, rs2, imm',
    'imm[12|10:5] rs2 rs1 001 imm[4:1|11] 1100011',
    (h, i) => {
      if (h.x[rs1(i)] !== h.x[rs2(i)]) h.branch(immB(i));
    },
    (t, i) => t.branch(t.i64.ne(t.x(rs1(i)), t.x(rs2(i))), immB(i)),
  ),
  row(
    'blt rs1, rs2, imm',
    'imm[12|10:5] rs2 rs1 100 imm[4:1|11] 1100011',
    (h, i) => {
      if (h.x[rs1(i)] < h.x[rs2(i)]) h.branch(immB(i));
    },
    (t, i) => t.branch(t.i64.ltS(t.x(rs1(i)), t.x(rs2(i))), immB(i)),
  ),
  row(
    'bge rs1, rs2, imm',
    'imm[12|10:5] rs2 rs1 101 imm[4:1|11] 1100011',
    (h, i) => {
      if (h.x[rs1(i)] >= h.x[rs2(i)]) h.branch(immB(i));
    },
    (t, i) => t.branch(t.i64.geS(t.x(rs1(i)), t.x(rs2(i))), immB(i)),
  ),
  row(
    'bltu rs1, rs2, imm',
    'imm[12|10:5] rs2 rs1 110 imm[4:1|11] 1100011',
    (h, i) => {
      if (unsigned(h.x[rs1(i)]) < unsigned(h.x[rs2(i)])) h.branch(immB(i));
    },
    (t, i) => t.branch(t.i64.ltU(t.x(rs1(i)), t.x(rs2(i))), immB(i)),
  ),
  row(
    'bgeu rs1, rs2, imm',
    'imm[12|10:5] rs2 rs1 111 imm[4:1|11] 1100011',
    (h, i) => {
      if (unsigned(h.x[rs1(i)]) >= unsigned(h.x[rs2(i)])) h.branch(immB(i));
    },
    (t, i) => t.branch(t.i64.geU(t.x(rs1(i)), t.x(rs2(i))), immB(i)),
  ),

  row(
    'lb rd, imm(rs1)',
    'imm[11:0] rs1 000 rd 0000011',
    (h, i) => {
      h.x[rd(i)] = BigInt((h.load8(rs1(i), immI(i)) << 24) >> 24);
    },
    (t, i) => t.load('s8', rd(i), rs1(i), immI(i)),
  ),
  row(
    'lh rd, imm(rs1)',
    'imm[11:0] rs1 001 rd 0000011',
    (h, i) => {
      h.x[rd(i)] = BigInt((h.load16(rs1(i), immI(i)) << 16) >> 16);
    },
    (t, i) => t.load('s16', rd(i), rs1(i), immI(i)),
  ),
  row(
    'lw rd, imm(rs1)',
    'imm[11:0] rs1 010 rd 0000011',
    (h, i) => {
      h.x[rd(i)] = BigInt(h.load32(rs1(i), immI(i)));
    },
    (t, i) => t.load('s32', rd(i), rs1(i), immI(i)),
  ),
  row(
    'ld rd, imm(rs1)',
    'imm[11:0] rs1 011 rd 0000011',
    (h, i) => {
      h.x[rd(i)] = h.load64(rs1(i), immI(i));
    },
    (t, i) => t.load('64', rd(i), rs1(i), immI(i)),
  ),
  row(
    'lbu rd, imm(rs1)',
    'imm[11:0] rs1 100 rd 0000011',
    (h, i) => {
      h.x[rd(i)] = BigInt(h.load8(rs1(i), immI(i)));
    },
    (t, i) => t.load('u8', rd(i), rs1(i), immI(i)),
  ),
  row(
    'lhu rd, imm(rs1)',
    'imm[11:0] rs1 101 rd 0000011',
    (h, i) => {
      h.x[rd(i)] = BigInt(h.load16(rs1(i), immI(i)));
    },
    (t, i) => t.load('u16', rd(i), rs1(i), immI(i)),
  ),
  row(
    'lwu rd, imm(rs1)',
    'imm[11:0] rs1 110 rd 0000011',
    (h, i) => {
      h.x[rd(i)] = BigInt(h.load32(rs1(i), immI(i)) >>> 0);
    },
    (t, i) => t.load('u32', rd(i), rs1(i), immI(i)),
  ),

  row(
    'sb rs2, imm(rs1)',
    'imm[11:5] rs2 rs1 000 imm[4:0] 0100011',
    (h, i) => {
      h.store8(rs1(i), immS(i), h.low(rs2(i)));
    },
    (t, i) => t.store(1, rs1(i), immS(i), t.x(rs2(i))),
  ),
  row(
    'sh rs2, imm(rs1)',
    'imm[11:5] rs2 rs1 001 imm[4:0] 0100011',
    (h, i) => {
      h.store16(rs1(i), immS(i), h.low(rs2(i)));
    },
    (t, i) => t.store(2, rs1(i), immS(i), t.x(rs2(i))),
  ),
  row(
    'sw rs2, imm(rs1)',
    'imm[11:5] rs2 rs1 010 imm[4:0] 0100011',
    (h, i) => {
      h.store32(rs1(i), immS(i), h.low(rs2(i)));
    },
    (t, i) => t.store(4, rs1(i), immS(i), t.x(rs2(i))),
  ),
  row(
    'sd rs2, imm(rs1)',
    'imm[11:5] rs2 rs1 011 imm[4:0] 0100011',
    (h, i) => {
      h.store64(rs1(i), immS(i), h.x[rs2(i)]);
    },
    (t, i) => t.store(8, rs1(i), immS(i), t.x(rs2(i))),
  ),

  row(
    'addi rd, rs1, imm',
    'imm[11:0] rs1 000 rd 0010011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] + BigInt(immI(i));
    },
    (t, i) => t.set(rd(i), t.i64.add(t.x(rs1(i)), t.i64.constant(immI(i)))),
  ),
  row(
    'slti rd, rs1, imm',
    'imm[11:0] rs1 010 rd 0010011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] < BigInt(immI(i)) ? 1n : 0n;
    },
    (t, i) => t.set(rd(i), t.zeroExtend(t.i64.ltS(t.x(rs1(i)), t.i64.constant(immI(i))))),
  ),
  row(
    'sltiu rd, rs1, imm',
    'imm[11:0] rs1 011 rd 0010011',
    (h, i) => {
      h.x[rd(i)] = unsigned(h.x[rs1(i)]) < unsigned(BigInt(immI(i))) ? 1n : 0n;
    },
    (t, i) => t.set(rd(i), t.zeroExtend(t.i64.ltU(t.x(rs1(i)), t.i64.constant(immI(i))))),
  ),
  row(
    'xori rd, rs1, imm',
    'imm[11:0] rs1 100 rd 0010011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] ^ BigInt(immI(i));
    },
    (t, i) => t.set(rd(i), t.i64.xor(t.x(rs1(i)), t.i64.constant(immI(i)))),
  ),
  row(
    'ori rd, rs1, imm',
    'imm[11:0] rs1 110 rd 0010011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] | BigInt(immI(i));
    },
    (t, i) => t.set(rd(i), t.i64.or(t.x(rs1(i)), t.i64.constant(immI(i)))),
  ),
  row(
    'andi rd, rs1, imm',
    'imm[11:0] rs1 111 rd 0010011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] & BigInt(immI(i));
    },
    (t, i) => t.set(rd(i), t.i64.and(t.x(rs1(i)), t.i64.constant(immI(i)))),
  ),
  row(
    'slli rd, rs1, shamt',
    '000000 shamt rs1 001 rd 0010011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] << BigInt(shamt(i));
    },
    (t, i) => t.set(rd(i), t.i64.shl(t.x(rs1(i)), t.i64.constant(shamt(i)))),
  ),
  row(
    'srli rd, rs1, shamt',
    '000000 shamt rs1 101 rd 0010011',
    (h, i) => {
      h.x[rd(i)] = unsigned(h.x[rs1(i)]) >> BigInt(shamt(i));
    },
    (t, i) => t.set(rd(i), t.i64.shrU(t.x(rs1(i)), t.i64.constant(shamt(i)))),
  ),
  row(
    'srai rd, rs1, shamt',
    '010000 shamt rs1 101 rd 0010011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] >> BigInt(shamt(i));
    },
    (t, i) => t.set(rd(i), t.i64.shrS(t.x(rs1(i)), t.i64.constant(shamt(i)))),
  ),

  row(
    'add rd, rs1, rs2',
    '0000000 rs2 rs1 000 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] + h.x[rs2(i)];
    },
    (t, i) => t.set(rd(i), t.i64.add(t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'sub rd, rs1, rs2',
    '0100000 rs2 rs1 000 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] - h.x[rs2(i)];
    },
    (t, i) => t.set(rd(i), t.i64.sub(t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'sll rd, rs1, rs2',
    '0000000 rs2 rs1 001 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] << BigInt(h.low(rs2(i)) & 63);
    },
    (t, i) => t.set(rd(i), t.i64.shl(t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'slt rd, rs1, rs2',
    '0000000 rs2 rs1 010 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] < h.x[rs2(i)] ? 1n : 0n;
    },
    (t, i) => t.set(rd(i), t.zeroExtend(t.i64.ltS(t.x(rs1(i)), t.x(rs2(i))))),
  ),
  row(
    'sltu rd, rs1, rs2',
    '0000000 rs2 rs1 011 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = unsigned(h.x[rs1(i)]) < unsigned(h.x[rs2(i)]) ? 1n : 0n;
    },
    (t, i) => t.set(rd(i), t.zeroExtend(t.i64.ltU(t.x(rs1(i)), t.x(rs2(i))))),
  ),
  row(
    'xor rd, rs1, rs2',
    '0000000 rs2 rs1 100 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] ^ h.x[rs2(i)];
    },
    (t, i) => t.set(rd(i), t.i64.xor(t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'srl rd, rs1, rs2',
    '0000000 rs2 rs1 101 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = unsigned(h.x[rs1(i)]) >> BigInt(h.low(rs2(i)) & 63);
    },
    (t, i) => t.set(rd(i), t.i64.shrU(t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'sra rd, rs1, rs2',
    '0100000 rs2 rs1 101 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] >> BigInt(h.low(rs2(i)) & 63);
    },
    (t, i) => t.set(rd(i), t.i64.shrS(t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'or rd, rs1, rs2',
    '0000000 rs2 rs1 110 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] | h.x[rs2(i)];
    },
    (t, i) => t.set(rd(i), t.i64.or(t.x(rs1(i)), t.x(rs2(i)))),
  ),
  row(
    'and rd, rs1, rs2',
    '0000000 rs2 rs1 111 rd 0110011',
    (h, i) => {
      h.x[rd(i)] = h.x[rs1(i)] & h.x[rs2(i)];
    },
    (t, i) => t.set(rd(i), t.i64.and(t.x(rs1(i)), t.x(rs2(i)))),
  ),

  row(
    'addiw rd, rs1, imm',
    'imm[11:0] rs1 000 rd 0011011',
    (h, i) => {
      h.x[rd(i)] = BigInt((h.low(rs1(i)) + immI(i)) | 0);
    },
    (t, i) => t.set(rd(i), t.signExtend(t.i32.add(t.low(rs1(i)), t.i32.constant(immI(i))))),
  ),
  row(
    'slliw rd, rs1, shamtw',
    '0000000 shamtw rs1 001 rd 0011011',
    (h, i) => {
      h.x[rd(i)] = BigInt(h.low(rs1(i)) << shamtW(i));
    },
    (t, i) => t.set(rd(i), t.signExtend(t.i32.shl(t.low(rs1(i)), t.i32.constant(shamtW(i))))),
  ),
  row(
    'srliw rd, rs1, shamtw',
    '0000000 shamtw rs1 101 rd 0011011',
    (h, i) => {
      h.x[rd(i)] = BigInt((h.low(rs1(i)) >>> shamtW(i)) | 0);
    },
    (t, i) => t.set(rd(i), t.signExtend(t.i32.shrU(t.low(rs1(i)), t.i32.constant(shamtW(i))))),
  ),
  row(
    'sraiw rd, rs1, shamtw',
    '0100000 shamtw rs1 101 rd 0011011',
    (h, i) => {
      h.x[rd(i)] = BigInt(h.low(rs1(i)) >> shamtW(i));
    },
    (t, i) => t.set(rd(i), t.signExtend(t.i32.shrS(t.low(rs1(i)), t.i32.constant(shamtW(i))))),
  ),
  row(
    'addw rd, rs1, rs2',
    '0000000 rs2 rs1 000 rd 0111011',
    (h, i) => {
      h.x[rd(i)] = BigInt((h.low(rs1(i)) + h.low(rs2(i))) | 0);
    },
    (t, i) => t.set(rd(i), t.signExtend(t.i32.add(t.low(rs1(i)), t.low(rs2(i))))),
  ),
  row(
    'subw rd, rs1, rs2',
    '0100000 rs2 rs1 000 rd 0111011',
    (h, i) => {
      h.x[rd(i)] = BigInt((h.low(rs1(i)) - h.low(rs2(i))) | 0);
    },
    (t, i) => t.set(rd(i), t.signExtend(t.i32.sub(t.low(rs1(i)), t.low(rs2(i))))),
  ),
  row(
    'sllw rd, rs1, rs2',
    '0000000 rs2 rs1 001 rd 0111011',
    (h, i) => {
      h.x[rd(i)] = BigInt(h.low(rs1(i)) << (h.low(rs2(i)) & 31));
    },
    (t, i) => t.set(rd(i), t.signExtend(t.i32.shl(t.low(rs1(i)), t.low(rs2(i))))),
  ),
  row(
    'srlw rd, rs1, rs2',
    '0000000 rs2 rs1 101 rd 0111011',
    (h, i) => {
      h.x[rd(i)] = BigInt((h.low(rs1(i)) >>> (h.low(rs2(i)) & 31)) | 0);
    },
    (t, i) => t.set(rd(i), t.signExtend(t.i32.shrU(t.low(rs1(i)), t.low(rs2(i))))),
  ),
  row(
    'sraw rd, rs1, rs2',
    '0100000 rs2 rs1 101 rd 0111011',
    (h, i) => {
      h.x[rd(i)] = BigInt(h.low(rs1(i)) >> (h.low(rs2(i)) & 31));
    },
    (t, i) => t.set(rd(i), t.signExtend(t.i32.shrS(t.low(rs1(i)), t.low(rs2(i))))),
  ),

  // One thread runs all harts, so memory is sequentially consistent and a fence orders what is ordered already.
  row(
    'fence pred, succ',
    'fm pred succ rs1 000 rd 0001111',
    () => {},
    () => {},
  ),
  // Decoded instructions are dropped when a store changes them, so fetches are always coherent with stores.
  row('fence.i', 'imm[11:0] rs1 001 rd 0001111', (h) => {
    h.strict?.fenceInstructions(h);
  }),
];
