/** Recordings and replays, from outside. */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encodeRecording } from '../../src/cli/recording.js';
import { decodeRecording } from '../../src/cli/recording-reader.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'rvemu-'));
const at = (name: string): string => join(folder, name);
copyFileSync('images/kernel.elf', at('kernel.elf'));
copyFileSync('images/fs.img', at('fs.img'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs `rvemu` in the folder; what `type` returns for the output so far is typed, `undefined` ends the input. */
async function rvemu(words: string[], type: (output: string) => string | undefined = () => undefined) {
  const loader = resolve('node_modules/tsx/dist/loader.mjs');
  const child = spawn(process.execPath, ['--import', loader, resolve('src/cli/main.ts'), ...words], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
  });
  let [output, errors] = ['', ''];
  const feed = (): void => {
    if (child.stdin.writableEnded) return;
    const input = type(output);
    if (input === undefined) child.stdin.end();
    else child.stdin.write(input);
  };
  child.stdout.on('data', (bytes) => {
    output += bytes;
    feed();
  });
  child.stderr.on('data', (bytes) => (errors += bytes));
  feed();
  const exitCode = await new Promise((done) => child.on('close', done));
  return { exitCode, output, errors };
}

const boot = ['boot', 'kernel.elf', '--disk', 'fs.img'];

describe('a recorded run', () => {
  let recorded: Awaited<ReturnType<typeof rvemu>>;
  beforeAll(async () => {
    recorded = await rvemu([
      ...boot,
      '--run',
      'echo one > f',
      '--run',
      'cat f',
      '--seed',
      '7',
      '--record',
      'r',
    ]);
  });

  it('comes out the same to the bit, though it wrote to its disk', async () => {
    expect(readFileSync(at('fs.img')).equals(readFileSync('images/fs.img'))).toBe(false);
    const { exitCode, output, errors } = await rvemu(['replay', 'r']);
    expect(output).toBe(recorded.output);
    expect(errors).toMatch(
      /^rvemu: replayed \d+ instructions, the same to the bit; the run ended with exit code 0\n$/,
    );
    expect(exitCode).toBe(0);
  });

  it('does so without the translator too', async () => {
    expect((await rvemu(['replay', 'r', '--no-jit'])).exitCode).toBe(0);
  });

  it('fits in a few kilobytes', () => {
    expect(statSync(at('r')).size).toBeLessThan(8192);
  });

  it('is not replayed with another kernel or disk, which the message names', async () => {
    writeFileSync(at('other.elf'), Buffer.concat([readFileSync(at('kernel.elf')), Buffer.from('x')]));
    writeFileSync(at('other.img'), readFileSync(at('fs.img')).fill(7, 300_000, 300_100));
    const kernel = await rvemu(['replay', 'r', 'other.elf']);
    expect(kernel.errors).toMatch(/^rvemu: kernel other\.elf is not the one that was recorded: .*KERNEL"\n$/);
    const disk = await rvemu(['replay', 'r', '--disk', 'other.img']);
    expect(disk.errors).toMatch(
      /^rvemu: disk image other\.img is not the one that was recorded, .*IMAGE"\n$/,
    );
    expect([kernel.exitCode, disk.exitCode]).toEqual([2, 2]);
  });

  it('that comes out differently is told of with when that was first seen, and in what', async () => {
    const recording = decodeRecording(readFileSync(at('r')), 'r');
    const { seed } = recording.machine;
    writeFileSync(
      at('s'),
      encodeRecording({ ...recording, machine: { ...recording.machine, seed: seed + 1 } }),
    );
    const { exitCode, errors } = await rvemu(['replay', 's']);
    expect(errors).toMatch(
      /^rvemu: the run came out differently: at cycle \d+, when "echo one > f\\n" is typed, \d+ instructions were executed instead of \d+; in the end other state in \S+.*\n$/,
    );
    expect(exitCode).toBe(1);
  });

  it('is refused with one sentence when a bit of it was lost', async () => {
    const whole = readFileSync(at('r'));
    const broken = Uint8Array.from(whole);
    broken[whole.length >> 1] ^= 4;
    const version = Buffer.concat([Buffer.from('rvemu recording 1'), whole.subarray(17)]);
    for (const [contents, message] of [
      [broken, /^rvemu: recording b is damaged: .*\n$/],
      [whole.subarray(0, 50), /^rvemu: recording b is damaged: .*\n$/],
      [version, /^rvemu: b is a recording of version 1, and this rvemu reads version 2; .*\n$/],
      [Buffer.from('ls'), /^rvemu: b is no recording; .*\n$/],
    ] as const) {
      writeFileSync(at('b'), contents);
      const { exitCode, output, errors } = await rvemu(['replay', 'b']);
      expect(errors).toMatch(message);
      expect({ exitCode, output }).toEqual({ exitCode: 2, output: '' });
    }
  });
});

it('what is typed while the guest waits is replayed at the very cycle', async () => {
  const lines = ['echo one\n', 'echo two\n', 'echo three\n'];
  const recorded = await rvemu([...boot, '--record', 'typed', '--timeout', '4'], (output) =>
    output.endsWith('$ ') && lines.length > 0 ? lines.shift() : '',
  );
  expect(recorded.output).toMatch(/\nthree\n\$ $/);
  const { exitCode, output } = await rvemu(['replay', 'typed']);
  expect(output).toBe(recorded.output);
  expect(exitCode).toBe(0);
});

describe('a check', () => {
  it('that fails is recorded, and the replay has its findings', async () => {
    // The kernel's variable `fault`, the first word of its data, makes uvmunmap free a wrong address.
    const faulty = readFileSync(at('kernel.elf'));
    faulty[0xc000] = 2;
    writeFileSync(at('faulty.elf'), faulty);
    const check = await rvemu(['check', 'faulty.elf', '--disk', 'fs.img', '--run', 'echo x']);
    expect(check.exitCode).toBe(1);
    expect(check.errors).toContain(
      'the run with seed 0 is recorded; "rvemu replay check.rvemu" runs it again',
    );
    const { exitCode, errors } = await rvemu(['replay', 'check.rvemu']);
    expect(errors).toMatch(/error\[bad-free\]: .*replayed \d+ instructions, the same to the bit/s);
    expect(exitCode).toBe(0);
  });

  it('that finds nothing is recorded only when it is asked for', async () => {
    rmSync(at('check.rvemu'), { force: true });
    await rvemu(['check', 'kernel.elf', '--disk', 'fs.img', '--run', 'echo x']);
    expect(existsSync(at('check.rvemu'))).toBe(false);
    await rvemu(['check', 'kernel.elf', '--disk', 'fs.img', '--run', 'echo x', '--record', 'asked']);
    expect(existsSync(at('asked'))).toBe(true);
  });
});
