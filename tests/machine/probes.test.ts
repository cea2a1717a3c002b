import { describe, expect, it } from 'vitest';
import type { Machine } from '../../src/machine/machine.js';
import { bootImage, runUntil } from '../support/images.js';
import { bootProgram } from '../support/programs.js';

describe('a probe', () => {
  it('is called before each execution of its instruction, and changes nothing', () => {
    const plain = bootImage();
    const probed = bootImage();
    const kalloc = probed.machine.symbols.address('kalloc')!;
    const seen: bigint[] = [];
    probed.machine.setProbe(kalloc, (hart) => seen.push(hart.pc));
    plain.machine.run(20_000_000);
    probed.machine.run(20_000_000);
    expect(seen.length).toBeGreaterThan(100);
    expect(new Set(seen.map((pc) => BigInt.asUintN(64, pc)))).toEqual(new Set([kalloc]));
    expect(probed.machine.hash()).toBe(plain.machine.hash());
  });

  it('hears nothing of what a spare hart tries out to find the version of the disk', () => {
    const { machine, text } = bootImage();
    const start = machine.symbols.address('disk_init')!;
    const seen = new Set<boolean>();
    for (let at = start; at < start + 200n; at += 2n)
      machine.setProbe(at, (hart) => seen.add(machine.harts.includes(hart)));
    runUntil(machine, text, '$ ');
    expect([...seen]).toEqual([true]);
  });

  it('works on code that has been executed before', () => {
    const { machine, text } = bootImage();
    runUntil(machine, text, '$ ');
    let calls = 0;
    machine.setProbe(machine.symbols.address('kalloc')!, () => calls++);
    machine.type('echo\n');
    runUntil(machine, text, '$ ');
    expect(calls).toBeGreaterThan(0);
  });
});

describe('translated code beside a probe', () => {
  const program = `
    la s2, other
    again: addi s0, s0, 1
      jalr ra, 0(s2)
      j again
    .align 64
    other: addi s1, s1, 1
      jalr zero, 0(ra)`;

  it('is found again when the probe is set', () => {
    const machine = bootProgram(program, { jit: { hotAfter: 3 } });
    machine.run(10_000);
    const { translated } = machine.statistics().translator!;
    let calls = 0;
    machine.setProbe(machine.symbols.address('other')!, () => calls++);
    machine.run(10_000);
    expect(calls).toBeGreaterThan(1000);
    expect(machine.statistics().translator!.reused).toBeGreaterThan(0);
    expect(machine.statistics().translator!.translated).toBeLessThanOrEqual(translated + 1);
    expect(machine.harts[0].x[9] - machine.harts[0].x[8]).toBeLessThan(2n);
  });
});

describe('a probe that translated code can do', () => {
  const COUNT = 64;

  /** Runs with a probe at kalloc that counts in the notes, and is called for every `every`th time only, if at all. */
  function counted(every: number): { machine: Machine; calls: number } {
    const { machine } = bootImage({ jit: { hotAfter: 10 } });
    const { notes } = machine;
    let calls = 0;
    machine.setProbe(
      machine.symbols.address('kalloc')!,
      () => {
        calls++;
        notes[COUNT / 4]++;
      },
      (t) => {
        const next = t.i32.add(t.note(t.hart(), COUNT), t.i32.constant(1));
        t.callIf(t.i32.eqz(t.i32.remU(next, t.i32.constant(every))));
        t.setNote(t.hart(), COUNT, next);
      },
    );
    machine.run(20_000_000);
    return { machine, calls };
  }

  it('is called only where its translation says so, and changes nothing', () => {
    const plain = bootImage();
    let count = 0;
    plain.machine.setProbe(plain.machine.symbols.address('kalloc')!, () => count++);
    plain.machine.run(20_000_000);
    const rarely = counted(10);
    const always = counted(1);
    expect(rarely.machine.notes[COUNT / 4]).toBe(count);
    expect(always.machine.notes[COUNT / 4]).toBe(count);
    expect(always.calls).toBe(count);
    expect(rarely.calls).toBeLessThan(count / 2);
    expect(rarely.machine.hash()).toBe(plain.machine.hash());
  });

  it('is called each time where there is another one', () => {
    const { machine } = bootImage();
    const kalloc = machine.symbols.address('kalloc')!;
    const seen: string[] = [];
    machine.setProbe(
      kalloc,
      () => seen.push('first'),
      () => {},
    );
    machine.setProbe(
      kalloc,
      () => seen.push('second'),
      () => {},
    );
    machine.run(20_000_000);
    expect(seen.length).toBeGreaterThan(200);
    expect(seen.filter((which) => which === 'first')).toHaveLength(seen.length / 2);
  });
});

describe('a watched frame', () => {
  it('reports each store to it, before it happens, and changes nothing', () => {
    const plain = bootImage();
    const watched = bootImage();
    const ticks = watched.machine.symbols.address('ticks')!;
    const value = watched.machine.readMemory(ticks, 4)!;
    const seen: number[] = [];
    watched.machine.watchFrame(ticks, (address, _, hart) => {
      if (address === Number(ticks) && hart?.mode === 1) seen.push(value[0]);
    });
    plain.machine.run(40_000_000);
    watched.machine.run(40_000_000);
    expect(seen).toEqual(Array.from(seen, (_, index) => index));
    expect(seen.length).toBeGreaterThan(0);
    expect(watched.machine.hash()).toBe(plain.machine.hash());
  });
});

describe('a frame whose loads are watched', () => {
  it('reports each load from it that a kernel makes, and changes nothing', () => {
    const plain = bootImage();
    const watched = bootImage();
    const ticks = watched.machine.symbols.address('ticks')!;
    const seen: number[] = [];
    watched.machine.watchLoadsInPlace(ticks, (address, bytes) => {
      if (address === Number(ticks) && bytes === 4) seen.push(address);
    });
    plain.machine.run(45_000_000);
    watched.machine.run(45_000_000);
    const value = watched.machine.readMemory(ticks, 4)!;
    expect(value[0]).toBeGreaterThan(0);
    expect(seen.length).toBeGreaterThanOrEqual(value[0]);
    expect(watched.machine.hash()).toBe(plain.machine.hash());
    const before = seen.length;
    watched.machine.unwatchLoads(ticks);
    watched.machine.run(10_000_000);
    expect(seen).toHaveLength(before);
  });

  it('reports loads by translated code that has loaded from it before', () => {
    const { machine, text } = bootImage();
    runUntil(machine, text, '$ ');
    const ticks = machine.symbols.address('ticks')!;
    let loads = 0;
    machine.watchLoadsInPlace(ticks, () => loads++);
    machine.run(10_000_000);
    expect(loads).toBeGreaterThan(0);
  });
});
