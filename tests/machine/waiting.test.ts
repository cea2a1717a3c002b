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

  it('stands still again after each interrupt that it takes, watched or not, wherever the run is paused', () => {
    // Hart 0 works; hart 1 has an interrupt every 100,000 cycles.
    const source = `
      bnez a0, waits
    works:
      j works
    waits:
      la t0, handler
      csrw mtvec, t0
      li t1, 10000
      li t3, 0x2004008
      sd t1, 0(t3)
      li t0, 0x80
      csrw mie, t0
      csrsi mstatus, 8
      la t0, flag
    look:
      ld t2, 0(t0)
      beqz t2, look
    .align 4
    handler:
      addi s0, s0, 1
      li t4, 10000
      add t1, t1, t4
      sd t1, 0(t3)
      mret
    .align 8
    flag:
      .dword 0
    `;
    const boot = () => bootProgram(source, { harts: 2 });
    const [plain, watched, paused] = [boot(), boot(), boot()];
    watched.observe({ instruction: () => {} });
    for (let steps = 500; steps < 60_000; steps += 500) {
      paused.run(1e6, 'skip', (hart) => (hart.index === 1 ? steps : Infinity));
    }
    while (paused.moment.turn >= 0) paused.run(1);
    for (const machine of [plain, watched]) machine.run(paused.cycles);
    const [, waits] = plain.harts;
    expect(waits.x[8]).toBeGreaterThan(20n);
    expect(waits.instret).toBeLessThan(5000n * waits.x[8]);
    expect(watched.hash()).toBe(plain.hash());
    expect(paused.hash()).toBe(plain.hash());
  });

  it('stands still for a lock, too, which it tries to take by a swap', () => {
    // Hart 0 holds the lock for 50000 rounds.
    const machine = bootProgram(
      `
      la t0, lock
      li t2, 1
      bnez a0, take
      amoswap.w zero, t2, (t0)
      li t1, 50000
    count:
      addi t1, t1, -1
      bnez t1, count
      amoswap.w zero, zero, (t0)
    stay:
      j stay
    take:
      li t3, 1000
    later:
      addi t3, t3, -1
      bnez t3, later
    again:
      mv t1, t2
      amoswap.w.aq t1, t1, (t0)
      sext.w t1, t1
      bnez t1, again
      li s0, 1
      j stay
    .align 3
    lock:
      .dword 0
    `,
      { harts: 2 },
    );
    machine.run(100_000);
    expect(machine.harts[1].instret).toBeLessThan(4000n);
    expect(machine.harts[1].x[8]).toBe(0n);
    machine.run(100_000);
    expect(machine.harts[1].x[8]).toBe(1n);
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

  it('looks less often the longer there is none', () => {
    const machine = bootProgram(scheduler);
    const executedIn = (cycles: number): bigint => {
      const before = machine.harts[0].instret;
      machine.run(cycles);
      return machine.harts[0].instret - before;
    };
    const early = executedIn(2_000_000);
    machine.run(20_000_000);
    expect(executedIn(2_000_000)).toBeLessThan(early / 2n);
  });

  it('finds within a hundredth of a second what another hart stores', () => {
    const machine = bootProgram(scheduler);
    machine.run(5_000_000);
    machine.readMemory(machine.symbols.address('work')!, 8)![0] = 1;
    machine.run(1_000_000);
    expect(machine.harts[0].x[8]).toBe(1n);
  });

  it('is not parked while it works, even where each round leaves its registers alike', () => {
    // The round's number is only on the stack when interrupts are enabled, as a caller's register that was saved.
    const machine = bootProgram(
      scheduler.replace(
        'idle:',
        `idle:
      li sp, 0x80010000
      sd zero, 8(sp)
    work_hard:
      li t1, 0
      csrrsi x0, sstatus, 2
      ld t1, 8(sp)
      addi t1, t1, 1
      sd t1, 8(sp)
      li t2, 50000
      bne t1, t2, work_hard`,
      ),
    );
    machine.run(600_000);
    expect(machine.harts[0].instret).toBeGreaterThan(590_000n);
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
