/** What grade scripts rely on, from outside: make, a shim on PATH, pipes, signals and the gdb port. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { SymbolTable } from '../../src/machine/symbols.js';
import { readElf } from '../../src/machine/elf.js';
import { kernelElf } from '../support/images.js';
import { Running, RVEMU } from '../support/process.js';
import { GradedRun } from './grade-script.js';

const folder = mkdtempSync(join(tmpdir(), 'rvemu-grade-'));
const disk = join(folder, 'fs.img');
const env = { PATH: `${folder}:${process.env.PATH}` };
execFileSync(RVEMU[0], [...RVEMU.slice(1), 'install-shim', folder], { stdio: 'ignore' });
beforeEach(() => copyFileSync('images/fs.img', disk));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is promised for a launch, where Node.js by itself starts in so many milliseconds; slower hosts take longer in proportion. */
const FIRST_OUTPUT_MILLIS = 300;
const NODE_MILLIS = 50;

/** One that no other test here uses. */
const PORT = 20_000 + (process.pid % 10_000);
const start = () => GradedRun.start(PORT, [`DISK=${disk}`, 'qemu-gdb'], env);

const millisOf = (action: () => void): number => {
  const began = performance.now();
  action();
  return performance.now() - began;
};

const hasMake = spawnSync('make', ['--version']).status === 0;

describe.skipIf(!hasMake)('a grade script (skipped where there is no make)', () => {
  test('plays commands at prompts and finds their output in lines', async () => {
    const run = await start();
    run.send('c');
    await run.play('echo one', 'echo two | wc', 'ls');
    await run.end();
    expect(run.make.output).toMatch(/^one$/m);
    expect(run.make.output).toMatch(/^1 1 4 $/m);
    expect(run.make.output).toMatch(/^README /m);
    expect(run.heard).toMatch(/^\+/);
  });

  test('starts the next run on the same port at once, and the disk is as the last run left it', async () => {
    const first = await start();
    first.send('c');
    await first.play('echo kept > f');
    await first.end();
    for (let round = 0; round < 3; round++) {
      const next = await start();
      next.send('c');
      await next.play('cat f');
      await next.end();
      expect(next.make.output).toMatch(/^kept$/m);
    }
  });

  test('sets a breakpoint, goes on, and is told of the stop', async () => {
    const address = new SymbolTable(readElf(kernelElf).symbols).address('uvmunmap')!;
    const run = await start();
    run.send(`Z1,${address.toString(16)},1`);
    run.send('c');
    await run.stopped();
    expect(run.heard).toMatch(/^\+\$OK#9a\+\$T05thread:0[1-3];[^#]*#[0-9a-f]{2}$/);
    await run.end();
  });

  test('starts QEMU a hundred times in a row on one port, and the first output comes at once', async () => {
    const options = ['-machine', 'virt', '-bios', 'none', '-kernel', 'images/kernel.elf', '-nographic'];
    const times: number[] = [];
    const yardsticks: number[] = [];
    for (let launch = 0; launch < 100; launch++) {
      if (launch % 5 === 0) yardsticks.push(millisOf(() => spawnSync(process.execPath, ['--eval', '0'])));
      const began = performance.now();
      const qemu = new Running(['qemu-system-riscv64', ...options, '-gdb', `tcp::${PORT}`], { env });
      await qemu.see('rvemu teaching kernel');
      times.push(performance.now() - began);
      qemu.child.kill('SIGTERM');
      expect(await qemu.ended).toBe(0);
    }
    // The least of each, for the host may be busy with other tests.
    const [first, node] = [Math.min(...times), Math.min(...yardsticks)];
    console.log(
      `first output after ${first.toFixed()} ms at best; Node.js alone starts in ${node.toFixed()} ms`,
    );
    expect(first).toBeLessThan(Math.max(FIRST_OUTPUT_MILLIS, (node / NODE_MILLIS) * FIRST_OUTPUT_MILLIS));
  }, 180_000);

  test('has nothing run before it says so', async () => {
    const run = await start();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(run.make.output).not.toContain('teaching kernel');
    await run.end();
  });
});
