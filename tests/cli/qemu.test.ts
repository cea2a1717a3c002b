/** `rvemu qemu` from outside, as a Makefile or a script sees it, with the teaching kernel. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { Running, RVEMU } from '../support/process.js';

const folder = mkdtempSync(join(tmpdir(), 'rvemu-qemu-'));
const disk = join(folder, 'fs.img');
beforeEach(() => copyFileSync('images/fs.img', disk));
afterAll(() => rmSync(folder, { recursive: true }));

const MODERN = ['-global', 'virtio-mmio.force-legacy=false'];
const BOARD = ['-machine', 'virt', '-bios', 'none', '-kernel', 'images/kernel.elf', '-nographic'];
const DISK = [
  ...['-drive', `file=${disk},if=none,format=raw,id=x0`],
  ...['-device', 'virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0'],
];
const qemu = (...more: string[]) => new Running([...RVEMU, 'qemu', ...BOARD, ...DISK, ...more]);

const qemuOnce = (...words: string[]) =>
  spawnSync(RVEMU[0], [...RVEMU.slice(1), 'qemu', ...words], { encoding: 'utf8', input: '' });

test('the version is one that a Makefile is content with', () => {
  const [first] = qemuOnce('--version').stdout.split('\n');
  expect(first).toMatch(/^QEMU emulator version 7\.2\.0 \(rvemu \d/);
});

test('the version comes at once, for a Makefile asks for it each time', () => {
  const millis = (...words: string[]): number => {
    const times = Array.from({ length: 5 }, () => {
      const start = performance.now();
      spawnSync(words[0], words.slice(1));
      return performance.now() - start;
    });
    return Math.min(...times);
  };
  const empty = millis(RVEMU[0], '--eval', '0');
  expect(millis(...RVEMU, 'qemu', '--version')).toBeLessThan(2.5 * empty + 50);
});

test('a grep that closes the pipe finds -gdb in the help, and nothing is said of the pipe', () => {
  const line = `${RVEMU.map((word) => `'${word}'`).join(' ')} qemu -help | grep -q '^-gdb'`;
  for (let times = 0; times < 5; times++) {
    expect(spawnSync('sh', ['-c', line], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  }
});

test('an unknown option ends with 2 and one line', () => {
  const { status, stdout, stderr } = qemuOnce('-kernel', 'images/kernel.elf', '-snapshto');
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^rvemu: .*-snapshto.* -snapshot\?\n$/);
});

test('without a kernel there is nothing to run', () => {
  expect(qemuOnce('-nographic')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('-kernel FILE'),
  });
});

test('commands are typed through a pipe, and what they write is in the disk image when a signal ends it', async () => {
  const first = qemu(...MODERN, '-smp', '3');
  await first.see('$ ');
  first.type('echo kept > f');
  first.type('\n');
  await first.see('\n$ ');
  first.child.kill('SIGTERM');
  expect(await first.ended).toBe(0);

  const second = qemu(...MODERN);
  await second.see('$ ');
  second.type('cat f\n');
  await second.see('\nkept\n$ ');
  second.child.kill('SIGINT');
  expect(await second.ended).toBe(0);
});

test('with -snapshot the disk image stays as it is', async () => {
  const running = qemu(...MODERN, '-snapshot');
  await running.see('$ ');
  running.type('echo gone > f\n');
  await running.see('\n$ ');
  running.child.kill();
  await running.ended;
  expect(readFileSync(disk).equals(readFileSync('images/fs.img'))).toBe(true);
});

test('without -global the disk is version 1; a panic ends nothing, and Ctrl-A x does, from a pipe too', async () => {
  const running = qemu();
  await running.see('panic: disk_init: no modern virtio disk: magic 0x74726976, version 1');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(running.child.exitCode).toBeNull();
  running.type('\x01x');
  expect(await running.ended).toBe(0);
});

test('the end of standard input does not end the run', async () => {
  const running = qemu(...MODERN);
  running.child.stdin!.end('echo typed\n');
  await running.see('typed\n$ ');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(running.child.exitCode).toBeNull();
  running.child.kill();
  expect(await running.ended).toBe(0);
});

test('a reader that goes away ends it', async () => {
  const running = qemu(...MODERN);
  await running.see('$ ');
  running.child.stdout!.destroy();
  running.type('ls\n');
  expect(await running.ended).toBe(141);
});

test('the end of the shell that npx starts it through ends it', async () => {
  const words = [...RVEMU, 'qemu', ...BOARD, ...DISK, ...MODERN];
  const shell = new Running(['sh', '-c', '"$@"; true', 'sh', ...words], { env: { npm_command: 'exec' } });
  await shell.see('$ ');
  shell.child.kill('SIGTERM');
  // Its output is closed only once nobody is left to write it.
  await shell.ended;
  expect(shell.output).toMatch(/\$ $/);
});

test('-verbose lists what means nothing here', async () => {
  const running = qemu(...MODERN, '-verbose');
  await running.see('$ ');
  running.child.kill();
  await running.ended;
  expect(running.errors).toMatch(
    /without meaning here: -bios none: .*\n.*without meaning here: -nographic: /,
  );
});

test.skipIf(process.platform !== 'linux')(
  'a disk that another run writes to is refused, until that is gone, however it went',
  async () => {
    const first = qemu(...MODERN);
    await first.see('$ ');
    const second = qemu(...MODERN);
    const reader = qemu(...MODERN, '-snapshot');
    expect(await second.ended).toBe(2);
    expect(second.errors).toMatch(/^rvemu: disk image .* is in use by another rvemu, .*-snapshot\)\n$/);
    await reader.see('$ ');
    reader.child.kill();
    first.child.kill('SIGKILL');
    await first.ended;
    const next = qemu(...MODERN);
    await next.see('$ ');
    next.child.kill();
    expect(await next.ended).toBe(0);
  },
);
