import { describe, expect, it } from 'vitest';
import { Tracer } from '../../src/debug/trace.js';
import { BadInputError } from '../../src/machine/errors.js';
import { bootProgram, elfOf } from '../support/programs.js';

const PROGRAM = `
  main:
    la t0, handler
    csrw mtvec, t0
    jal ra, work
    ecall
  stay:
    j stay
  work:
    addi a0, a0, 1
    ret
  handler:
    j stay
`;

/** The first lines that a filter lets through, spaces folded. */
function lines(filter: string, harts = 1): string[] {
  const machine = bootProgram(PROGRAM, { harts });
  const seen: string[] = [];
  const write = (line: string): void => void seen.push(line.trim().replace(/ +/g, ' '));
  new Tracer(machine, filter, write, { kernel: elfOf(PROGRAM) });
  machine.run(10);
  return seen;
}

describe('a trace', () => {
  it('shows each instruction with its number, hart, mode, pc, function and disassembly', () => {
    expect(lines('instructions')[0]).toMatch(/^0 0 m 0000000080000000 main auipc t0, /);
  });

  it('numbers the instructions of all harts in one row, whichever of them are shown', () => {
    const all = lines('instructions', 2);
    expect(all.map((line) => Number(line.split(' ')[0]))).toEqual(all.map((_, index) => index));
    expect(all).toEqual(expect.arrayContaining(lines('function=work', 2)));
  });

  it('shows the instructions of one function', () => {
    const shown = lines('function=work');
    expect(shown).toHaveLength(2);
    expect(shown[0]).toContain('work addi a0, a0, 1');
  });

  it('shows traps with their cause', () => {
    expect(lines('traps')).toEqual([
      expect.stringMatching(/main\+0x10 trap: environment call from machine mode/),
    ]);
  });

  it('keeps to one hart', () => {
    const shown = lines('instructions,hart=1', 2);
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.every((line) => line.split(' ')[1] === '1')).toBe(true);
  });

  it('keeps to a mode and to a range of addresses', () => {
    expect(lines('mode=user')).toEqual([]);
    expect(lines('pc=80000000-80000004')).toHaveLength(1);
  });

  it.each(['nonsense', 'hart=9', 'mode=god', 'function=kaloc', 'pc=4', ''])(
    'refuses "%s" in one sentence',
    (filter) => {
      expect(() => lines(filter)).toThrow(BadInputError);
    },
  );
});
