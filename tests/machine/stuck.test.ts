import { describe, expect, it } from 'vitest';
import { bootProgram } from '../support/programs.js';

/** Enters supervisor mode at `target` with all exceptions delegated, after some lines. */
const toSupervisor = (lines: string): string => `
    ${lines}
    li t0, 0xb3ff
    csrw medeleg, t0
    li t0, 0x1800
    csrrc x0, mstatus, t0
    li t0, 0x800
    csrrs x0, mstatus, t0
    la t0, target
    csrw mepc, t0
    mret
  target:
    nop
    j target
`;

const verdict = (source: string): unknown => bootProgram(source).run(10_000_000);

describe('a guest that can never get on', () => {
  it('is stopped when its trap handler traps for ever, with hart, cause, pc and symbol', () => {
    const stop = verdict(`
      li t0, 0x1000
      csrw mtvec, t0
    fault:
      ecall
    `);
    expect(stop).toMatchObject({ kind: 'stuck' });
    const { message } = stop as { message: string };
    expect(message).toMatch(/^hart 0 traps in its own trap handler for ever: instruction access fault/);
    expect(message).toContain('0x1000');
  });

  it('is told of physical memory protection when that denies its first instruction in supervisor mode', () => {
    const stop = verdict(toSupervisor('li t0, 0x100\n csrw pmpaddr0, t0\n li t0, 0xf\n csrw pmpcfg0, t0'));
    expect(stop).toMatchObject({
      kind: 'stuck',
      message: expect.stringMatching(/memory protection.*pmpaddr0/),
    });
  });

  it('is asked for a handler when it has none', () => {
    const stop = verdict(
      toSupervisor('li t0, -1\n csrw pmpaddr0, t0\n li t0, 0xf\n csrw pmpcfg0, t0').replace(
        'j target',
        'ld t0, 0(x0)',
      ),
    );
    expect(stop).toMatchObject({
      kind: 'stuck',
      message: expect.stringMatching(/at pc 0x0, handler at 0x0; is there a handler yet\? stvec is 0$/),
    });
  });

  it('is told that an illegal instruction was a floating-point one', () => {
    const stop = verdict('li t0, 0x80000008\n csrw mtvec, t0\n .word 0x00007053');
    expect(stop).toMatchObject({
      kind: 'stuck',
      message: expect.stringMatching(/floating-point.*no F and D/),
    });
  });

  it('is not stopped for trapping often, as long as it returns', () => {
    const stop = verdict(`
      la t0, handler
      csrw mtvec, t0
    again:
      ecall
      j again
    handler:
      csrr t1, mepc
      addi t1, t1, 4
      csrw mepc, t1
      mret
    `);
    expect(stop).toEqual({ kind: 'budget' });
  });

  it('ends the run through the test finisher, with its code', () => {
    expect(verdict('li t0, 0x100000\n li t1, 0x73333\n sw t1, 0(t0)\n stay: j stay')).toEqual({
      kind: 'finished',
      code: 7,
    });
  });
});

describe('without a protection entry switched on', () => {
  it('supervisor mode may use all memory, as kernels of before 2022 expect', () => {
    expect(verdict(toSupervisor(''))).toEqual({ kind: 'idle', cycles: Infinity });
  });
});
