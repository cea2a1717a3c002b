/** `rvemu check` as a command: what it reports where, what its options choose, and what it ends with. */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { faultyKernel } from '../support/faulty.js';
import { fileSystemImage } from '../support/images.js';

const LONG = { timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'rvemu-check-'));
afterAll(() => rmSync(folder, { recursive: true }));

const disk = join(folder, 'fs.img');
writeFileSync(disk, fileSystemImage);
const kernelWithFault = (fault: number): string => {
  const path = join(folder, `kernel-${fault}`);
  writeFileSync(path, faultyKernel(fault));
  return path;
};
/** A store to a freed frame each time a process ends, and a missing fill of each frame that is freed. */
const [WRITES_AFTER_FREE, DOES_NOT_FILL] = [kernelWithFault(9), kernelWithFault(12)];

function check(kernel: string, ...words: string[]) {
  const common = ['check', kernel, '--disk', disk, '--ephemeral', '--smp', '1'];
  const command = ['--import', 'tsx', 'src/cli/main.ts', ...common, ...words];
  const env = { ...process.env, FORCE_COLOR: undefined };
  return new Promise<{ exitCode: number; output: string; errors: string }>((resolve) => {
    const child = execFile(process.execPath, command, { env }, (_, output, errors) =>
      resolve({ exitCode: child.exitCode!, output, errors }),
    );
  });
}

/** Checks the correct kernel with each seed; sends the signal, if any, after the first of them. */
function checkSeeds(seeds: string, signal?: NodeJS.Signals) {
  const words = ['check', '--ephemeral', '--smp', '1', '--no-record', '--run', 'echo', '--seeds', seeds];
  const report = 'process.on("exit", () => console.error(`${process.resourceUsage().maxRSS} kilobytes`))';
  const preload = `data:text/javascript,${encodeURIComponent(report)}`;
  const command = ['--import', 'tsx', '--import', preload, 'src/cli/main.ts', ...words];
  return new Promise<{ exitCode: number | null; errors: string; kilobytes: number }>((resolve) => {
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (signal && !errors.includes('seed 1:') && (errors + text).includes('seed 1:')) child.kill(signal);
      errors += text;
    });
    child.on('close', (exitCode) =>
      resolve({ exitCode, errors, kilobytes: Number(/(\d+) kilobytes/.exec(errors)?.[1]) }),
    );
  });
}

