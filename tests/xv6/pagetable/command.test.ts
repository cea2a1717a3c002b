/** `rvemu pagetable` from outside, and the workflow that docs/ gives for it. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { faultyKernel } from '../../support/faulty.js';

/** A tree as a student has it, with the project's kernel. */
const folder = mkdtempSync(join(tmpdir(), 'rvemu-'));
mkdirSync(join(folder, 'kernel'));
mkdirSync(join(folder, '.github'));
copyFileSync('images/kernel.elf', join(folder, 'kernel/kernel'));
copyFileSync('images/fs.img', join(folder, 'fs.img'));
afterAll(() => rmSync(folder, { recursive: true }));

const node = [
  process.execPath,
  '--import',
  resolve('node_modules/tsx/dist/loader.mjs'),
  resolve('src/cli/main.ts'),
];

function run(command: readonly string[], cwd = folder) {
  const { status, stdout, stderr } = spawnSync(command[0], command.slice(1), {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
  });
  return { exitCode: status, output: stdout, errors: stderr };
}

const pagetable = (...words: string[]) => run([...node, 'pagetable', ...words]);

describe('rvemu pagetable', () => {
  it("prints the table of the tree's kernel, and nothing that the guest prints", () => {
    const { exitCode, output, errors } = pagetable('dump');
    expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: '' });
    expect(output).toMatch(/^Page table of the kernel: .*\n\n0x000c000000 - .* plic /);
  });

  it('prints the table of a process that a command starts, as it was in the end', () => {
    const { output } = pagetable('dump', '--after', 'echo x', '--process', 'echo', '--smp', '1');
    expect(output).toMatch(/^Page table of process echo: .* user memory .* trapframe .* trampoline/s);
  });

  it('ends with 1 when two tables differ, and leaves the disk as it was', () => {
    const before = readFileSync(join(folder, 'fs.img'));
    pagetable('dump', '--format', 'json', '--output', 'expected.json', '--after', 'echo x > y');
    expect(readFileSync(join(folder, 'fs.img')).equals(before)).toBe(true);
    expect(pagetable('diff', 'expected.json').exitCode).toBe(0);
    const path = join(folder, 'expected.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"r-x-"', '"rwx-"'));
    const { exitCode, output } = pagetable('diff', 'expected.json', 'kernel/kernel');
    expect(exitCode).toBe(1);
    expect(output).toMatch(/^--- expected\.json\n\+\+\+ kernel\/kernel\n- .* rwx- .*\n\+ .* r-x- .*\n/);
  });

  it('says how to see the table of a kernel that panics before its first prompt', () => {
    const TEXT_WRITABLE = 18;
    writeFileSync(join(folder, 'faulty.elf'), faultyKernel(TEXT_WRITABLE));
    const words = ['diff', 'model', 'faulty.elf', '--disk', 'fs.img'];
    const { exitCode, output, errors } = pagetable(...words);
    expect(errors).toMatch(/guest panicked: .*\nrvemu: "--at panic" takes the table as it was then\n$/);
    expect({ exitCode, output }).toEqual({ exitCode: 3, output: '' });
    const atPanic = pagetable(...words, '--at', 'panic');
    expect(atPanic.output).toMatch(/\+ .* rwx- {2}text .* <-- kernel text is writable\n/);
    expect(atPanic.exitCode).toBe(1);
  });

  it("compares rvemu's own kernel with the model where there is no tree", () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const { exitCode, output } = run([...node, 'pagetable', 'diff', 'model'], empty);
    expect(output).toMatch(/^model and .*kernel\.elf map the same\n$/);
    expect(exitCode).toBe(0);
  });

  it.each([
    ['a symbol that the kernel has not', ['dump', '--at', 'kaloc'], /no symbol kaloc/],
    ['a process that never runs', ['dump', '--process', 'vi'], /no process vi ever ran/],
    ['a file that is no dump', ['diff', 'fs.img'], /fs\.img is neither a kernel nor a dump/],
    ['a file that is not there', ['diff', 'none'], /page table none: no such file/],
    ['a model of the model', ['diff', 'model', 'model'], /page table model: no such file|is none/],
    ['a model of a process', ['diff', 'model', '--process', 'sh'], /leave --process away/],
  ])('refuses %s with 2 and one sentence', (_, words, message) => {
    const { exitCode, output, errors } = pagetable(...words);
    expect(errors).toMatch(message);
    expect(errors).toMatch(/^rvemu: .*\n$/);
    expect({ exitCode, output }).toEqual({ exitCode: 2, output: '' });
  });
});

describe('docs/page-tables-in-ci.md', () => {
  const text = readFileSync('docs/page-tables-in-ci.md', 'utf8');
  const [workflow, command] = ['yaml', 'sh'].map(
    (language) => new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(text)![1],
  );
  const { on, jobs } = parse(workflow);
  const { steps } = jobs['page-tables'];
  const isOurs = ({ run: script = '' }: { run?: string }): boolean => script.startsWith('npx --yes rvemu ');
  const inShell = (script: string) =>
    run([
      'bash',
      '-e',
      '-c',
      script.replaceAll('npx --yes rvemu', node.map((word) => `'${word}'`).join(' ')),
    ]);

  it('has a workflow in which each step is an action or a command', () => {
    expect(on).toEqual(['push', 'pull_request']);
    expect(jobs['page-tables']['runs-on']).toBe('ubuntu-latest');
    for (const step of steps)
      expect([typeof step.run, typeof step.uses].sort()).toEqual(['string', 'undefined']);
    expect(steps.filter(isOurs)).toHaveLength(3);
  });

  it('works as written: its commands pass for a kernel that is right, and fail for another', () => {
    expect(inShell(command)).toMatchObject({ exitCode: 0, errors: '' });
    const [model, process, draw] = steps.filter(isOurs);
    for (const { run: script } of [model, process]) expect(inShell(script)).toMatchObject({ exitCode: 0 });
    const expected = join(folder, '.github/init.json');
    writeFileSync(expected, readFileSync(expected, 'utf8').replace('"r-xu"', '"r--u"'));
    expect(inShell(process.run).exitCode).toBe(1);
    expect(inShell(draw.run).exitCode).toBe(0);
    expect(readFileSync(join(folder, 'init.svg'), 'utf8')).toContain('changed: was r--u');
  });
});

describe.skipIf(process.env.XV6 === undefined)('xv6-riscv (skipped unless XV6 names a built tree)', () => {
  it("has the kernel's table that the model makes", () => {
    const { output } = pagetable('diff', 'model', join(process.env.XV6!, 'kernel/kernel'));
    expect(output).toMatch(/map the same\n$/);
  });

  it('gives its shell memory, a stack below a page without U, trapframe and trampoline', () => {
    const { output } = pagetable('dump', join(process.env.XV6!, 'kernel/kernel'), '--process', 'sh');
    expect(output).toMatch(/user memory .*not for users .*user memory .*trapframe .*trampoline/s);
  });
});
