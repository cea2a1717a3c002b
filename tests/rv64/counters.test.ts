import { describe, expect, test } from 'vitest';
import { Mode } from '../../src/rv64/trap.js';
import { board, boot, CYCLES_PER_TICK } from '../support/hart.js';

describe('the counters', () => {
  test('instret and cycle count instructions exactly', () => {
    const h = boot();
    h.run('csrr a0, instret\n csrr a1, cycle\n nop\n nop\n csrr a2, instret\n csrr a3, cycle');
    expect(h.x).toMatchObject({ a0: 0n, a1: 1n, a2: 4n, a3: 5n });
  });

  test('a loop counts alike in one slice and in single steps', () => {
    const source = 'li a0, 1000\n loop: addi a0, a0, -1\n bnez a0, loop\n csrr a1, instret';
    const stepped = boot();
    stepped.run(source);
    const h = boot();
    h.load(source);
    h.step(2002);
    expect([h.x.a1, stepped.x.a1]).toEqual([2001n, 2001n]);
  });

  test('what traps takes a cycle and is not retired', () => {
    const h = boot();
    h.load('ecall');
    h.step();
    expect(h.csr).toMatchObject({ minstret: 0n, mcycle: 1n });
    h.load('lw a0, 0(zero)');
    h.step();
    expect(h.csr).toMatchObject({ minstret: 0n, mcycle: 2n });
    h.load('.half 0');
    h.step();
    expect(h.csr).toMatchObject({ minstret: 0n, mcycle: 3n });
  });

  test.each(['minstret', 'mcycle'])('a value written to %s is what the next instruction reads', (name) => {
    const h = boot();
    h.run(`li a0, 1000\n csrw ${name}, a0\n csrr a1, ${name}\n csrr a2, ${name}`);
    expect(h.x).toMatchObject({ a1: 1000n, a2: 1001n });
    h.run(`li a0, -1\n csrw ${name}, a0\n csrr a1, ${name}\n csrr a2, ${name}`);
    expect(h.x).toMatchObject({ a1: -1n, a2: 0n });
  });

  test('time is the timebase and does not follow what is written to mcycle', () => {
    const h = boot();
    h.run('li a0, 1000000\n csrw mcycle, a0');
    const { cores, harts } = board(1);
    cores[0].idleUntil(25 * CYCLES_PER_TICK - 1);
    harts[0].run('csrr a0, time\n csrr a1, time');
    expect(harts[0].x).toMatchObject({ a0: 24n, a1: 25n });
    expect(h.csr.time).toBe(0n);
  });

  test('idle time passes in cycles and retires nothing', () => {
    const { cores, harts } = board(1);
    cores[0].idleUntil(1000);
    expect(harts[0].csr).toMatchObject({ mcycle: 1000n, minstret: 0n });
  });

  test('the counters beyond the first three read zero, in machine mode', () => {
    const h = boot();
    h.x.a0 = 1n;
    h.run('csrr a0, hpmcounter3\n csrr a1, hpmcounter31\n csrr a2, mhpmcounter31\n csrr a3, mhpmevent3');
    expect(h.x).toMatchObject({ a0: 0n, a1: 0n, a2: 0n, a3: 0n });
    h.mode = Mode.Supervisor;
    h.expectIllegal('csrr a0, hpmcounter3');
  });
});
