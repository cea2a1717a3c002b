/** The server under gdb itself, where that is installed. */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { debug, debugged, isGdbInstalled } from '../../support/gdb-process.js';
import { Running, RVEMU } from '../../support/process.js';

if (!isGdbInstalled) console.log('gdb-multiarch is not installed: what it makes of the server is not tested');

/** Of an ELF file's header (RISC-V psABI, "File Header"). */
const E_FLAGS = 48;
const EF_RISCV_FLOAT_ABI_DOUBLE = 4;

const TRAMPOLINE = '0x3ffffff000';

/** A gdb script file's lines as one command: steps until the instruction at pc is a system one with these high bits. */
const stepTo = (high: string): string =>
  `python while gdb.parse_and_eval("*(unsigned short*)$pc") != 0x73 or ` +
  `gdb.parse_and_eval("*(unsigned short*)($pc+2)") != ${high}: gdb.execute("stepi", to_string=True)`;
const ECALL = stepTo('0');
const SRET = stepTo('0x1020');

/** The value that `print` commands gave a name, as in `echo name=\n`. */
const values = (output: string): Record<string, string> =>
  Object.fromEntries([...output.matchAll(/^(\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]));
const show = (name: string, expression: string): string => `printf "${name}=%lx\\n", ${expression}`;

describe.skipIf(!isGdbInstalled)('gdb', () => {
  it('comes to breakpoints in the kernel, with a backtrace, and in a user program', async () => {
    const output = await debug([
      ...['break exec', 'continue', 'backtrace', 'delete'],
      ...['hbreak *0', 'continue', show('pc', '$pc'), show('mode', '$priv'), show('text', '*(int*)0')],
    ]);
    expect(output).toMatch(/Breakpoint 1, exec \(path=.* "\/init"/);
    expect(output).toMatch(/#1 .* in process_start \(\)/);
    expect(values(output)).toMatchObject({ pc: '0', mode: '0' });
    expect(output).not.toContain('Cannot access memory');
  });

  it('steps into a system call and out of it again', async () => {
    const output = await debug(
      [
        ...['break *0', 'continue', 'delete', ECALL, show('call', '$pc'), 'stepi'],
        ...[show('handler', '$pc'), show('stvec', '$stvec'), show('cause', '$scause'), show('sepc', '$sepc')],
        ...[`tbreak *(${TRAMPOLINE} + (long)&user_resume - (long)&user_vector)`, 'continue', SRET],
        ...[
          show('target', '$sepc'),
          show('before', '$priv'),
          'stepi',
          show('back', '$pc'),
          show('after', '$priv'),
        ],
      ],
      ['--smp', '1'],
    );
    const seen = values(output);
    expect(seen).toMatchObject({ cause: '8', before: '1', after: '0' });
    expect(seen.handler).toBe(seen.stvec);
    expect(seen.sepc).toBe(seen.call);
    expect(seen.back).toBe(seen.target);
    expect(BigInt('0x' + seen.target)).toBe(BigInt('0x' + seen.call) + 4n);
  });

  it('watches a page-table entry', async () => {
    const output = await debug([
      ...['break exec', 'continue', 'delete', 'tbreak walk', 'continue', 'finish'],
      ...['set $entry = (unsigned long *)$a0', 'watch *$entry', 'continue', 'backtrace 2'],
    ]);
    expect(output).toMatch(/Hardware watchpoint \d+: \*\$entry\s+Old value = 0\s+New value = \d+/);
    expect(output).toMatch(/#0 .* in mappages .*\n#1 .* in proc_pagetable/);
  });

  it('has a thread for each hart, and switches between them', async () => {
    const output = await debug([
      ...[
        'break exec',
        'continue',
        'continue',
        'info threads',
        'thread 3',
        show('three', '$mhartid'),
        'thread 2',
      ],
      ...[show('two', '$mhartid'), 'thread apply all printf "pc of %d\\n", $_thread'],
    ]);
    expect(output).toMatch(/3 +Thread 3 "hart 2" \(hart 2: pc 0x[0-9a-f]+ \((main|scheduler)\b/);
    expect(values(output)).toEqual({ three: '2', two: '1' });
    expect(output.match(/^pc of \d/gm)).toHaveLength(3);
  });

  it('goes back to breakpoints, by steps, and to before a watched store', async () => {
    const output = await debug([
      ...['break exec', 'continue', show('one', '$a0'), 'continue', show('two', '$a0')],
      ...[
        'reverse-stepi',
        show('before', '$pc'),
        'stepi',
        show('back', '$pc'),
        'reverse-continue',
        show('first', '$a0'),
      ],
      ...[
        'delete',
        'tbreak walk',
        'continue',
        'finish',
        'set $entry = (unsigned long *)$a0',
        'watch *$entry',
      ],
      ...['continue', show('written', '*$entry'), 'reverse-continue', show('unwritten', '*$entry'), 'delete'],
      ...['reverse-continue', show('cycles', '$mcycle')],
    ]);
    const seen = values(output);
    expect(seen.first).toBe(seen.one);
    expect(seen.first).not.toBe(seen.two);
    expect(seen.before).not.toBe(seen.back);
    expect(seen.written).not.toBe('0');
    expect(seen).toMatchObject({ unwritten: '0', cycles: '0' });
    expect(output).toMatch(/No more reverse-execution history/);
  });

  it('steps one thread while the others stay where they are, with scheduler-locking', async () => {
    const threads = [1, 2, 3].map((thread) => `thread apply ${thread} printf "pc=%lx\\n", $pc`);
    const output = await debug([
      ...['break exec', 'continue', 'delete', 'set scheduler-locking on', ...threads],
      ...['thread 3', 'stepi', 'stepi', 'stepi', ...threads, 'thread 1', 'stepi', ...threads],
    ]);
    const pcs = [...output.matchAll(/^pc=(\S+)$/gm)].map(([, pc]) => pc);
    expect(pcs).toHaveLength(9);
    const [before, third, first] = [pcs.slice(0, 3), pcs.slice(3, 6), pcs.slice(6)];
    expect(third.slice(0, 2)).toEqual(before.slice(0, 2));
    expect(third[2]).not.toBe(before[2]);
    expect(first.slice(1)).toEqual(third.slice(1));
    expect(first[0]).not.toBe(third[0]);
  });

  it('leaves the explanation of a panic to rvemu', async () => {
    const { output, errors } = await debugged([
      ...['set *(int *)&fault = 1', 'watch *(int *)&panicked', 'continue', 'backtrace'],
    ]);
    expect(output).toMatch(/ in panic /);
    expect(errors).toMatch(/^why: panic: /m);
  });

  describe('recorded', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rvemu-gdb-'));
    const file = join(folder, 'run.rvemu');
    afterEach(() => rmSync(file, { force: true }));
    afterAll(() => rmSync(folder, { recursive: true }));

    it('comes out the same without it, up to where it was left, wherever it went in between', async () => {
      const commands = [
        'break exec',
        'continue',
        'stepi 5',
        'continue',
        'reverse-stepi',
        'reverse-continue',
        'stepi',
      ];
      const { errors } = await debugged([...commands, 'kill'], ['--record', file], 'ls\n');
      expect(errors).toContain('recorded; ');
      const replay = new Running([...RVEMU, 'replay', file]);
      expect(await replay.ended).toBe(0);
      expect(replay.errors).toContain('the same to the bit');
    });

    it('is refused in a sentence when it changed something', async () => {
      const commands = ['break exec', 'continue', 'set $t0 = 5', 'kill'];
      const { errors } = await debugged(commands, ['--record', file]);
      expect(errors).toMatch(/: the run was not recorded in .*: gdb changed registers or memory in it.*\n$/);
      expect(existsSync(file)).toBe(false);
    });
  });

  it('takes programs that were compiled for harts with floating point', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rvemu-gdb-'));
    const program = join(folder, 'program');
    const elf = readFileSync('images/kernel.elf');
    elf.writeUInt32LE(elf.readUInt32LE(E_FLAGS) | EF_RISCV_FLOAT_ABI_DOUBLE, E_FLAGS);
    writeFileSync(program, elf);
    const output = await debug([`file ${program}`, 'break exec', 'continue', 'info registers ft0', 'stepi']);
    rmSync(folder, { recursive: true });
    expect(output).not.toContain('bfd requires');
    expect(output).toMatch(/Breakpoint 1, exec .*<unavailable>/s);
  });

  it('calls functions of the kernel, whose stack cannot be executed', async () => {
    const output = await debug([
      'break exec',
      'continue',
      show('id', '((long (*)(void))hart_id)()'),
      'backtrace 1',
    ]);
    expect(values(output)).toEqual({ id: '0' });
    expect(output).toMatch(/#0 .*exec \(/);
  });

  it('kills the guest', async () => {
    expect(await debug(['kill'])).toMatch(/killed/);
  });
});
