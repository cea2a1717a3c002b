import { describe, expect, test } from 'vitest';
import { assemble, assembleWord } from './assembler.js';
import { boot } from './hart.js';

// Words are those of the specification's encodings, worked out by hand.
describe('the assembler', () => {
  test.each<[string, number]>([
    ['addi a0, a1, -1', 0xfff5_8513],
    ['addi x10, x11, -1', 0xfff5_8513],
    ['nop', 0x0000_0013],
    ['lui a0, 0xfffff', 0xffff_f537],
    ['lw a0, 8(sp)', 0x0081_2503],
    ['lw a0, (sp)', 0x0001_2503],
    ['sd ra, -16(sp)', 0xfe11_3823],
    ['j .', 0x0000_006f],
    ['bnez a0, .-4', 0xfe05_1ee3],
    ['ret', 0x0000_8067],
    ['csrr a0, mhartid', 0xf140_2573],
    ['csrw 0x180, a0', 0x1805_1073],
    ['amoswap.w.aq a0, a1, (a2)', 0x0cb6_252f],
    ['amoadd.d.aqrl a0, a1, (a2)', 0x06b6_352f],
    ['sc.w.rl a0, a1, (a2)', 0x1ab6_252f],
    ['fence', 0x0ff0_000f],
    ['fence rw, w', 0x0310_000f],
    ['c.addi a0, 1', 0x0505],
    ['.word 0xdeadbeef', 0xdead_beef],
  ])('%s', (line, word) => {
    expect(assembleWord(line)).toBe(word);
  });

  test('labels may be used before and after they stand, and have addresses', () => {
    const { bytes, labels } = assemble('start: beqz a0, end\n c.addi a0, 1\n end: j start');
    expect(labels).toEqual(
      new Map([
        ['start', 0x8000_0000n],
        ['end', 0x8000_0006n],
      ]),
    );
    expect(bytes).toHaveLength(10);
  });

  test.each([
    0n,
    1n,
    -1n,
    2047n,
    2048n,
    -2048n,
    -2049n,
    0x7fff_ffffn,
    0x7fff_f800n,
    0x8000_0000n,
    -0x8000_0000n,
    0x1234_5678_9abc_def0n,
    0x7fff_ffff_ffff_ffffn,
    -0x8000_0000_0000_0000n,
    0xffff_ffff_0000_0000n,
  ])('li loads %s', (value) => {
    const h = boot();
    h.run(`li a0, ${value}`);
    expect(h.x.a0).toBe(BigInt.asIntN(64, value));
  });

  test('la loads the address of a label, before it and after it', () => {
    const h = boot();
    h.run('back: la a0, back\n la a1, there\n j end\n .zero 0x900\n there: .zero 8\n end: nop');
    expect(h.x).toMatchObject({ a0: 0x8000_0000n, a1: 0x8000_0914n });
  });

  test.each([
    ['addi a0, a1', 'expected addi rd, rs1, imm'],
    ['addi a0, a1, 2048', 'imm cannot be 2048'],
    ['addi a0, b1, 1', 'no register b1'],
    ['frobnicate a0', 'no instruction frobnicate'],
    ['add.aq a0, a1, a2', 'no instruction add.aq'],
    ['beqz a0, nowhere', 'no label nowhere'],
    ['mv a0', 'mv takes 2 operands'],
    ['c.lw a0, 0(sp)', "rs1' cannot be 2"],
    ['c.addi4spn a0, 0', 'reserved'],
    ['li a0, five', 'five is not a number'],
    ['.quad 1', 'no directive .quad'],
    ['here: nop\nhere: nop', 'label here stands here a second time'],
    ['beq a0, a1, .+4096', 'imm cannot be 4096'],
    ['lui a0, 0x100000', 'more than 20 bits'],
  ])('%s is refused with its reason', (line, reason) => {
    expect(() => assemble(line)).toThrow(reason);
  });
});
