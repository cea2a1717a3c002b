/**
 * C, compressed instructions (unprivileged specification, chapter "C"): each is a shorter way to write a
 * 32-bit instruction, and is executed as that one. Where an operand value is reserved, `where` excludes it;
 * HINT encodings expand to what they look like, which changes nothing.
 */
import { compressed, encode, type Operands, type Row } from '../row.js';
import { rv64i } from './i.js';
import { privileged } from './privileged.js';

const base = new Map([...rv64i, ...privileged].map((row) => [row.name, row]));
const as = (name: string, operands: Operands = {}): number => encode(base.get(name)!, operands);

const RA = 1;
const SP = 2;

export const rv64c: readonly Row[] = [
  // Quadrant 0
  compressed(
    "c.addi4spn rd', nzuimm",
    "000 nzuimm[5:4|9:6|2|3] rd' 00",
    (o) => as('addi', { rd: o["rd'"], rs1: SP, imm: o.nzuimm }),
    (o) => o.nzuimm !== 0,
  ),
  compressed("c.lw rd', uimm(rs1')", "010 uimm[5:3] rs1' uimm[2|6] rd' 00", (o) =>
    as('lw', { rd: o["rd'"], rs1: o["rs1'"], imm: o.uimm }),
  ),
  compressed("c.ld rd', uimm(rs1')", "011 uimm[5:3] rs1' uimm[7:6] rd' 00", (o) =>
    as('ld', { rd: o["rd'"], rs1: o["rs1'"], imm: o.uimm }),
  ),
  compressed("c.sw rs2', uimm(rs1')", "110 uimm[5:3] rs1' uimm[2|6] rs2' 00", (o) =>
    as('sw', { rs2: o["rs2'"], rs1: o["rs1'"], imm: o.uimm }),
  ),
  compressed("c.sd rs2', uimm(rs1')", "111 uimm[5:3] rs1' uimm[7:6] rs2' 00", (o) =>
    as('sd', { rs2: o["rs2'"], rs1: o["rs1'"], imm: o.uimm }),
  ),

  // Quadrant 1
  compressed('c.addi rd, imm', '000 imm[5] rd imm[4:0] 01', (o) =>
    as('addi', { rd: o.rd, rs1: o.rd, imm: o.imm }),
  ),
  compressed(
    'c.addiw rd, imm',
    '001 imm[5] rd imm[4:0] 01',
    (o) => as('addiw', { rd: o.rd, rs1: o.rd, imm: o.imm }),
    (o) => o.rd !== 0,
  ),
  compressed('c.li rd, imm', '010 imm[5] rd imm[4:0] 01', (o) => as('addi', { rd: o.rd, imm: o.imm })),
  compressed(
    'c.addi16sp nzimm',
    '011 nzimm[9] 00010 nzimm[4|6|8:7|5] 01',
    (o) => as('addi', { rd: SP, rs1: SP, imm: o.nzimm }),
    (o) => o.nzimm !== 0,
  ),
  compressed(
    'c.lui rd, nzimm',
    '011 nzimm[17] rd nzimm[16:12] 01',
    (o) => as('lui', { rd: o.rd, imm: o.nzimm }),
    (o) => o.rd !== SP && o.nzimm !== 0,
  ),
  compressed("c.srli rd', shamt", "100 shamt[5] 00 rd' shamt[4:0] 01", (o) =>
    as('srli', { rd: o["rd'"], rs1: o["rd'"], shamt: o.shamt }),
  ),
  compressed("c.srai rd', shamt", "100 shamt[5] 01 rd' shamt[4:0] 01", (o) =>
    as('srai', { rd: o["rd'"], rs1: o["rd'"], shamt: o.shamt }),
  ),
  compressed("c.andi rd', imm", "100 imm[5] 10 rd' imm[4:0] 01", (o) =>
    as('andi', { rd: o["rd'"], rs1: o["rd'"], imm: o.imm }),
  ),
  ...[
    ['c.sub', '0 11', '00', 'sub'],
    ['c.xor', '0 11', '01', 'xor'],
    ['c.or', '0 11', '10', 'or'],
    ['c.and', '0 11', '11', 'and'],
    ['c.subw', '1 11', '00', 'subw'],
    ['c.addw', '1 11', '01', 'addw'],
  ].map(([name, high, low, full]) =>
    compressed(`${name} rd', rs2'`, `100 ${high} rd' ${low} rs2' 01`, (o) =>
      as(full, { rd: o["rd'"], rs1: o["rd'"], rs2: o["rs2'"] }),
    ),
  ),
  compressed('c.j imm', '101 imm[11|4|9:8|10|6|7|3:1|5] 01', (o) => as('jal', { imm: o.imm })),
  compressed("c.beqz rs1', imm", "110 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", (o) =>
    as('beq', { rs1: o["rs1'"], imm: o.imm }),
  ),
  compressed("c.bnez rs1', imm", "111 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", (o) =>
    as('bne', { rs1: o["rs1'"], imm: o.imm }),
  ),

  // Quadrant 2
  compressed('c.slli rd, shamt', '000 shamt[5] rd shamt[4:0] 10', (o) =>
    as('slli', { rd: o.rd, rs1: o.rd, shamt: o.shamt }),
  ),
  compressed(
    'c.lwsp rd, uimm(sp)',
    '010 uimm[5] rd uimm[4:2|7:6] 10',
    (o) => as('lw', { rd: o.rd, rs1: SP, imm: o.uimm }),
    (o) => o.rd !== 0,
  ),
  compressed(
    'c.ldsp rd, uimm(sp)',
    '011 uimm[5] rd uimm[4:3|8:6] 10',
    (o) => as('ld', { rd: o.rd, rs1: SP, imm: o.uimm }),
    (o) => o.rd !== 0,
  ),
  compressed(
    'c.jr rs1',
    '1000 rs1 00000 10',
    (o) => as('jalr', { rs1: o.rs1 }),
    (o) => o.rs1 !== 0,
  ),
  compressed(
    'c.mv rd, rs2',
    '1000 rd rs2 10',
    (o) => as('add', { rd: o.rd, rs2: o.rs2 }),
    (o) => o.rs2 !== 0,
  ),
  compressed('c.ebreak', '1001 00000 00000 10', () => as('ebreak')),
  compressed(
    'c.jalr rs1',
    '1001 rs1 00000 10',
    (o) => as('jalr', { rd: RA, rs1: o.rs1 }),
    (o) => o.rs1 !== 0,
  ),
  compressed(
    'c.add rd, rs2',
    '1001 rd rs2 10',
    (o) => as('add', { rd: o.rd, rs1: o.rd, rs2: o.rs2 }),
    (o) => o.rs2 !== 0,
  ),
  compressed('c.swsp rs2, uimm(sp)', '110 uimm[5:2|7:6] rs2 10', (o) =>
    as('sw', { rs2: o.rs2, rs1: SP, imm: o.uimm }),
  ),
  compressed('c.sdsp rs2, uimm(sp)', '111 uimm[5:3|8:6] rs2 10', (o) =>
    as('sd', { rs2: o.rs2, rs1: SP, imm: o.uimm }),
  ),
];
