/** What is translated: what one page does often, and what many do once. */
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../../src/machine/machine.js';
import { bootProgram } from '../../support/programs.js';

const HOT_AFTER = 8;
const PAGES = 100;

/** Copies a function of two instructions to one page after the other, and calls it once in each. */
const CALLS_COPIES = `
  la s0, function
  li s1, 0x80100000
  li s2, ${PAGES}
  li s4, 4096
  again: lw t0, 0(s0)
    lw t1, 4(s0)
    sw t0, 0(s1)
    sw t1, 4(s1)
    fence.i
    jalr ra, 0(s1)
    add s1, s1, s4
    addi s2, s2, -1
    bne s2, zero, again
  done: j done
  function: addi s3, s3, 1
    jalr zero, 0(ra)`;

const run = (jit: boolean | { hotAfter: number }): Machine => {
  const machine = bootProgram(CALLS_COPIES, { jit });
  machine.run(20 * PAGES);
  return machine;
};

describe('code that is executed once in each of many pages', () => {
  it('is translated as if one page had executed it often', () => {
    const { reused } = run({ hotAfter: HOT_AFTER }).statistics().translator!;
    // Before, it is interpreted.
    expect(reused).toBe(PAGES - HOT_AFTER);
  });

  it('does what it does in the interpreter', () => {
    const machine = run({ hotAfter: HOT_AFTER });
    expect(machine.harts[0].x[19]).toBe(BigInt(PAGES));
    expect(machine.hash()).toBe(run(false).hash());
  });
});
