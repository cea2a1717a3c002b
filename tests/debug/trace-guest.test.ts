/** Traces of the project's kernel: system calls, user programs, memory, page tables, the disk. */
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { readVirtual } from '../../src/debug/address-space.js';
import { callNames } from '../../src/debug/syscalls.js';
import { Tracer } from '../../src/debug/trace.js';
import { readElf } from '../../src/machine/elf.js';
import type { Hart } from '../../src/rv64/hart.js';
import { Mode } from '../../src/rv64/trap.js';
import { Guest } from '../../src/xv6/guest.js';
import { buildElf } from '../support/elf.js';
import { bootImage, kernelElf, runUntil } from '../support/images.js';
import { Running, RVEMU } from '../support/process.js';

/** The lines of a filter, from the first prompt to the one after a command. */
function traced(
  filter: string,
  command: string,
  programs: readonly { name: string; contents: Uint8Array }[] = [],
) {
  const { machine, text } = bootImage();
  const guest = new Guest(machine, kernelElf);
  const lines: string[] = [];
  const processOn = (hart: Hart) => {
    const process = guest.processOn(hart);
    return process && { ...process, address: guest.processAddress(hart)! };
  };
  new Tracer(machine, filter, (line) => lines.push(line.trim().replace(/ +/g, ' ')), {
    kernel: kernelElf,
    programs,
    processOn,
  });
  runUntil(machine, text, '$ ');
  machine.type(`${command}\n`);
  machine.run(20_000_000);
  return { lines, machine };
}

/** The first bytes of the shell's code, as they lie in its memory. */
function codeOfShell(): Uint8Array {
  const { machine, text } = bootImage();
  const guest = new Guest(machine, kernelElf);
  let code = new Uint8Array();
  machine.observe({
    trap: (hart) => {
      if (hart.mode === Mode.User && guest.processOn(hart)?.name === 'sh')
        code = Uint8Array.from(readVirtual(machine, hart, 0n, 512));
    },
  });
  runUntil(machine, text, '$ ');
  return code;
}

describe('a trace of system calls', () => {
  const { lines, machine } = traced('syscalls', 'echo hi');

  it('shows them as they return, with their arguments in words', () => {
    expect(lines.join('\n')).toMatch(/init(| \(1\)): fork\(\) = 2/);
    expect(lines.join('\n')).toMatch(/sh \(2\): read\(0, "h", 1\) = 1/);
    expect(lines.join('\n')).toMatch(/echo \(\d\): exec\("echo", \["echo", "hi"\]\) = /);
    expect(lines.join('\n')).toMatch(/echo \(\d\): write\(1, "hi.*", \d\) = \d/);
    expect(lines.join('\n')).toMatch(/echo \(\d\): exit\(0\) = \?/);
  });

  it("takes the names from the kernel's own table", () => {
    const names = callNames(machine, readElf(kernelElf).symbols);
    expect([names.get(1), names.get(22), names.get(28)]).toEqual(['fork', 'mmap', 'freeframes']);
    expect(callNames(machine, []).get(16)).toBe('write');
  });

  it('changes nothing', () => {
    const { machine: plain, text } = bootImage();
    runUntil(plain, text, '$ ');
    plain.type('echo hi\n');
    plain.run(20_000_000);
    expect(machine.hash()).toBe(plain.hash());
  });
});

