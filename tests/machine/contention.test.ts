/** What harts that want one lock see of each other, which lock labs count. */
import { describe, expect, it } from 'vitest';
import { bootProgram } from '../support/programs.js';

/**
 * Every hart takes a lock, holds it for a while and lets it go, over and over; s1 counts how often it got it, s2 how
 * often it tried in vain. With `shares`, it is one lock for all; else each has its own.
 */
const locking = (shares: boolean): string => `
    la t0, locks
    slli a0, a0, 6
    ${shares ? 'nop' : 'add t0, t0, a0'}
  again:
    li t1, 1
    amoswap.w t1, t1, (t0)
    bnez t1, failed
    addi s1, s1, 1
    li t2, 30
  hold:
    addi t2, t2, -1
    bnez t2, hold
    amoswap.w zero, zero, (t0)
    li t2, 300
  elsewhere:
    addi t2, t2, -1
    bnez t2, elsewhere
    j again
  failed:
    addi s2, s2, 1
    j again
  .align 64
  locks:
    .zero 512
`;

const counts = (shares: boolean, options: { jit?: boolean; seed?: number } = {}) => {
  const machine = bootProgram(locking(shares), { harts: 3, ...options });
  machine.run(10_000_000);
  const sum = (register: number): number =>
    machine.harts.reduce((total, hart) => total + Number(hart.x[register]), 0);
  return { taken: sum(9), failed: sum(18), hash: machine.hash() };
};

describe('harts that want the same lock', () => {
  it.each([0, 1, 2])('fail to get it often enough to be noticed, with seed %i', (seed) => {
    const { taken, failed } = counts(true, { seed });
    expect(failed).toBeGreaterThan(taken / 10);
  });

  it('do not burn whole slices on failing: they try as often as it takes until the holder has let go', () => {
    const { taken, failed } = counts(true);
    expect(failed).toBeLessThan(3 * taken);
  });

  it('never fail where each has its own', () => {
    expect(counts(false).failed).toBe(0);
  });

  it('fail as often in translated code as in the interpreter', () => {
    expect(counts(true, { jit: false })).toEqual(counts(true));
  });
});