describe('rvemu check', () => {
  it('ends with 1 on findings; tells each as it happens, and all about it at the end', LONG, async () => {
    const { exitCode, output, errors } = await check(WRITES_AFTER_FREE, '--run', 'echo hello');
    expect(exitCode).toBe(1);
    expect(output).toContain('hello');
    expect(errors).toMatch(/^rvemu: error\[write-after-free\]: a store of 8 bytes to 0x/);
    expect(errors).toMatch(/\nerror\[write-after-free\]: .*\n {2}--> process_free/);
    expect(errors).toMatch(/reproduce: rvemu check .* --seed 0 --ephemeral --run 'echo hello'/);
    expect(errors).toMatch(/1 finding\n$/);
  });

  it('ends as boot does without findings, and says so', LONG, async () => {
    const { exitCode, errors } = await check(kernelWithFault(0), '--run', 'echo', '--expect', 'never said');
    expect(exitCode).toBe(1);
    expect(errors).toContain('no line of output matched');
    expect(errors).toMatch(/kernel-0: no findings\n$/);
    expect((await check(kernelWithFault(0), '--run', 'echo')).exitCode).toBe(0);
  });

  it('names the recording of a session that was typed, and a command for any other', LONG, async () => {
    const recording = join(folder, 'typed.rvemu');
    const { errors } = await check(DOES_NOT_FILL, '--until-first', '--record', recording);
    expect(errors).toContain(`reproduce: rvemu replay ${recording}`);
  });

  it('keeps nothing of a run when it begins the next one', LONG, async () => {
    const { errors, kilobytes } = await checkSeeds('1..20');
    expect(errors).not.toContain('Warning');
    expect(errors).toContain('no findings in 20 seeds');
    // A run that is kept is some 140 MB; when one is given up, it is the garbage collector that chooses the moment.
    expect(kilobytes).toBeLessThan(2_000_000);
  });

  it('ends with all of its runs at a signal', LONG, async () => {
    const { errors, exitCode } = await checkSeeds('1..1000', 'SIGINT');
    // Between two runs nobody listens, and the signal ends the process itself.
    expect([130, null]).toContain(exitCode);
    expect(errors).not.toContain('seed 9:');
  });

  it('ends at the first finding with --until-first', LONG, async () => {
    const { exitCode, output, errors } = await check(DOES_NOT_FILL, '--until-first', '--run', 'echo hello');
    expect(exitCode).toBe(1);
    expect(output).not.toContain('hello');
    expect(errors).toMatch(/freed-not-filled/);
  });

  it('reports only what --rules names, and not what --ignore names', LONG, async () => {
    const only = await check(WRITES_AFTER_FREE, '--rules', 'frame-lost,lock-order', '--run', 'echo');
    expect(only.exitCode).toBe(0);
    expect(only.errors).toContain('no findings');
    const not = await check(WRITES_AFTER_FREE, '--ignore', 'write-after-free', '--run', 'echo');
    expect(not.exitCode).toBe(0);
    const wrong = await check(WRITES_AFTER_FREE, '--ignore', 'write-after-fre', '--run', 'echo');
    expect(wrong).toMatchObject({ exitCode: 2, output: '' });
    expect(wrong.errors).toMatch(
      /no rule write-after-fre; the nearest is write-after-free, and "rvemu explain" lists all/,
    );
  });

  it('runs with each seed of --seeds, and says which of them fail', LONG, async () => {
    const { exitCode, errors, output } = await check(
      WRITES_AFTER_FREE,
      '--seeds',
      '7..9',
      '--run',
      'echo hello',
    );
    expect(exitCode).toBe(1);
    expect(output).toBe('');
    expect(errors.match(/rvemu: seed [789]: write-after-free\n/g)).toHaveLength(3);
    expect(errors).toMatch(/3 findings, in 3 of 3 seeds: 7, 8, 9\n$/);
    const clean = await check(kernelWithFault(0), '--seeds', '1..2', '--run', 'echo hello');
    expect(clean.exitCode).toBe(0);
    expect(clean.errors).toMatch(/seed 1: clean\n.*seed 2: clean\n[^]*no findings in 2 seeds\n$/);
    const unexpected = await check(
      kernelWithFault(0),
      '--seeds',
      '1..2',
      '--run',
      'echo',
      '--expect',
      'never said',
    );
    expect(unexpected.errors).toMatch(/no findings in 2 seeds; without a finding, these fail: 1, 2\n$/);
    expect(await check(WRITES_AFTER_FREE, '--seeds', '1..2')).toMatchObject({
      exitCode: 2,
      errors: expect.stringMatching(/--seeds needs --run or --expect/),
    });
  });

  it('writes other formats to standard output, or to a file next to the guest’s output', LONG, async () => {
    const { output } = await check(WRITES_AFTER_FREE, '--format', 'json', '--run', 'echo hello');
    expect(JSON.parse(output).runs[0].findings[0].rule).toBe('write-after-free');
    const path = join(folder, 'report.sarif');
    const words = ['--format', 'sarif', '--output', path, '--run', 'echo hello'];
    expect((await check(kernelWithFault(0), ...words)).output).toContain('hello');
    expect(JSON.parse(readFileSync(path, 'utf8')).runs[0].results).toEqual([]);
    const nowhere = await check(WRITES_AFTER_FREE, '--output', join(folder, 'no', 'report'), '--run', 'echo');
    expect(nowhere).toMatchObject({ exitCode: 2, output: '' });
  });
});
