import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { elfOf } from '../support/programs.js';

const folder = mkdtempSync(join(tmpdir(), 'rvemu-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, contents: string | Uint8Array) => {
  writeFileSync(join(folder, name), contents);
  return join(folder, name);
};

/** Starts `rvemu` from its sources, with nothing on its standard input unless `during` writes there. */
function start(...words: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...words], {
    env: { ...process.env, FORCE_COLOR: undefined, RVEMU_DEBUG: undefined },
  });
  const run = { child, output: '', errors: '' };
  child.stdout.on('data', (bytes) => (run.output += bytes));
  child.stderr.on('data', (bytes) => (run.errors += bytes));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { ...run, run, ended };
}

async function rvemu(...words: string[]) {
  const { child, run, ended } = start(...words);
  child.stdin.end();
  const exitCode = await ended;
  return { exitCode, output: run.output, errors: run.errors };
}

describe('bad usage ends with 2 and one line', () => {
  test.each([
    ['a bad number of harts', ['boot', '--smp', '0'], /'--smp <harts>' argument '0' is invalid\. .* 1 to 8/],
    ['a code budget that is none', ['boot', '--code-budget', '1k'], /Translated code can take 1M to 4G/],
    ['too little memory', ['boot', '--memory', '1k'], /Memory can be 2M to 3G/],
    [
      'an unknown option',
      ['boot', '--ephemerol'],
      /unknown option '--ephemerol' \(Did you mean --ephemeral\?\)/,
    ],
    [
      'waiting for a gdb that cannot connect',
      ['boot', '--wait'],
      /--wait waits for a gdb; say with --gdb PORT/,
    ],
    [
      'an address for a port that is not there',
      ['boot', '--gdb-host', '0.0.0.0', '--run', 'ls'],
      /--gdb-host says where .*; say with --gdb PORT which that is/,
    ],
    [
      'a recording that cannot be written',
      ['boot', '--run', 'ls', '--record', '/nowhere/run'],
      /recording \/nowhere\/run: no such file or directory/,
    ],
    ['an unknown command', ['boat'], /unknown command 'boat' \(Did you mean boot\?\)/],
    ['two kernels', ['boot', 'a', 'b'], /too many arguments/],
    ['a kernel that is not there', ['boot', join(folder, 'none')], /kernel .*none: no such file/],
    ['a kernel that is a folder', ['boot', folder], /kernel .*: is a directory/],
    ['a kernel that is no ELF file', ['boot', file('noise', 'noise'.repeat(1000))], /not an ELF file/],
    [
      'a disk of a sector and a bit',
      ['boot', '--disk', file('odd.img', 'x'.repeat(600))],
      /partial, 88 bytes over/,
    ],
    ['a log that cannot be written', ['boot', '--log', join(folder, 'no', 'log')], /log .*: no such file/],
  ])('%s', async (_, words, message) => {
    const { exitCode, output, errors } = await rvemu(...words);
    expect(errors).toMatch(message);
    expect(errors).toMatch(/^rvemu: .*\n$/);
    expect({ exitCode, output }).toEqual({ exitCode: 2, output: '' });
  });
});

test('help names every option and exit code', async () => {
  const { exitCode, output } = await rvemu('boot', '--help');
  expect(exitCode).toBe(0);
  for (const word of [
    '--disk',
    '--smp',
    '--memory',
    '--virtio',
    '--ephemeral',
    '--seed',
    '--run',
    '--expect',
  ]) {
    expect(output).toContain(word);
  }
  expect(output).toMatch(/Exit codes:\n {2}0 [^]*\n {2}4 [^]*Examples:/);
});

test('the version is the package’s', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect((await rvemu('--version')).output).toBe(`${version}\n`);
});

describe('the image that comes with rvemu', () => {
  test('runs commands at its prompt, and its output is in the log too', async () => {
    const log = join(folder, 'log');
    const { exitCode, output, errors } = await rvemu(
      ...['boot', '--smp', '1', '--run', 'echo one', '--run', 'echo two', '--expect', '^two$', '--log', log],
    );
    expect(errors).toBe('');
    expect(exitCode).toBe(0);
    expect(output).toMatch(/^\$ echo one\none\n\$ echo two\ntwo\n\$ $/m);
    expect(readFileSync(log, 'utf8')).toBe(output);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGQUIT', 131],
  ] as const)('takes what is typed on standard input, and is left by %s', async (signal, exitCode) => {
    const { child, run, ended } = start('boot', '--smp', '1');
    child.stdin.end('echo typed\n');
    child.stdout.on('data', () => {
      if (/typed\n\$ $/.test(run.output)) child.kill(signal);
    });
    expect(await ended).toBe(exitCode);
  });

  test('ends with 4 when time is up, saying where each hart is', async () => {
    const { exitCode, errors } = await rvemu(
      'boot',
      '--smp',
      '2',
      '--run',
      'x',
      '--prompt',
      'never',
      '--timeout',
      '1',
    );
    expect(exitCode).toBe(4);
    expect(errors).toMatch(
      /^rvemu: timed out after 1 s, with "x" still to be typed at a prompt\nlast output: /,
    );
    expect(errors).toMatch(/hart 0[^]*hart 1/);
  });

  test('says with --stats how it was executed, on standard error', async () => {
    const { exitCode, output, errors } = await rvemu('boot', '--smp', '1', '--stats', '--run', 'echo one');
    expect(exitCode).toBe(0);
    expect(output).not.toContain('MIPS');
    expect(errors).toMatch(/^instructions +[\d,]+ in [\d.]+ s: [\d.]+ MIPS\n/);
    expect(errors).toMatch(/^idioms +[1-9]/m);
    expect(errors).toMatch(/ of 256\.0 MiB used/);
  });

  test('interprets where the host cannot run translated code, and says so', async () => {
    const words = ['--no-experimental-wasm-return-call', '--import', 'tsx', 'src/cli/main.ts'];
    const child = spawn(process.execPath, [...words, 'boot', '--smp', '1', '--run', 'echo one']);
    let errors = '';
    child.stderr.on('data', (bytes) => (errors += bytes));
    child.stdin.end();
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
    expect(errors.match(/no tail calls, so everything is interpreted/g)).toHaveLength(1);
  });

  test('ends quietly when nobody reads its output any more', async () => {
    const { child, run, ended } = start('boot', '--smp', '1', '--run', 'ls');
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await ended).toBe(141);
    expect(run.errors).toBe('');
  });

  test('says once that its output cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'boot', '--run', 'ls'], {
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    let errors = '';
    child.stderr!.on('data', (bytes) => (errors += bytes));
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(2);
    expect(errors.match(/cannot write the output: ENOSPC/g)).toHaveLength(1);
  });

  test('needs nothing on standard input', async () => {
    const nothing = openSync('/dev/null', 'r');
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', 'src/cli/main.ts', 'boot', '--expect', '^\\$ $'],
      {
        stdio: [nothing, 'ignore', 'ignore'],
      },
    );
    closeSync(nothing);
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
  });
});

test('time is up for a guest whose output nobody reads, too', async () => {
  const chatter = elfOf(`
      li t0, 0x10000000
      li t1, 65
    again:
      sb t1, 0(t0)
      j again
  `);
  const { child, run } = start('boot', file('chatter.elf', chatter), '--expect', 'never', '--timeout', '1');
  child.stdin.end();
  child.stdout.pause();
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(4);
  expect(run.errors).toMatch(/^rvemu: timed out after 1 s\n/);
  child.stdout.destroy();
});
