import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compile } from '../../src/rv64/decode-and-run.js';
import { decode } from '../../src/rv64/decode.js';
import { LONG } from '../../src/rv64/fields.js';
import { rows } from '../../src/rv64/isa/index.js';
import { encode, type Operands, operandsOf, type Row } from '../../src/rv64/row.js';
import { assembleWord } from '../support/assembler.js';
import { boot } from '../support/hart.js';

const longRows = rows.filter((row) => row.bytes === 4);
const shortRows = rows.filter((row) => row.bytes === 2);

const matches = (row: Row, word: number): boolean =>
  (word & row.mask) === row.match && row.where?.(operandsOf(row, word)) !== false;

/** A row and any bits in place of those it does not fix. */
const instructions = fc
  .tuple(fc.constantFrom(...rows), fc.nat(0xffff_ffff))
  .map(([row, bits]) => ({ row, word: ((row.match | (bits & ~row.mask)) >>> 0) % 2 ** (8 * row.bytes) }))
  .filter(({ row, word }) => matches(row, word));

describe('the encodings', () => {
  test('have names of their own', () => {
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
  });

  test('of 32-bit instructions are disjoint, every pair of them', () => {
    const overlapping = longRows.flatMap((a, i) =>
      longRows
        .slice(i + 1)
        .filter((b) => ((a.match ^ b.match) & a.mask & b.mask) === 0)
        .map((b) => `${a.name} and ${b.name}`),
    );
    expect(overlapping).toEqual([]);
  });

  test('of compressed instructions are disjoint: no halfword is two of them', () => {
    const ambiguous: string[] = [];
    for (let word = 0; word <= 0xffff; word++) {
      const found = shortRows.filter((row) => matches(row, word));
      if (found.length > 1) ambiguous.push(`0x${word.toString(16)}: ${found.map((row) => row.name).join()}`);
    }
    expect(ambiguous).toEqual([]);
  });

  test('tell their length in the low two bits, and name each bit once', () => {
    for (const row of rows) {
      expect(row.mask & 3, row.name).toBe(3);
      expect((row.match & 3) === 3, row.name).toBe(row.bytes === 4);
      let bits = row.mask;
      for (const { at, mask } of [...row.fields.values()].flat()) {
        const piece = mask << at;
        expect(bits & piece, row.name).toBe(0);
        bits |= piece;
      }
      expect(bits >>> 0, row.name).toBe(2 ** (8 * row.bytes) - 1);
    }
  });

  test('decode to the row that encoded them, and back to the same bits', () => {
    fc.assert(
      fc.property(instructions, ({ row, word }) => {
        expect(decode(word)).toBe(row);
        expect(encode(row, operandsOf(row, word))).toBe(word);
      }),
    );
  });

  test('refuse operands that do not fit instead of cutting them off', () => {
    const addi = rows.find((row) => row.name === 'addi')!;
    const outOfRange: Operands[] = [{ imm: 2048 }, { imm: -2049 }, { rd: 32 }, { rs1: -1 }];
    for (const operands of outOfRange) {
      expect(() => encode(addi, operands)).toThrow(RangeError);
    }
  });
});

