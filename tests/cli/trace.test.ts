import { expect, test } from 'vitest';
import { trace } from '../../src/cli/trace.js';
import { BadInputError } from '../../src/machine/errors.js';
import type { Machine } from '../../src/machine/machine.js';
import { SymbolTable } from '../../src/machine/symbols.js';
import type { Hart, Observer } from '../../src/rv64/hart.js';

const symbols = new SymbolTable(
  ['main', 'kalloc'].map((name, index) => ({
    name,
    address: 0x8000_0000n + BigInt(index) * 0x100n,
    size: 0x100n,
    kind: 'function',
    global: true,
    sectionEnd: 0x8000_0200n,
  })),
);

/** The lines a filter lets through while hart 1 runs two instructions and takes a trap. */
function linesThrough(filter: string): string[] {
  const lines: string[] = [];
  const observe = (observer: Observer) => {
    const hartAt = (pc: bigint, cycles: number) => ({ index: 1, pc, cycles }) as Hart;
    observer.instruction?.(hartAt(0x8000_0004n, 7));
    observer.instruction?.(hartAt(0x8000_0100n, 8));
    observer.trap?.(hartAt(0x8000_0104n, 9), 13n, 0x505n);
  };
  trace({ symbols, observe } as Pick<Machine, 'symbols' | 'observe'>, filter, (line) => lines.push(line));
  return lines;
}

test('instructions shows each, with its cycle, hart and place', () => {
  expect(linesThrough('instructions')).toEqual([
    '7 hart 1 0000000080000004 main+0x4',
    '8 hart 1 0000000080000100 kalloc',
  ]);
});

test('the name of a function shows the instructions inside it', () => {
  expect(linesThrough('kalloc')).toEqual(['8 hart 1 0000000080000100 kalloc']);
});

test('traps shows the cause and the trap value, alone or beside functions', () => {
  const trap = '9 hart 1 0000000080000104 kalloc+0x4: load page fault, trap value 0x505';
  expect(linesThrough('traps')).toEqual([trap]);
  expect(linesThrough('main, traps')).toEqual(['7 hart 1 0000000080000004 main+0x4', trap]);
});

test.each(['kaloc', '', 'traps,'])('a filter with the unknown name in "%s" is refused', (filter) => {
  expect(() => linesThrough(filter)).toThrow(BadInputError);
});
