/** Code that is stored to while it is hot: what runs next is what was stored, at the same cycle as in the interpreter. */
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../../src/machine/machine.js';
import { assembleWord } from '../../support/assembler.js';
import { bootProgram } from '../../support/programs.js';

const ADD_ONE = assembleWord('addi s0, s0, 1');
const ADD_TEN = assembleWord('addi s0, s0, 10');
const POINTS = 15;

/** Words in s2 and, exclusive-or'ed with that, s3; the place to store them in s1, another in s8; a counter. */
const prepare = `
    li s2, ${ADD_ONE}
    li s3, ${ADD_ONE ^ ADD_TEN}
    la s1, target
    li s8, 0x80010000
    li s4, 0`;
/**
 * Without a branch: t2 is the place to store to, only every 64th time that of the code, which stays hot so; t3 is the word
 * for it, each of the two in turn.
 */
const choose = `
    andi t1, s4, 63
    sltiu t1, t1, 1
    sub t1, zero, t1
    sub t2, s1, s8
    and t2, t2, t1
    add t2, t2, s8
    srli t3, s4, 6
    andi t3, t3, 1
    sub t3, zero, t3
    and t3, t3, s3
    xor t3, t3, s2`;

const programs = {
  'the next instruction of the same block': `${prepare}
    again: addi s4, s4, 1
      ${choose}
      sw t3, 0(t2)
      target: addi s0, s0, 1
      j again`,
  'half of an instruction further on in the same block': `${prepare}
    again: addi s4, s4, 1
      ${choose}
      srli t3, t3, 16
      sh t3, 2(t2)
      addi s5, s5, 1
      target: addi s0, s0, 1
      j again`,
  'the block that led there': `${prepare}
    again: addi s4, s4, 1
      target: addi s0, s0, 1
      ${choose}
      beq t2, s8, again
      sw t3, 0(t2)
      j again`,
  'code in the next page, with a store over the end of this one': `${prepare}
    again: addi s4, s4, 1
      jal ra, target
      ${choose}
      slli t3, t3, 16
      addi t3, t3, 0x13
      li t4, 0x13
      slli t4, t4, 48
      or t3, t3, t4
      sd t3, -2(t2)
      j again
    .align 4096
    .zero 4094
    .half 0x13
    target: addi s0, s0, 1
      nop
      ret`,
  'an atomic that stores into code': `${prepare}
    again: addi s4, s4, 1
      ${choose}
      amoswap.w t0, t3, (t2)
      j target
      .align 4
      target: addi s0, s0, 1
      j again`,
};

/** Two harts: the second changes what the first executes. */
const byAnotherHart = `${prepare}
    csrr t0, mhartid
    bnez t0, writer
    again: addi s4, s4, 1
      target: addi s0, s0, 1
      j again
    writer: li s5, 900
      wait: addi s5, s5, -1
      bnez s5, wait
      xor s2, s2, s3
      sw s2, 0(s1)
      j writer`;

const both = (source: string, harts = 1): [Machine, Machine] => [
  bootProgram(source, { harts, jit: false }),
  bootProgram(source, { harts, jit: { hotAfter: 2, plainFirst: 0 } }),
];

/** Runs both on, and expects the same of them; an odd portion ends in the middle of things. */
function compare([interpreted, translated]: [Machine, Machine], point: number): void {
  for (const machine of [interpreted, translated]) machine.run(1 + 97 * point);
  expect(translated.harts.map((hart) => hart.x[8])).toEqual(interpreted.harts.map((hart) => hart.x[8]));
  expect(translated.hash()).toBe(interpreted.hash());
}

/** Both instructions have been executed, and translated code has been. */
function expectWork(machine: Machine): void {
  const [{ x }] = machine.harts;
  expect(x[8]).toBeGreaterThan(2n * x[20]);
  expect(x[8]).toBeLessThan(10n * x[20]);
  expect(machine.statistics().translator!.instructions).toBeGreaterThan(0);
}

describe('a store to hot code is seen at once', () => {
  it.each(Object.entries(programs))('when it is %s', (_, source) => {
    const machines = both(source);
    for (let point = 0; point < POINTS; point++) compare(machines, point);
    expectWork(machines[1]);
  });

  it('when another hart stores', () => {
    const machines = both(byAnotherHart, 2);
    for (let point = 0; point < POINTS; point++) compare(machines, point);
    expectWork(machines[1]);
  });

  it('when a device stores', () => {
    const machines = both(`${prepare}\n again: addi s4, s4, 1\n target: addi s0, s0, 1\n j again`);
    for (let point = 0; point < POINTS; point++) {
      compare(machines, point);
      const word = new Uint8Array(new Int32Array([point % 2 ? ADD_ONE : ADD_TEN]).buffer);
      for (const machine of machines) {
        expect(machine.writeMemory(machine.symbols.address('target')!, word)).toBe(true);
      }
    }
    expectWork(machines[1]);
  });
});