describe('a trace', () => {
  it('shows the virtual and the physical address of an access', () => {
    const [line] = traced('function=uvmcopy,address=3f00000000-4000000000', 'x').lines;
    expect(line).toMatch(/uvmcopy.* c\.sdsp \w+, \d+\(sp\) \[0x3fff\w{6} -> 0x8\w{7}\]$/);
  });

  it('shows disk requests', () => {
    expect(traced('disk', 'cat README').lines[0]).toMatch(/disk: read sector \d+, 1024 bytes$/);
  });

  it('names the functions of the user program that lies in memory, whatever its process is called', () => {
    const elf = buildElf({
      entry: 0n,
      segments: [{ address: 0n, data: codeOfShell() }],
      symbols: [{ name: 'first_function', address: 0n, size: 0x10000n, type: 2, global: true }],
    });
    const stranger = buildElf({
      entry: 0n,
      segments: [{ address: 0n, data: new Uint8Array(512) }],
      symbols: [{ name: 'not_this', address: 0n, size: 400n, type: 2, global: true }],
    });
    const programs = [
      { name: 'sh', contents: stranger },
      { name: 'shell', contents: elf },
    ];
    const { lines } = traced('syscalls,process=sh', 'x', programs);
    const first = lines.filter((line) => line.includes('shell:first_function'));
    expect(first.length).toBeGreaterThan(0);
  });

  it('shows a function that only a user program has, and has harts told of no other instruction', () => {
    const elf = buildElf({
      entry: 0n,
      segments: [{ address: 0n, data: codeOfShell() }],
      symbols: [{ name: 'first_function', address: 0n, size: 0x40n, type: 2, global: true }],
    });
    const { lines, machine } = traced('function=first_function', 'x', [{ name: 'sh', contents: elf }]);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.every((line) => /^\d+ 0 u 0{14}[0-3]\w sh:first_function/.test(line))).toBe(true);
    expect(machine.harts[0].observer!.instruction).toBeUndefined();
  });

  it('shows a function by either of the two names of its place, and has harts told of no other instruction', () => {
    const { lines, machine } = traced('function=user_vector', 'x');
    expect(lines.length).toBeGreaterThan(0);
    expect(lines).toEqual(traced('function=trampoline', 'x').lines);
    expect(machine.harts[0].observer!.instruction).toBeUndefined();
  });
});

it('a run whose trace nobody reads any more ends quietly', async () => {
  const words = ['--import', 'tsx', 'src/cli/main.ts', 'boot', '--smp', '1', '--trace', 'instructions'];
  const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdout.resume();
  child.stderr.once('data', () => child.stderr.destroy());
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(141);
});

describe('the command', () => {
  /** The lines that a filter shows of a run. */
  async function shown(filter: string): Promise<string[]> {
    const words = ['boot', '--smp', '1', '--run', 'echo x', '--trace', filter];
    const rvemu = new Running([...RVEMU, ...words]);
    expect(await rvemu.ended).toBe(0);
    return rvemu.errors.split('\n');
  }

  it('shows entries of page tables with what they were and what they are', async () => {
    const lines = await shown('pagetable,process=sh');
    expect(lines.join('\n')).toMatch(
      /pagetable: table 0x8\w+, level 0, for 0x\w+: 0 -> 0x\w+ \(VRW-U at 0x8\w+\) at 0x8\w+\n/,
    );
  });

  it('shows a change of a page table at the very store', async () => {
    const lines = await shown('pagetable,instructions,function=uvmunmap');
    const changes = lines.flatMap((line, index) => (line.includes('pagetable:') ? [index] : []));
    expect(changes.length).toBeGreaterThan(0);
    for (const index of changes) {
      const [, place, at] = /^(.*)pagetable: .* at (0x8\w+)$/.exec(lines[index])!;
      expect(lines[index - 1]).toContain(place);
      expect(lines[index - 1]).toMatch(new RegExp(` sd zero, .*-> ${at}\\]$`));
    }
  });
});

describe.skipIf(process.env.XV6 === undefined)('xv6-riscv (skipped unless XV6 names a built tree)', () => {
  it("has its programs' functions in traces", async () => {
    const words = [
      '--import',
      'tsx',
      'src/cli/main.ts',
      'boot',
      `${process.env.XV6}/kernel/kernel`,
      '--ephemeral',
    ];
    const filter = ['--run', 'echo x', '--trace', 'syscalls,process=echo'];
    const child = spawn(process.execPath, [...words, ...filter], { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (bytes) => (errors += bytes));
    await new Promise((resolve) => child.on('close', resolve));
    expect(errors).toMatch(/echo:write.* write\(1, "x", 1\) = 1\n/);
  });
});
