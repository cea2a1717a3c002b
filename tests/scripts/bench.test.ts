import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { readBareProgram, withRounds } from '../../scripts/bench/bare-program.js';
import type { Row } from '../../scripts/bench/rows.js';
import { geometricMean, inTurn, median } from '../../scripts/bench/statistics.js';
import { formatTable } from '../../scripts/bench/table.js';
import { Machine } from '../../src/index.js';

it('takes the middle of an odd number of values, and the mean of the two middle ones of an even number', () => {
  expect(median([3, 1, 100])).toBe(3);
  expect(median([4, 1, 100, 2])).toBe(3);
  expect(median([7])).toBe(7);
});

it('does not change the values that it takes the median of', () => {
  const values = [3, 1, 2];
  median(values);
  expect(values).toEqual([3, 1, 2]);
});

it('has no median and no mean of nothing', () => {
  expect(() => median([])).toThrow(RangeError);
  expect(() => geometricMean([])).toThrow(RangeError);
});

it('calls twice as fast and half as fast together equally fast', () => {
  expect(geometricMean([2, 0.5])).toBeCloseTo(1);
  expect(geometricMean([1, 10, 100])).toBeCloseTo(10);
});

it('measures in turn, and keeps the measurements of each apart', async () => {
  const order: string[] = [];
  const contestant = (name: string) => () => {
    order.push(name);
    return Promise.resolve(order.length);
  };
  expect(await inTurn(3, [contestant('A'), contestant('B')])).toEqual([
    [1, 3, 5],
    [2, 4, 6],
  ]);
  expect(order.join(' ')).toBe('A B A B A B');
});

it('says of a ratio whether it reaches its goal, and never rounds it up to that', () => {
  const row = (ratio: number): Row => ({
    work: 'work',
    unit: 's',
    ratio,
    judged: ratio,
    goal: { least: 2, aim: 4 },
  });
  const [, ...lines] = formatTable([row(1.999), row(2), row(4)]);
  expect(lines.map((line) => line.split(': ')[1])).toEqual(['missed', 'reached', 'aim reached']);
});

it('says of what should be small whether it is', () => {
  const row = (judged: number): Row => ({ work: 'work', unit: 'MB', judged, goal: { most: 400, aim: 250 } });
  const [, ...lines] = formatTable([row(401), row(400), row(250)]);
  expect(lines.map((line) => line.split(': ')[1])).toEqual(['missed', 'reached', 'aim reached']);
});

it.each(['loop', 'sieve', 'quicksort', 'radixsort', 'towers', 'crc', 'matrix', 'records'])(
  'runs one round of %s, which finds its result right',
  (name) => {
    const machine = new Machine({ kernel: withRounds(readBareProgram(name), 1) });
    expect(machine.run(Infinity)).toEqual({ kind: 'finished', code: 0 });
  },
);

it('runs as a whole, and prints and writes its rows', { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rvemu-bench-test-'));
  try {
    const json = join(folder, 'rows.json');
    const { XV6: _, ...env } = process.env;
    // Throws if the exit code is not 0. Not the synchronous call: it would keep the test runner from its own messages.
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', 'scripts/bench.ts', '--quick', '--json', json],
      { cwd: fileURLToPath(new URL('../../', import.meta.url)), env },
    );
    expect(stdout).toMatch(/^work +QEMU +rvemu +ratio +goal$/m);
    const { rows } = JSON.parse(readFileSync(json, 'utf8')) as { rows: Row[] };
    for (const { work } of rows) expect(stdout).toContain(`\n${work} `);
    expect(rows.filter(({ unit, rvemu }) => unit === 'calls/s' && rvemu! > 0)).toHaveLength(5);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
