import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PanicWatch } from '../../src/cli/panic-watch.js';
import { bootImage, kernelElf, runUntil } from '../support/images.js';

/** Every trap that memtest has programs killed for, as the kernel tells of it. */
function trapsOf(text: string) {
  return [...text.matchAll(/^(.*killed: .*), sepc 0x([0-9a-f]+), stval 0x([0-9a-f]+)$/gm)].map(
    ([title, , pc, value]) => ({ title, pc: Number(`0x${pc}`), value: BigInt(`0x${value}`) }),
  );
}

describe('the end of a program is explained', () => {
  const noColor = process.env.NO_COLOR;
  beforeAll(() => void (process.env.NO_COLOR = '1'));
  afterAll(
    () => void (noColor === undefined ? delete process.env.NO_COLOR : (process.env.NO_COLOR = noColor)),
  );

  const { machine, text } = bootImage();
  const watch = new PanicWatch(machine, kernelElf, 'kernel.elf');
  runUntil(machine, text, '$ ');
  machine.type(Buffer.from('memtest\n'));
  /** What is said of each report, asked as soon as the slice is over that it was printed in. */
  const said: { title: string; text: string | undefined }[] = [];
  while (!/memtest: .*passed\n\$ $/s.test(text())) {
    machine.run(1e6);
    for (const report of trapsOf(text()).slice(said.length))
      said.push({ title: report.title, text: watch.explainTrap(report) });
  }
  const first = said.find(({ title }) => title.includes('what is given up is gone'))!.text!;

  it('by its trap: cause, instruction and the walk, though the process is gone', () => {
    expect(first).toMatch(/^why: memtest: .*killed: load page fault/);
    expect(first).toContain('the trap: load page fault');
    expect(first).toMatch(/instruction: lbu \w+, 0\(\w+\)/);
    expect(first).toMatch(
      /the entry is not valid \(V=0\)\n {4}level 2, entry 0: .*\n.*\n {8}level 0, .* <-- here/,
    );
    expect(first).toContain('--user-symbols FILE names the line');
  });

  it('once for each place, and not for more than a few', () => {
    const explained = said.flatMap(({ text: each }) => (each === undefined ? [] : [each]));
    const places = explained.map((each) => /--> (0x[0-9a-f]+)/.exec(each)![1]);
    expect(said.length).toBeGreaterThan(40);
    expect(explained).toHaveLength(5);
    expect(new Set(places).size).toBe(5);
    expect(explained.map((each) => each.includes('not explained any more'))).toEqual([
      ...[false, false, false, false],
      true,
    ]);
  });

  it('only where there was such a trap', () => {
    const other = new PanicWatch(machine, kernelElf, 'kernel.elf');
    expect(other.explainTrap({ title: 'sepc 0x8, stval 0x0', pc: 8, value: 0n })).toBeUndefined();
  });
});
