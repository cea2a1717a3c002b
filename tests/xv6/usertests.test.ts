/** The checker on a real xv6-riscv, when the environment names one: XV6=dir, a built tree with kernel/kernel and fs.img. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Backtracer } from '../../src/debug/backtrace.js';
import { MemoryStore } from '../../src/devices/block-store.js';
import { Machine } from '../../src/machine/machine.js';
import { Checker } from '../../src/xv6/checker.js';
import { runCommands } from '../support/checked.js';

const tree = process.env.XV6;

describe.skipIf(tree === undefined)('the checker (skipped unless XV6 names a built tree)', () => {
  it('finds nothing in a stock xv6 that passes its usertests', { timeout: 3_600_000 }, async () => {
    let output = '';
    const kernel = readFileSync(join(tree!, 'kernel/kernel'));
    const machine = new Machine({
      kernel,
      disk: new MemoryStore(readFileSync(join(tree!, 'fs.img'))),
      output: (byte) => (output += String.fromCharCode(byte)),
    });
    const tracer = new Backtracer(machine);
    const checker = new Checker(machine, kernel, { backtrace: (hart, atEntry) => tracer.of(hart, atEntry) });
    const image = { machine, checker, text: () => output };
    await runCommands(image, ['usertests -q'], () => checker.findings.length > 0, 2e12);
    expect(checker.findings).toEqual([]);
    expect(output).toContain('ALL TESTS PASSED');
  });
});
