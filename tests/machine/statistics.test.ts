import { describe, expect, it } from 'vitest';
import { assembleWord } from '../support/assembler.js';
import { elfOf, bootProgram } from '../support/programs.js';
import { Machine } from '../../src/machine/machine.js';

/** A loop of five instructions with a load and a store, made so many times, and behind it one that does nothing. */
const LOOP = `
    li s0, 1000
    li s1, 0x80020000
  again:
    ld t0, 0(s1)
    addi t0, t0, 3
    sd t0, 0(s1)
    addi s0, s0, -1
    bnez s0, again
  end: j end
`;
const ROUNDS = 1000;

const FILL = `
    li a0, 0x80010000
    li a1, 0x80012000
  again:
    sb zero, 0(a0)
    addi a0, a0, 1
    bne a0, a1, again
  end: j end
`;

/** A clock that each look at it puts on by a millisecond. */
const clock = () => {
  let millis = 0;
  return () => ++millis;
};

function measure(source: string) {
  const machine = bootProgram(source, { jit: { hotAfter: 2, now: clock() } });
  machine.run(20_000);
  return machine.statistics();
}

describe('statistics of a machine', () => {
  it('count what was executed, and where', () => {
    const { instructions, translator } = measure(LOOP);
    expect(instructions).toBeGreaterThan(5 * ROUNDS);
    expect(translator!.translated).toBeGreaterThan(0);
    expect(translator!.instructions).toBeGreaterThan(0.9 * instructions);
    expect(translator!.instructions).toBeLessThanOrEqual(instructions);
  });

  it('count the accesses of translated code that the TLB knows', () => {
    const { hits } = measure(LOOP).translator!.measured!;
    // The first rounds are interpreted.
    expect(hits).toBeGreaterThan(2 * ROUNDS - 100);
    expect(hits).toBeLessThanOrEqual(2 * ROUNDS);
  });

  it('count the fills that are done at once', () => {
    const { idioms, idiomInstructions } = measure(FILL).translator!.measured!;
    expect(idioms).toBeGreaterThanOrEqual(2);
    expect(idiomInstructions).toBeGreaterThan(3 * 0x1f00);
    expect(idiomInstructions).toBeLessThanOrEqual(3 * 0x2000);
  });

  it('count those of pages, too, at whose end code was executed', () => {
    const rounds = 10;
    const machine = bootProgram(
      `
      li s1, ${rounds}
      li s0, 0x80010000
      li s2, ${assembleWord('jalr x0, 0(ra)')}
      lui t0, 1
      add s3, s0, t0
    round:
      sw s2, -4(s3)
      addi t1, s3, -4
      jalr ra, 0(t1)
      mv a0, s0
    again:
      sb zero, 0(a0)
      addi a0, a0, 1
      bne a0, s3, again
      addi s1, s1, -1
      bnez s1, round
    end: j end
      `,
      { jit: { hotAfter: 2, now: clock() } },
    );
    machine.run(200_000);
    expect(machine.statistics().translator!.measured!.idiomInstructions).toBeGreaterThan(rounds * 3 * 3900);
  });

  it('count few instructions outside of translated code where a page table is cleared that had nothing', () => {
    const machine = bootProgram(
      `
      li s0, 0x80010000
      li s3, 0x80011000
      li t0, 0x200000cf
      sd t0, 16(s0)
      sd t0, 16(s3)
      li s4, 8
      slli s4, s4, 60
      li t0, 0x80010
      or s4, s4, t0
      addi s5, s4, 1
      csrw satp, s4
      li t0, 0x1800
      csrrc x0, mstatus, t0
      li t0, 0x800
      csrrs x0, mstatus, t0
      la t0, round
      csrw mepc, t0
      mret
    round:
      csrw satp, s4
      ld t0, 0(s0)
      csrw satp, s5
      addi s1, s0, 24
    again:
      sd zero, 0(s1)
      andi t1, s1, 8
      addi s1, s1, 8
      bne s1, s3, again
      j round
      `,
      { jit: { hotAfter: 2 } },
    );
    machine.run(200_000);
    const { instructions, translator } = machine.statistics();
    expect(translator!.instructions).toBeGreaterThan(0.9 * instructions);
  });

  it('tell the time in translated code from that for translating', () => {
    const { millis } = measure(LOOP).translator!.measured!;
    expect(millis.running).toBeGreaterThan(0);
    expect(millis.translating).toBeGreaterThan(0);
  });

  it('are no part of the state, whether translated code is measured or not', () => {
    const hashes = [{ now: clock() }, {}].map((options) => {
      const machine = bootProgram(LOOP, { jit: { hotAfter: 2, ...options } });
      machine.run(20_000);
      return machine.hash();
    });
    expect(hashes[0]).toBe(hashes[1]);
  });

  it('leave the translator out where there is none', () => {
    expect(bootProgram(LOOP, { jit: false }).statistics().translator).toBeUndefined();
  });
});

describe('a host without tail calls', () => {
  it('interprets, and says so once', () => {
    const warnings: string[] = [];
    const machine = new Machine({
      kernel: elfOf(LOOP),
      memoryBytes: 4 << 20,
      jit: { validate: () => false },
      warn: (sentence) => warnings.push(sentence),
    });
    machine.run(20_000);
    expect(warnings).toEqual([expect.stringMatching(/no tail calls, so everything is interpreted/)]);
    expect(machine.statistics()).toMatchObject({ translator: undefined });
    expect(machine.statistics().instructions).toBeGreaterThan(5 * ROUNDS);
  });
});
