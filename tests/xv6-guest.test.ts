/** A real xv6-riscv, when the environment names one: XV6=dir, a built tree with kernel/kernel and fs.img. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../src/devices/block-store.js';
import { Machine } from '../src/machine/machine.js';
import { runUntil } from './support/images.js';

const tree = process.env.XV6;

describe.skipIf(tree === undefined)('xv6-riscv (skipped unless XV6 names a built tree)', () => {
  it.each([1, 3, 8])('runs commands at its shell on %i harts', { timeout: 300_000 }, (harts) => {
    let text = '';
    const machine = new Machine({
      kernel: readFileSync(join(tree!, 'kernel/kernel')),
      disk: new MemoryStore(readFileSync(join(tree!, 'fs.img'))),
      harts,
      output: (byte) => (text += String.fromCharCode(byte)),
    });
    const type = (command: string): string => {
      const start = text.length;
      machine.type(`${command}\n`);
      runUntil(machine, () => text.slice(start), '\n$ ', 2e10);
      return text.slice(start);
    };
    runUntil(machine, () => text, '\n$ ', 2e10);
    expect(type('ls')).toMatch(/^README +2 /m);
    expect(type('cat README')).toContain('Version 6');
    type('echo hi > f');
    expect(type('cat f | cat | wc')).toContain('1 1 3');
    expect(type('forktest')).toContain('fork test OK');
  });
});
