/** The package as users get it: packed, installed in an empty folder elsewhere, and used as the README says. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rvemu-package-'));

/** Runs a command in the folder and returns what it prints. */
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** The README's first piece of code in a language. */
function example(language: string): string {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  return new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(readme)![1];
}

beforeAll(() => {
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', folder], {
      cwd: root,
      encoding: 'utf8',
    }),
  );
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }');
  run('npm', 'install', '--silent', '--prefer-offline', join(folder, filename));
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true }));

describe('the packed package', () => {
  it('boots its own image', () => {
    const output = run('npx', 'rvemu', 'boot', '--run', 'ls', '--timeout', '120');
    expect(output).toMatch(/^README /m);
  }, 180_000);

  it('exports a library that does what the README shows', () => {
    for (const name of ['kernel.elf', 'fs.img']) copyFileSync(join(root, 'images', name), join(folder, name));
    writeFileSync(join(folder, 'example.mjs'), example('js'));
    expect(run('node', 'example.mjs')).toMatch(/^\.\. +/m);
  }, 180_000);

  it('is typed: the example compiles, and a wrong use of it does not', () => {
    const compile = (source: string): void => {
      writeFileSync(join(folder, 'example.ts'), source);
      execFileSync(
        process.execPath,
        [
          join(root, 'node_modules/typescript/bin/tsc'),
          ...['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022'],
          ...['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node', 'example.ts'],
        ],
        { cwd: folder, stdio: 'pipe' },
      );
    };
    compile(example('js'));
    expect(() => compile("import { Machine } from 'rvemu'; new Machine({ kernel: 5 });")).toThrow();
  }, 180_000);
});
