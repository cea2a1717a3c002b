import { describe, expect, it } from 'vitest';
import { bootImage, runUntil } from '../support/images.js';

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
