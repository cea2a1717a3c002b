/** Translated code is bounded, and what is dropped is missed by nobody. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { JitStatistics } from '../../../src/rv64/jit/jit.js';
import type { Machine } from '../../../src/machine/machine.js';
import { bootImage, runUntil } from '../../support/images.js';

const PROMPT = '$ ';
/** Far too small: the kernel and its programs take some fifteen times as much. */
const TINY = 1 << 20;
/** What is translated at one time may go beyond the budget. */
const SLACK = 1.5;
const MINUTE = 60_000;
/** SOAK=minutes has the long run take so long; otherwise it takes a few rounds. */
const soakMinutes = Number(process.env.SOAK ?? 0);
const ROUNDS = 5;

function command(machine: Machine, text: () => string, line: string): void {
  const start = text().length;
  machine.type(`${line}\n`);
  runUntil(machine, () => text().slice(start), `\n${PROMPT}`, 1e10);
}

const statisticsOf = (machine: Machine): JitStatistics => machine.statistics().translator!;

function expectBounded({ bytes, budgetBytes }: JitStatistics): void {
  expect(bytes).toBeLessThan(SLACK * budgetBytes);
}

describe('a budget for translated code', () => {
  it('that is far too small leaves the run as it is', () => {
    const hashes = [{ hotAfter: 8, budgetBytes: TINY }, false].map((jit) => {
      const { machine, text } = bootImage({ harts: 2, jit });
      runUntil(machine, text, PROMPT);
      command(machine, text, 'ls | wc');
      command(machine, text, 'calls exec 3');
      command(machine, text, 'calls fork 3');
      if (jit) {
        expect(statisticsOf(machine).dropped).toBeGreaterThan(50);
        expectBounded(statisticsOf(machine));
      }
      return `${machine.cycles} ${machine.hash()}`;
    });
    expect(hashes[0]).toBe(hashes[1]);
  });

  it(
    'is kept however often programs are started, and the table of functions stops growing',
    async () => {
      const { machine, text } = bootImage({ jit: { budgetBytes: TINY } });
      runUntil(machine, text, PROMPT);
      const round = (): JitStatistics => {
        for (const line of ['calls exec 5', 'ls | wc', 'grep e README | wc']) {
          command(machine, text, line);
        }
        expectBounded(statisticsOf(machine));
        return statisticsOf(machine);
      };
      let warm = round();
      for (let i = 0; i < 2; i++) warm = round();
      const end = performance.now() + soakMinutes * MINUTE;
      let last = warm;
      for (let i = 0; i < ROUNDS || performance.now() < end; i++) {
        last = round();
        await setImmediate();
      }
      expect(last.dropped).toBeGreaterThan(warm.dropped);
      expect(last.tableSlots).toBeLessThan(1.1 * warm.tableSlots);
    },
    (soakMinutes + 1) * MINUTE,
  );
});
