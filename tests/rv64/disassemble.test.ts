import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { disassemble } from '../../src/rv64/disassemble.js';
import { rows } from '../../src/rv64/isa/index.js';
import { operandsOf } from '../../src/rv64/row.js';
import { assembleWord } from '../support/assembler.js';

const PC = 0x8000_1000n;

describe('the disassembler', () => {
  test.each([
    [0xfff5_8513, 'addi a0, a1, -1'],
    [0x0081_2503, 'lw a0, 8(sp)'],
    [0xfe11_3823, 'sd ra, -16(sp)'],
    [0xffff_f537, 'lui a0, 0xfffff'],
    [0xfe05_1ee3, 'bne a0, zero, 0x80000ffc'],
    [0x0000_006f, 'jal zero, 0x80001000'],
    [0x0cb6_252f, 'amoswap.w.aq a0, a1, (a2)'],
    [0x06b6_352f, 'amoadd.d.aqrl a0, a1, (a2)'],
    [0x1ab6_252f, 'sc.w.rl a0, a1, (a2)'],
    [0x1805_1073, 'csrrw zero, satp, a0'],
    [0x1230_2573, 'csrrs a0, 0x123, zero'],
    [0x0310_000f, 'fence rw, w'],
    [0x0000_0073, 'ecall'],
    [0x0000_0505, 'c.addi a0, 1'],
    [0x0000_4501, 'c.li a0, 0'],
    [0x0000_60e2, 'c.ldsp ra, 24(sp)'],
    [0x0000_0000, '.half 0x0000'],
    [0xffff_ffff, '.word 0xffffffff'],
  ])('%i is %s', (word, text) => {
    expect(disassemble(word, PC)).toBe(text);
  });

  test('looks at the low half alone where that is an instruction of its own', () => {
    expect(disassemble(0xdead_0505, PC)).toBe('c.addi a0, 1');
  });

  test('writes targets as 64-bit addresses', () => {
    expect(disassemble(assembleWord('j .-4'), 0n)).toBe('jal zero, 0xfffffffffffffffc');
  });

  test('writes what the assembler reads, for every instruction', () => {
    const instructions = fc.tuple(fc.constantFrom(...rows), fc.nat(0xffff_ffff)).map(([row, bits]) => {
      // Operands that the syntax does not show (those a fence leaves unused) are zero.
      const shown = [...row.fields.keys()].filter((field) => `aq rl ${row.syntax}`.includes(field));
      const variable = shown
        .flatMap((field) => row.fields.get(field)!)
        .reduce((all, { at, mask }) => all | (mask << at), 0);
      return { row, word: (row.match | (bits & variable)) >>> 0 };
    });
    fc.assert(
      fc.property(instructions, ({ row, word }) => {
        fc.pre(row.where?.(operandsOf(row, word)) !== false);
        expect(assembleWord(disassemble(word, PC), PC)).toBe(word);
      }),
    );
  });
});
