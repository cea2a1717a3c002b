import { describe, expect, it } from 'vitest';
import type { Machine } from '../../../src/machine/machine.js';
import { findRegion } from '../../../src/rv64/jit/region.js';
import { assemble } from '../../support/assembler.js';
import { bootProgram } from '../../support/programs.js';

/** Calls `loop` again and again, each time with other addresses and lengths: a0 to, a1 from, a2 end of to. */
const program = (loop: string, distance: string): string => `
    li s0, 0x80010000
    li s1, 0
    li a3, 0x5a
  next:
    addi s1, s1, 1
    li t0, 977
    mul t0, t0, s1
    andi t1, t0, 0x7f8
    slli t2, t1, 2
    add a0, s0, t2
    ${distance}
    add a2, a0, t1
    addi a2, a2, 8
    li t3, 1
    sd t0, -16(a0)
    sd t0, 256(a1)
    call: jal ra, loop
    j next
  loop:
    ${loop}
    jalr x0, 0(ra)
`;

const FAR = 'li t4, 0x40000\n add a1, a0, t4';
const BEFORE = 'addi a1, a0, -24';
const BEHIND = 'addi a1, a0, 24';

/** Makes what is between a0 and a2 a multiple of 16. */
const ROUNDS_OF_16 = 'sub t6, a2, a0\n andi t6, t6, -16\n addi t6, t6, 16\n add a2, a0, t6';

const loops: Record<string, string> = {
  'a byte fill': 'again: sb a3, 0(a0)\n addi a0, a0, 1\n bne a0, a2, again',
  'a byte fill that steps first': 'again: addi a0, a0, 1\n sb a3, -1(a0)\n bne a2, a0, again',
  'a fill of zeros by double words': 'again: sd x0, 0(a0)\n addi a0, a0, 8\n bne a0, a2, again',
  'a fill of something by double words': 'again: sd a3, 0(a0)\n addi a0, a0, 8\n bne a0, a2, again',
  'a byte copy': 'again: lbu a4, 0(a1)\n addi a1, a1, 1\n addi a0, a0, 1\n sb a4, -1(a0)\n bne a0, a2, again',
  'a signed byte copy':
    'again: lb a4, 0(a1)\n addi a1, a1, 1\n sb a4, 0(a0)\n addi a0, a0, 1\n bne a0, a2, again',
  'a copy by double words':
    'again: ld a4, 0(a1)\n addi a1, a1, 8\n sd a4, 0(a0)\n addi a0, a0, 8\n bne a0, a2, again',
  'a fill of bytes that are alike, by words':
    'li a3, 0x5a5a5a5a\n again: sw a3, 0(a0)\n addi a0, a0, 4\n bne a0, a2, again',
  'a fill by two double words, of what is alike now and then': `${ROUNDS_OF_16}
    andi a3, s1, 0x101
    again: sd a3, 8(a0)\n sd a3, 0(a0)\n addi a0, a0, 16\n bne a2, a0, again`,
  'a fill by two double words, with a step between them': `${ROUNDS_OF_16}
    li a3, -1
    again: sd a3, 0(a0)\n addi a0, a0, 16\n sd a3, -8(a0)\n bne a0, a2, again`,
  'two stores that leave a gap': `${ROUNDS_OF_16}
    li a3, -1
    again: sw a3, 0(a0)\n sw a3, 8(a0)\n addi a0, a0, 16\n bne a0, a2, again`,
  'a fill that counts in another register':
    'sub t6, a2, a0\n again: sb a3, 0(a0)\n addi a0, a0, 1\n addi t5, t5, 1\n bne a0, a2, again',
};

const state = (machine: Machine): string => `${machine.cycles} ${machine.hash()}`;

describe('a loop that fills or copies', () => {
  it.each(
    Object.entries(loops).flatMap(([name, loop]) =>
      Object.entries({ FAR, BEFORE, BEHIND }).map(([where, distance]) => ({ name, where, loop, distance })),
    ),
  )('leaves what the interpreter leaves: $name, source $where', ({ loop, distance }) => {
    const source = program(loop, distance);
    const interpreted = bootProgram(source, { jit: false });
    const translated = bootProgram(source, { jit: { hotAfter: 2 } });
    for (let point = 0; point < 30; point++) {
      interpreted.run(1);
      translated.run(1);
      expect(state(translated)).toBe(state(interpreted));
    }
  });

  it.each([
    { fill: -1, isTaken: true },
    { fill: 0x7f, isTaken: false },
  ])('is a fill where all bytes of $fill are alike: $isTaken', ({ fill, isTaken }) => {
    const loop = `li a3, ${fill}\n again: sd a3, 0(a0)\n addi a0, a0, 8\n bne a0, a2, again`;
    const machine = bootProgram(program(loop, FAR), { jit: { hotAfter: 2, now: () => 0 } });
    machine.run(100_000);
    expect(machine.statistics().translator!.measured!.idioms > 0).toBe(isTaken);
  });

  it.each([0, 4, 8])('is found by whoever comes to it %d bytes behind its beginning', (entry) => {
    const { bytes } = assemble(`again: sb a3, 0(a0)
      addi a0, a0, 1
      bne a0, a2, again
      jalr x0, 0(ra)`);
    const page = new Uint8Array(4096);
    page.set(bytes);
    const nothing = (): undefined => undefined;
    const region = findRegion(new DataView(page.buffer), entry, { probeAt: nothing, isHot: () => false })!;
    expect(region.blocks[0].offset).toBe(entry);
    expect(region.blocks.filter((block) => block.idiom !== undefined).map((block) => block.offset)).toEqual([
      0,
    ]);
  });
});
