import { describe, expect, it } from 'vitest';
import { bootProgram } from '../support/programs.js';

/** Hart 0 counts to 50000 and then sets a flag; the others wait for it in the given way and then count themselves. */
const waiting = (wait: string): string => `
    la t0, flag
    bnez a0, wait
    li t1, 50000
  count:
    addi t1, t1, -1
    bnez t1, count
    li t2, 1
    sd t2, 0(t0)
    j done
  wait:
    ${wait}
    beqz t2, wait
  done:
    addi s0, s0, 1
    j done
  .align 3
  flag:
    .dword 0
`;

describe('a hart that spins until another stores', () => {
  it('sees the store in the slice after it', () => {
    const machine = bootProgram(waiting('ld t2, 0(t0)'), { harts: 2 });
    machine.run(100_000);
    expect(machine.harts[1].x[8]).toBe(0n);
    machine.run(10_000);
    expect(machine.harts[1].x[8]).toBeGreaterThan(0n);
  });

  it('stands still, so that its time passes at no cost', () => {
    const machine = bootProgram(waiting('ld t2, 0(t0)'), { harts: 2 });
    machine.run(100_000);
    expect(machine.harts[1].instret).toBeLessThan(10_000n);
    expect(machine.harts[1].cycles).toBe(machine.cycles);
  });

  it('does the same when it is watched', () => {
    const alone = bootProgram(waiting('ld t2, 0(t0)'), { harts: 3 });
    const watched = bootProgram(waiting('ld t2, 0(t0)'), { harts: 3 });
    watched.observe({ instruction: () => {} });
    alone.run(300_000);
    watched.run(300_000);
    expect(alone.harts.map((hart) => hart.instret)).toEqual(watched.harts.map((hart) => hart.instret));
    expect(alone.hash()).toBe(watched.hash());
  });

  it('takes its interrupts in time', () => {
    const machine = bootProgram(`
      la t0, handler
      csrw mtvec, t0
      li t0, 0x2004000
      li t1, 1000
      sd t1, 0(t0)
      li t0, 0x80
      csrw mie, t0
      csrsi mstatus, 8
    stay:
      j stay
    .align 4
    handler:
      csrr s0, mcycle
    end:
      j end
    `);
    machine.run(100_000);
    expect(machine.harts[0].x[8]).toBe(10_000n);
  });

  it('is not passed over when the loop stores, or reads a device', () => {
    const counting = bootProgram(waiting('ld t2, 0(t0)\n sd s1, 8(t0)\n addi s1, s1, 1'), { harts: 2 });
    counting.run(100_000);
    expect(counting.harts[1].x[9]).toBeGreaterThan(10_000n);
    const polling = bootProgram(`
      li t0, 0x200bff8
      li t2, 5000
    poll:
      ld t1, 0(t0)
      blt t1, t2, poll
      li s0, 1
    stay:
      j stay
    `);
    polling.run(60_000);
    expect(polling.harts[0].x[8]).toBe(1n);
  });
});

describe('a kernel that looks for work without wfi', () => {
  /** A loop of supervisor mode that enables interrupts and looks at a word, as an old scheduler does. */
  const scheduler = `
    la t0, handler
    csrw mtvec, t0
    li t0, 0x1800
    csrrc x0, mstatus, t0
    li t0, 0x800
    csrrs x0, mstatus, t0
    la t0, idle
    csrw mepc, t0
    mret
  idle:
    csrrsi x0, sstatus, 2
    la t0, work
    li t2, 200
  look:
    ld t1, 0(t0)
    addi t2, t2, -1
    bnez t2, look
    beqz t1, idle
    li s0, 1
  stay:
    j stay
  handler:
    j handler
  .align 3
  work:
    .dword 0
  `;

  it('is parked, so that its time passes at no cost', () => {
    const machine = bootProgram(scheduler);
    machine.run(20_000_000);
    expect(machine.harts[0].instret).toBeLessThan(1_000_000n);
  });

  it('finds what another hart stores soon after', () => {
    const machine = bootProgram(scheduler);
    machine.run(1_000_000);
    machine.readMemory(machine.symbols.address('work')!, 8)![0] = 1;
    machine.run(300_000);
    expect(machine.harts[0].x[8]).toBe(1n);
  });
});

describe('the count of instructions', () => {
  it('is of all harts together, and leaves out time that passes while a hart waits', () => {
    const machine = bootProgram(
      `
      bnez a0, sleep
    work:
      addi s0, s0, 1
      j work
    sleep:
      wfi
      j sleep
    `,
      { harts: 2 },
    );
    expect(machine.instructionCount).toBe(0);
    machine.run(10_000);
    expect(machine.instructionCount).toBe(Number(machine.harts[0].instret + machine.harts[1].instret));
    expect(machine.instructionCount).toBe(machine.cycles + 2);
  });
});
