/** The command starts from one file, with V8's code beside it, and from its modules where those are missing. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { codeCacheOf, loadBundle } from '../../src/cli/bundle.js';
import { setUpEngine } from '../../src/cli/engine.js';

let folder: string;
let bundle: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rvemu-bundle-'));
  bundle = join(folder, 'dist/cli/bundle.cjs');
  cpSync('dist', join(folder, 'dist'), { recursive: true });
  for (const name of ['package.json', 'images', 'node_modules'])
    symlinkSync(resolve(name), join(folder, name));
});

afterEach(() => rmSync(folder, { recursive: true }));

const run = (...words: string[]): string =>
  execFileSync(process.execPath, [join(folder, 'dist/cli/main.cjs'), ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });

const boot = (): string => run('boot', '--run', 'echo done');

it('is built with code that this V8 takes', () => {
  setUpEngine();
  expect(loadBundle(bundle).script.cachedDataRejected).toBe(false);
});

it('boots from the bundle', () => {
  writeFileSync(join(folder, 'dist/cli/program.js'), 'throw new Error()');
  expect(boot()).toContain('done\n');
});

it('boots with a cache that is cut off', () => {
  truncateSync(codeCacheOf(bundle), 1000);
  expect(boot()).toContain('done\n');
});

it('boots with a cache of something else', () => {
  writeFileSync(codeCacheOf(bundle), 'This is no code.');
  expect(boot()).toContain('done\n');
});

it('boots without a cache, and without a bundle', () => {
  rmSync(codeCacheOf(bundle));
  expect(boot()).toContain('done\n');
  rmSync(bundle);
  expect(boot()).toContain('done\n');
});

it('has a shim start what the command was started with', () => {
  run('install-shim', join(folder, 'shim'));
  const version = execFileSync(join(folder, 'shim/qemu-system-riscv64'), ['--version'], { encoding: 'utf8' });
  expect(version).toContain('rvemu');
});
