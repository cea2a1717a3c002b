import { describe, expect, test } from 'vitest';
import { rv64i } from '../../src/rv64/isa/i.js';
import { rv64m } from '../../src/rv64/isa/m.js';
import { boot } from '../support/hart.js';

/** Numbers around every edge: zero, the shift widths, both ends of 32 and of 64 bits, and some with no pattern. */
const EDGES = [
  ...[0n, 1n, -1n, 2n, -2n, 3n, 31n, 32n, 63n, 64n, 65n],
  ...[0x7fff_ffffn, 0x8000_0000n, -0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n],
  ...[0x7fff_ffff_ffff_ffffn, -0x8000_0000_0000_0000n, -0x7fff_ffff_ffff_ffffn],
  ...[0x1234_5678_9abc_def0n, -0x1234_5678_9abc_def0n, 0x0000_0000_8000_0001n],
];
const IMMEDIATES = [0n, 1n, -1n, 2n, 100n, 2047n, -2048n];

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
const word = (value: bigint): bigint => BigInt.asIntN(32, value);
const unsignedWord = (value: bigint): bigint => BigInt.asUintN(32, value);
const flag = (condition: boolean): bigint => (condition ? 1n : 0n);

/** Division rounds towards zero; by zero the quotient is all ones and the remainder the dividend. */
const quotient = (a: bigint, b: bigint): bigint => (b === 0n ? -1n : a / b);
const remainder = (a: bigint, b: bigint): bigint => (b === 0n ? a : a - b * (a / b));

type Formula = (a: bigint, b: bigint) => bigint;

/** What the specification says each instruction computes, of signed 64-bit operands; the result is cut to 64 bits. */
const REGISTER_FORMULAS: Readonly<Record<string, Formula>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  sll: (a, b) => a * 2n ** (b & 63n),
  slt: (a, b) => flag(a < b),
  sltu: (a, b) => flag(unsigned(a) < unsigned(b)),
  xor: (a, b) => (a | b) - (a & b),
  srl: (a, b) => unsigned(a) / 2n ** (b & 63n),
  sra: (a, b) => (a - BigInt.asUintN(Number(b & 63n), a)) / 2n ** (b & 63n),
  or: (a, b) => ~(~a & ~b),
  and: (a, b) => ~(~a | ~b),
  addw: (a, b) => word(a + b),
  subw: (a, b) => word(a - b),
  sllw: (a, b) => word(a * 2n ** (b & 31n)),
  srlw: (a, b) => word(unsignedWord(a) / 2n ** (b & 31n)),
  sraw: (a, b) => (word(a) - BigInt.asUintN(Number(b & 31n), a)) / 2n ** (b & 31n),
  mul: (a, b) => a * b,
  mulh: (a, b) => (a * b) >> 64n,
  mulhsu: (a, b) => (a * unsigned(b)) >> 64n,
  mulhu: (a, b) => (unsigned(a) * unsigned(b)) >> 64n,
  div: quotient,
  divu: (a, b) => quotient(unsigned(a), unsigned(b)),
  rem: remainder,
  remu: (a, b) => remainder(unsigned(a), unsigned(b)),
  mulw: (a, b) => word(a * b),
  divw: (a, b) => word(quotient(word(a), word(b))),
  divuw: (a, b) => word(quotient(unsignedWord(a), unsignedWord(b))),
  remw: (a, b) => word(remainder(word(a), word(b))),
  remuw: (a, b) => word(remainder(unsignedWord(a), unsignedWord(b))),
};

/** An instruction with an immediate computes what its twin does with a register. */
const IMMEDIATE_TWINS: Readonly<Record<string, string>> = {
  ...{ addi: 'add', slti: 'slt', sltiu: 'sltu', xori: 'xor', ori: 'or', andi: 'and', addiw: 'addw' },
  ...{ slli: 'sll', srli: 'srl', srai: 'sra', slliw: 'sllw', srliw: 'srlw', sraiw: 'sraw' },
};

const namesWith = (syntax: RegExp): string[] =>
  [...rv64i, ...rv64m].filter((row) => syntax.test(row.syntax)).map((row) => row.name);

describe('integer instructions', () => {
  test.each(namesWith(/^rd, rs1, rs2$/))(
    '%s computes what the specification says, of edge operands',
    (name) => {
      const h = boot();
      const program = h.load(`${name} a2, a0, a1`);
      for (const a of EDGES) {
        for (const b of EDGES) {
          Object.assign(h.x, { a0: a, a1: b });
          h.runLoaded(program);
          expect(h.x.a2, `${name} of ${a} and ${b}`).toBe(BigInt.asIntN(64, REGISTER_FORMULAS[name](a, b)));
        }
      }
    },
  );

  test.each(namesWith(/^rd, rs1, (imm|shamtw?)$/))('%s computes what its register form does', (name) => {
    const h = boot();
    const shiftWidth = name.endsWith('w') ? 32n : 64n;
    const isShift = /^s[rl][la]i/.test(name);
    for (const b of isShift ? [0n, 1n, 31n, shiftWidth - 1n] : IMMEDIATES) {
      const program = h.load(`${name} a2, a0, ${b}`);
      for (const a of EDGES) {
        h.x.a0 = a;
        h.runLoaded(program);
        const expected = REGISTER_FORMULAS[IMMEDIATE_TWINS[name]](a, b);
        expect(h.x.a2, `${name} of ${a} and ${b}`).toBe(BigInt.asIntN(64, expected));
      }
    }
  });

  test('lui and auipc sign-extend their 32 bits', () => {
    const h = boot();
    h.run('lui a0, 0x80000\n lui a1, 0x7ffff\n auipc a2, 0x80000\n auipc a3, 1');
    expect(h.x).toMatchObject({ a0: -0x8000_0000n, a1: 0x7fff_f000n, a2: 8n, a3: 0x8000_100cn });
  });

  test('the destination may be a source', () => {
    const h = boot();
    h.x.a0 = 3n;
    h.run('add a0, a0, a0\n mul a0, a0, a0\n sub a0, a0, a0');
    expect(h.x.a0).toBe(0n);
  });

  test.each([
    ...['addi zero, a0, 1', 'lui zero, 1', 'auipc zero, 1', 'mul zero, a0, a0', 'div zero, a0, a0'],
    ...['jal zero, .+4', 'lw zero, 0(a1)', 'csrrw zero, mscratch, a0', 'amoadd.w zero, a0, (a1)'],
    ...['lr.d zero, (a1)', 'sc.d zero, a0, (a1)', 'c.li zero, 1', 'c.mv zero, a0', 'c.slli zero, 1'],
  ])('%s leaves x0 zero', (line) => {
    const h = boot();
    Object.assign(h.x, { a0: 7n, a1: 0x8002_0000n });
    h.poke(0x8002_0000n, -1n);
    h.run(`${line}\n add a2, zero, zero`);
    expect([h.x.zero, h.x.a2]).toEqual([0n, 0n]);
  });

  test('fence and fence.i change nothing', () => {
    const h = boot();
    const before = { ...h.x };
    h.run('fence\n fence rw, w\n fence.i\n .word 0x8330000f\n .word 0x0100000f');
    expect({ ...h.x }).toEqual(before);
  });
});
