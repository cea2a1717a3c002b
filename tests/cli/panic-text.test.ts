import { Chalk } from 'chalk';
import { describe, expect, it } from 'vitest';
import { TextReport } from '../../src/cli/check-text.js';
import { meaningOf } from '../../src/cli/known-panics.js';
import { explainPanic, type Witnesses } from '../../src/cli/panic-text.js';
import { Backtracer } from '../../src/debug/backtrace.js';
import { Places } from '../../src/debug/places.js';
import { PostMortem } from '../../src/debug/post-mortem.js';
import type { Machine } from '../../src/machine/machine.js';
import { Slot } from '../../src/rv64/csr/bits.js';
import type { Hart } from '../../src/rv64/hart.js';
import { bootImage, kernelElf } from '../support/images.js';

const places = new Places(kernelElf);
const colour = new Chalk({ level: 0 });
const witnesses: Witnesses = {
  places,
  colour,
  text: new TextReport(places, 'kernel.elf', colour),
  processOn: () => ({ pid: 2, name: 'sh' }),
  historyOf: () => [],
};

/** Boots the project's kernel to its death, `prepare`d to die of something, and explains that. */
function explain(
  prepare: (machine: Machine) => void,
  historyOf = witnesses.historyOf,
  title = 'the title',
): string {
  const { machine, text } = bootImage();
  const postMortem = new PostMortem(machine, new Backtracer(machine));
  prepare(machine);
  for (let cycles = 0; !text().includes('panic: ') && cycles < 1e9; cycles += 1e6) {
    if (machine.run(1e6).kind === 'stuck') break;
  }
  machine.run(1e6);
  return explainPanic(machine, postMortem, title, { ...witnesses, historyOf });
}

const withFault =
  (fault: number) =>
  (machine: Machine): void => {
    machine.readMemory(machine.symbols.address('fault')!, 4)![0] = fault;
  };

/** Changes a register at a call of `name`, once the first process runs. */
const atCallOf =
  (name: string, change: (hart: Hart) => void) =>
  (machine: Machine): void =>
    machine.setProbe(machine.symbols.address(name)!, (hart) => {
      if (hart.cycles > 35_200_000) change(hart);
    });

describe('a panic is explained', () => {
  it('by the trap that led to it: instruction, line, address, walk and callers', () => {
    const text = explain(withFault(14));
    expect(text).toMatch(/^why: the title\n {2}hart 0, pid 2 \(sh\), instruction \d+\n/);
    expect(text).toContain('the first trap: store/AMO page fault, instruction');
    expect(text).toMatch(/--> memmove\+0x58 \(.*kernel\/string.c:\d+\)/);
    expect(text).toContain('instruction: sb a4, -1(a5)');
    expect(text).toContain('stval is a null pointer');
    expect(text).toMatch(/0x0 in the table at 0x[0-9a-f]+: the entry is not valid \(V=0\)/);
    expect(text).toMatch(/level 2, entry 0: .*\(table at .*\)\n {6}level 1, entry 0: 0 <-- here/);
    expect(text).toMatch(/called from\n {4}copy_to.*\n {4}inode_read/);
    expect(text).toMatch(/hart 0.*\n.*halt.*\n.*panic/);
  });

  it('by where it was called from, when the kernel itself found something wrong', () => {
    const text = explain(withFault(24));
    expect(text).toContain('no trap led to it');
    expect(text).toMatch(/panic\+.*\n.*vm_free/);
  });

  it('by what the words of a well-known panic mean', () => {
    const text = explain(withFault(24), undefined, 'panic: uvmunmap: not mapped');
    expect(text).toMatch(/ {2}what it means: a page is to be unmapped that is not mapped: .*\n {4}\S/);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(explain(withFault(24))).not.toContain('what it means');
    expect(meaningOf('panic: kfree')).toContain('not the address of a frame');
    expect(meaningOf('panic: my_kfree')).toBeUndefined();
  });

  it('by the poison in the address and in the registers', () => {
    const text = explain(atCallOf('memmove', (hart) => (hart.x[11] = 0x0505_0505_0505_0505n)));
    expect(text).toContain('stval is poison: 0x0505050505050505, what kalloc fills a frame with');
    expect(text).toContain('the address is not canonical');
    expect(text).toMatch(/a1 = 0x505050505050505: 0x0505050505050505/);
  });

  it('by the stack pointer next to an address that is not mapped', () => {
    const text = explain(atCallOf('kalloc', (hart) => (hart.x[2] = BigInt(0x3f_0000_0000))));
    expect(text).toContain('the stack has run over its end');
  });

  it('by the first of several traps, when the handler trapped too', () => {
    const text = explain(withFault(39));
    expect(text).toContain('the first trap: store/AMO page fault');
    expect(text).toContain('while sstatus.SUM is 0');
  });

  it('by the first trap, when there was no handler yet', () => {
    const text = explain((machine) => {
      machine.setProbe(machine.symbols.address('kvm_init')!, (hart) => (hart.csr[Slot.stvec] = 0n));
      machine.setProbe(machine.symbols.address('walk')!, (hart) => (hart.x[10] = 0x400n));
    });
    expect(text).toContain('the first trap: load page fault, trap value 0x400');
    expect(text).toMatch(/--> walk\+/);
    expect(text).toMatch(/stval is 1024 bytes from a null pointer/);
    expect(text).toContain('its handler trapped in turn: instruction page fault at 0x0\n');
  });

  it('by the past of the frame with the table that ended the walk, where it is known', () => {
    const event = { instruction: 4, cycle: 5, hart: 0, process: undefined, stack: [] };
    const asked: number[] = [];
    const text = explain(withFault(14), (physical) => {
      asked.push(physical);
      return [{ what: 'freed', event }];
    });
    expect(asked[0] % 8).toBe(0);
    expect(text).toContain('the frame of that table was freed: hart 0, instruction 4');
  });
});
