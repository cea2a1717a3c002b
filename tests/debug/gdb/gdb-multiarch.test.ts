/** The server under gdb itself, where that is installed. */
import { describe, expect, it } from 'vitest';
import { debug, isGdbInstalled } from '../../support/gdb-process.js';

if (!isGdbInstalled) console.log('gdb-multiarch is not installed: what it makes of the server is not tested');

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
      ...['break exec', 'continue', 'info threads', 'thread 3', show('three', '$mhartid'), 'thread 2'],
      ...[show('two', '$mhartid'), 'thread apply all printf "pc of %d\\n", $_thread'],
    ]);
    expect(output).toMatch(/3 +Thread 3 "hart 2" \(hart 2: pc 0x[0-9a-f]+ \(scheduler/);
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

  it('kills the guest', async () => {
    expect(await debug(['kill'])).toMatch(/killed/);
  });
});
