/** What one machine has translated spares the next one the work, and changes nothing else. */
import { deserialize, serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../../src/machine/machine.js';
import type { MachineOptions } from '../../../src/machine/parts.js';
import type { JitStatistics } from '../../../src/rv64/jit/meter.js';
import { bootImage, runUntil } from '../../support/images.js';
import { bootProgram } from '../../support/programs.js';

const CYCLES = 20_000;
const HOT_AFTER = 8;

const statisticsOf = (machine: Machine): JitStatistics => machine.statistics().translator!;

/** A loop of two regions, of which the second is called; `step` is what it adds, not with its first instruction. */
const counting = (step: number, before = ''): string => `
  ${before}
  again: addi s1, s1, 1
    jal ra, add
    j again
  add: addi s5, s5, 1
    addi s0, s0, ${step}
    ret`;

function run(source: string, options: Partial<MachineOptions> = {}): Machine {
  const machine = bootProgram(source, { jit: { hotAfter: HOT_AFTER }, ...options });
  machine.run(CYCLES);
  return machine;
}

const withKept = (from: Machine): Partial<MachineOptions> => ({
  jit: { hotAfter: HOT_AFTER, kept: from.keptCode() },
});

describe('code that was kept', () => {
  const first = run(counting(1));

  it('is not translated again, and does the same', () => {
    const second = run(counting(1), withKept(first));
    expect(statisticsOf(first).translated).toBeGreaterThan(1);
    expect(statisticsOf(second).translated).toBe(0);
    expect(statisticsOf(second).instructions).toBeGreaterThan(statisticsOf(first).instructions);
    expect(second.hash()).toBe(run(counting(1), { jit: false }).hash());
  });

  it('is data that can be serialized', () => {
    const kept = deserialize(serialize(first.keptCode()));
    expect(statisticsOf(run(counting(1), { jit: { hotAfter: HOT_AFTER, kept } })).translated).toBe(0);
  });

  it('is used on another page', () => {
    const moved = counting(1, 'j again\n .align 4096');
    expect(statisticsOf(run(moved, withKept(run(moved)))).translated).toBe(0);
    // What begins a page in the first program does so in this one.
    const second = run(moved, withKept(first));
    expect(statisticsOf(second).reused).toBeGreaterThan(1);
    expect(second.hash()).toBe(run(moved, { jit: false }).hash());
  });

  it('is not used for other instructions at the same place', () => {
    const second = run(counting(2), withKept(first));
    expect(second.hash()).toBe(run(counting(2), { jit: false }).hash());
    expect(statisticsOf(second).translated).toBeGreaterThan(0);
  });

  it('is not used with another size of RAM', () => {
    const second = run(counting(1), { ...withKept(first), memoryBytes: 8 << 20 });
    expect(statisticsOf(second).translated).toBe(statisticsOf(first).translated);
    expect(second.hash()).toBe(run(counting(1), { jit: false, memoryBytes: 8 << 20 }).hash());
  });

  it('is not used where a probe is set in it', () => {
    const machine = bootProgram(counting(1), withKept(first));
    let probed = 0;
    machine.setProbe(machine.symbols.address('add')!, () => void probed++);
    machine.run(CYCLES);
    // s0 counts what comes after the probe.
    expect(probed - Number(machine.harts[0].x[8])).toBeOneOf([0, 1]);
    expect(probed).toBeGreaterThan(1000);
  });

  it('is found out of date when it is stored to, though it was never interpreted', () => {
    const storingAfter = (rounds: number): string =>
      `la s2, add
       la s3, other
       lw s3, 0(s3)
       li s4, ${rounds}
       ${counting(1).replace('j again', 'bne s1, s4, again\n sw s3, 0(s2)\n j again')}
       other: addi s2, s2, 10`;
    const { ramBytes, regions } = run(storingAfter(1000)).keptCode()!;
    // The function alone, which jumps in the interpreter lead to.
    const kept = { ramBytes, regions: regions.filter(({ content }) => content[0].length === 3 * 4) };
    const second = run(storingAfter(3), { jit: { hotAfter: HOT_AFTER, kept } });
    expect(statisticsOf(second).reused).toBeGreaterThan(0);
    expect(second.hash()).toBe(run(storingAfter(3), { jit: false }).hash());
  });

  it('is kept again only with what is new', () => {
    const second = run(counting(1), withKept(first));
    expect(second.keptCode()).toBeUndefined();
    const third = run(counting(2), withKept(first));
    expect(third.keptCode()!.regions.length).toBeGreaterThan(first.keptCode()!.regions.length);
  });

  it('is kept first if it was used, where there is too much', () => {
    const region = first.keptCode()!.regions[0];
    const unused = Array.from({ length: 300 }, (_, i) => ({ ...region, key: -1 - i }));
    const kept = { ramBytes: 4 << 20, regions: unused };
    const second = run(counting(1), { jit: { hotAfter: HOT_AFTER, kept } });
    const { regions } = second.keptCode()!;
    expect(regions).toHaveLength(300);
    expect(regions.findIndex(({ key }) => key < 0)).toBe(statisticsOf(second).translated);
  });

  it('is used as far as half of the budget goes', () => {
    const { regions } = first.keptCode()!;
    const half = 60 * (regions[0].function.code.length + regions[1].function.code.length);
    const run = (budgetBytes: number): number => {
      const jit = { hotAfter: HOT_AFTER, budgetBytes, kept: first.keptCode() };
      return statisticsOf(bootProgram(counting(1), { jit })).tableSlots - 1;
    };
    expect(regions.length).toBeGreaterThan(2);
    expect([2 * half, 2 * half - 2, 2].map(run)).toEqual([2, 1, 0]);
  });

  it('is none without a translator, with a clock, and after what is translated with its calls', () => {
    expect(run(counting(1), { jit: false }).keptCode()).toBeUndefined();
    expect(run(counting(1), { jit: { hotAfter: HOT_AFTER, now: () => 0 } }).keptCode()).toBeUndefined();
    const jit = { hotAfter: HOT_AFTER, plainFirst: 0, kept: first.keptCode() };
    const second = run(counting(1), { jit });
    expect(statisticsOf(second).translated).toBeGreaterThan(0);
    expect(second.keptCode()).toBeUndefined();
  });

  it.each([1, 3])('boots the kernel to the same state: %d harts', (harts) => {
    const boot = (jit: MachineOptions['jit']): Machine => {
      const { machine, text } = bootImage({ harts, jit });
      runUntil(machine, text, '$ ');
      return machine;
    };
    const kept = boot(true).keptCode();
    const [second, interpreted] = [boot({ kept }), boot(false)];
    expect(statisticsOf(second).translated).toBe(0);
    expect(second.hash()).toBe(interpreted.hash());
  });
});