describe('a compressed instruction is the 32-bit one it stands for:', () => {
  // The largest and the smallest immediates of each, and registers from both ends of what it can name.
  const table: [compressed: string, full: string][] = [
    ['c.addi4spn s0, 4', 'addi s0, sp, 4'],
    ['c.addi4spn a5, 1020', 'addi a5, sp, 1020'],
    ['c.lw s0, 0(a5)', 'lw s0, 0(a5)'],
    ['c.lw a5, 124(s0)', 'lw a5, 124(s0)'],
    ['c.ld s0, 8(a5)', 'ld s0, 8(a5)'],
    ['c.ld a5, 248(s0)', 'ld a5, 248(s0)'],
    ['c.sw s0, 64(a5)', 'sw s0, 64(a5)'],
    ['c.sw a5, 60(s0)', 'sw a5, 60(s0)'],
    ['c.sd s0, 192(a5)', 'sd s0, 192(a5)'],
    ['c.sd a5, 56(s0)', 'sd a5, 56(s0)'],
    ['c.addi t6, -32', 'addi t6, t6, -32'],
    ['c.addi zero, 31', 'addi zero, zero, 31'],
    ['c.addiw ra, -1', 'addiw ra, ra, -1'],
    ['c.addiw t6, 31', 'addiw t6, t6, 31'],
    ['c.li a0, -32', 'addi a0, zero, -32'],
    ['c.li t6, 31', 'addi t6, zero, 31'],
    ['c.addi16sp -512', 'addi sp, sp, -512'],
    ['c.addi16sp 496', 'addi sp, sp, 496'],
    ['c.addi16sp 16', 'addi sp, sp, 16'],
    ['c.lui ra, 1', 'lui ra, 1'],
    ['c.lui t6, 31', 'lui t6, 31'],
    ['c.lui t6, 0xfffe0', 'lui t6, 0xfffe0'],
    ['c.srli s0, 1', 'srli s0, s0, 1'],
    ['c.srli a5, 63', 'srli a5, a5, 63'],
    ['c.srai s0, 32', 'srai s0, s0, 32'],
    ['c.srai a5, 31', 'srai a5, a5, 31'],
    ['c.andi s0, -32', 'andi s0, s0, -32'],
    ['c.andi a5, 31', 'andi a5, a5, 31'],
    ['c.sub s0, a5', 'sub s0, s0, a5'],
    ['c.xor a5, s0', 'xor a5, a5, s0'],
    ['c.or s1, a4', 'or s1, s1, a4'],
    ['c.and a4, s1', 'and a4, a4, s1'],
    ['c.subw s0, a5', 'subw s0, s0, a5'],
    ['c.addw a5, s0', 'addw a5, a5, s0'],
    ['c.j .-2048', 'jal zero, .-2048'],
    ['c.j .+2046', 'jal zero, .+2046'],
    ['c.beqz s0, .-256', 'beq s0, zero, .-256'],
    ['c.beqz a5, .+254', 'beq a5, zero, .+254'],
    ['c.bnez a5, .-256', 'bne a5, zero, .-256'],
    ['c.bnez s0, .+254', 'bne s0, zero, .+254'],
    ['c.slli ra, 1', 'slli ra, ra, 1'],
    ['c.slli t6, 63', 'slli t6, t6, 63'],
    ['c.lwsp ra, 252(sp)', 'lw ra, 252(sp)'],
    ['c.lwsp t6, 4(sp)', 'lw t6, 4(sp)'],
    ['c.ldsp ra, 504(sp)', 'ld ra, 504(sp)'],
    ['c.ldsp t6, 8(sp)', 'ld t6, 8(sp)'],
    ['c.jr ra', 'jalr zero, 0(ra)'],
    ['c.mv ra, t6', 'add ra, zero, t6'],
    ['c.ebreak', 'ebreak'],
    ['c.jalr t6', 'jalr ra, 0(t6)'],
    ['c.add t6, ra', 'add t6, t6, ra'],
    ['c.swsp t6, 252(sp)', 'sw t6, 252(sp)'],
    ['c.swsp zero, 4(sp)', 'sw zero, 4(sp)'],
    ['c.sdsp t6, 504(sp)', 'sd t6, 504(sp)'],
    ['c.sdsp zero, 8(sp)', 'sd zero, 8(sp)'],
  ];

  test.each(table)('%s is %s', (compressed, full) => {
    expect((compile(assembleWord(compressed)).word | LONG) >>> 0).toBe(assembleWord(full));
  });

  test('the table has every one of them', () => {
    const tested = new Set(table.map(([compressed]) => compressed.split(' ')[0]));
    expect(shortRows.map((row) => row.name).filter((name) => !tested.has(name))).toEqual([]);
  });
});

describe('an illegal instruction traps with its own bits in mtval:', () => {
  test.each([
    ['all zeros', '.half 0'],
    ['all ones', '.word 0xffffffff'],
    ['an instruction of 48 bits', '.word 0x0000001f'],
    ['c.addi4spn of 0', '.half 0x0010'],
    ['c.lui of 0', '.half 0x6081'],
    ['c.addi16sp of 0', '.half 0x6101'],
    ['c.addiw to zero', '.half 0x2005'],
    ['c.lwsp to zero', '.half 0x4012'],
    ['c.ldsp to zero', '.half 0x6022'],
    ['c.jr of zero', '.half 0x8002'],
    ['the reserved pair beside c.subw and c.addw', '.half 0x9c41'],
    ['the reserved quadrant 0 function', '.half 0x8000'],
    ['a load of width 7', '.word 0x0000f503'],
    ['a store of width 4', '.word 0x00054023'],
    ['a branch of kind 2', '.word 0x00002063'],
    ['a jalr of kind 1', '.word 0x00001067'],
    ['slliw by 32', '.word 0x0205151b'],
    ['slli with a high bit that says nothing', '.word 0x04051513'],
    ['an add with an unknown function', '.word 0x04b50533'],
    ['lr.w with a second source', '.word 0x1015252f'],
    ['an AMO of bytes', '.word 0x00b5052f'],
    ['mret with a destination', '.word 0x302000f3'],
    ['an unknown environment instruction', '.word 0x00300073'],
    ['hypervisor load', '.word 0x60054573'],
    ['a CSR that does not exist', 'csrrs a0, 0x123, zero'],
    ['flw', '.word 0x00052007'],
    ['fld', '.word 0x00053007'],
    ['fsw', '.word 0x00052027'],
    ['fsd', '.word 0x00053027'],
    ['fadd.s', '.word 0x00000053'],
    ['fmadd.d', '.word 0x02000043'],
    ['fmv.x.d', '.word 0xe2000553'],
    ['c.fld', '.half 0x2108'],
    ['c.fsd', '.half 0xa108'],
    ['c.fldsp', '.half 0x2502'],
    ['c.fsdsp', '.half 0xa02a'],
    ['fcsr', 'csrrs a0, 3, zero'],
  ])('%s', (_, line) => {
    boot().expectIllegal(line);
  });

  test('the same again when it is met a second time, in the decoded page', () => {
    const h = boot();
    for (const line of ['.half 0x8002', '.word 0xffffffff']) {
      h.expectIllegal(line);
      h.pc = h.csr.mepc;
      h.csr.mtval = 0n;
      h.step();
      expect(h.csr).toMatchObject({ mcause: 2n, mtval: BigInt(assembleWord(line)) });
    }
  });
});
