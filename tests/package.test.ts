/** The package as users get it: packed, installed in an empty folder elsewhere, and used as the README says. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rvemu-package-'));

const execute = promisify(execFile);

/** Runs a command in a folder and returns what it prints. */
async function runIn(cwd: string, command: string, ...args: string[]): Promise<string> {
  const running = execute(command, args, { cwd, encoding: 'utf8' });
  running.child.stdin?.end();
  return (await running).stdout;
}

const run = (command: string, ...args: string[]): Promise<string> => runIn(folder, command, ...args);

/** The README's first piece of code in a language. */
function example(language: string): string {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  return new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(readme)![1];
}

beforeAll(async () => {
  const packing = ['pack', '--json', '--silent', '--ignore-scripts', '--pack-destination', folder];
  const packed = await runIn(root, 'npm', ...packing);
  const [{ filename }] = JSON.parse(packed);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }');
  // Each dependency, too, has to do with the Node that this runs on.
  await run('npm', 'install', '--silent', '--engine-strict', '--prefer-offline', join(folder, filename));
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true }));

it('a build makes the command executable, for npx does that only where it meets a folder for the first time', () => {
  expect(statSync(join(root, 'dist/cli/main.cjs')).mode & 0o111).toBe(0o111);
});

describe('the packed package', () => {
  it('boots its own image', async () => {
    const output = await run('npx', 'rvemu', 'boot', '--run', 'ls', '--timeout', '120');
    expect(output).toMatch(/^README /m);
  }, 180_000);

  it('exports a library that does what the README shows', async () => {
    for (const name of ['kernel.elf', 'fs.img']) copyFileSync(join(root, 'images', name), join(folder, name));
    writeFileSync(join(folder, 'example.mjs'), example('js'));
    expect(await run('node', 'example.mjs')).toMatch(/^\.\. +/m);
  }, 180_000);

  it('is typed: the example compiles, and a wrong use of it does not', async () => {
    const compile = (source: string): Promise<string> => {
      writeFileSync(join(folder, 'example.ts'), source);
      const options = [
        '--noEmit',
        '--strict',
        '--skipLibCheck',
        '--module',
        'nodenext',
        '--target',
        'es2022',
      ];
      const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'];
      return run('node', join(root, 'node_modules/typescript/bin/tsc'), ...options, ...types, 'example.ts');
    };
    await compile(example('js'));
    await expect(compile("import { Machine } from 'rvemu'; new Machine({ kernel: 5 });")).rejects.toThrow();
  }, 180_000);
});
