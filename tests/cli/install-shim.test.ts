import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { installShim } from '../../src/cli/install-shim.js';

const folder = mkdtempSync(join(tmpdir(), 'rvemu-shim-'));
afterAll(() => rmSync(folder, { recursive: true }));

const showWords = [process.execPath, '-p', 'JSON.stringify(process.argv.slice(1))', '--'];

test('the shim runs the command with every word as it was given', () => {
  const bin = join(folder, 'my bin');
  installShim(bin, [...showWords, "it's"]);
  const { stdout } = spawnSync(join(bin, 'qemu-system-riscv64'), ['-kernel', 'a b', '$HOME'], {
    encoding: 'utf8',
  });
  expect(JSON.parse(stdout)).toEqual(["it's", 'qemu', '-kernel', 'a b', '$HOME']);
});

test('a shim is replaced by a newer one', () => {
  const bin = join(folder, 'again');
  installShim(bin, ['false']);
  installShim(bin, showWords);
  expect(spawnSync(join(bin, 'qemu-system-riscv64')).status).toBe(0);
});

test('somebody’s QEMU is left alone', () => {
  const bin = join(folder, 'real');
  mkdirSync(bin);
  writeFileSync(join(bin, 'qemu-system-riscv64'), 'a real one');
  expect(() => installShim(bin, ['true'])).toThrow(/qemu-system-riscv64 is there and is no shim/);
});

test('a folder that cannot be made is named', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  expect(() => installShim(join(file, 'bin'), ['true'])).toThrow(
    /shim .*file.bin.qemu-system-riscv64: no such/,
  );
});
