import { describe, expect, it } from 'vitest';
import type { Machine, Moment } from '../../src/machine/machine.js';
import { HOLD } from '../../src/rv64/code-page.js';
import { Slot } from '../../src/rv64/csr/bits.js';
import { bootImage, runUntil } from '../support/images.js';

/** Has one hart make a step; the others go on as it is their turn. */
function step(machine: Machine, index: number): void {
  const hart = machine.harts[index];
  const limit = hart.steps + 1;
  machine.run(1e9, 'skip', (each) => (each === hart ? limit : Infinity));
}

describe('a run that is paused', () => {
  it('is the same run, wherever it was paused', () => {
    const plain = bootImage({ harts: 3, seed: 5 }).machine;
    const paused = bootImage({ harts: 3, seed: 5 }).machine;
    for (let i = 0; paused.cycles < 2_900_000; i++) {
      const hart = paused.harts[i % 3];
      const limit = hart.steps + 1 + ((i * 7919) % 5000);
      paused.run(1e6, 'skip', (each) => (each === hart ? limit : Infinity));
    }
    while (paused.moment.turn >= 0) paused.run(1);
    plain.run(paused.cycles);
    expect(paused.cycles).toBe(plain.cycles);
    expect(paused.hash()).toBe(plain.hash());
  });

  it('makes one step at a time, of which a trap taken is one', () => {
    const { machine, text } = bootImage();
    runUntil(machine, text, '$ ');
    machine.type('echo\n');
    const [hart] = machine.harts;
    let traps = 0;
    for (let i = 0; i < 20_000; i++) {
      const { steps, mode } = hart;
      step(machine, 0);
      expect(hart.steps).toBe(steps + 1);
      if (hart.mode <= mode) continue;
      traps++;
      const handler = hart.csr[hart.mode === 3 ? Slot.mtvec : Slot.stvec];
      expect(hart.pc).toBe(handler & ~3n);
    }
    expect(traps).toBeGreaterThan(0);
  });

  it('comes to every moment again that it was paused at', () => {
    const { machine } = bootImage({ harts: 2 });
    const moments: { moment: Moment; hash: string }[] = [];
    for (const portion of [1, 999, 30_000, 400_000]) {
      const hart = machine.harts[portion % 2];
      const limit = hart.steps + portion;
      machine.run(1e7, 'skip', (each) => (each === hart ? limit : Infinity));
      moments.push({ moment: machine.moment, hash: machine.hash() });
    }
    const again = bootImage({ harts: 2 }).machine;
    for (const { moment, hash } of moments) {
      again.runTo(moment);
      expect(again.moment).toEqual(moment);
      expect(again.hash()).toBe(hash);
    }
  });

  it('can be paused by a probe before its instruction, and goes on with that', () => {
    const plain = bootImage({ harts: 2 }).machine;
    const held = bootImage({ harts: 2 }).machine;
    const kalloc = held.symbols.address('kalloc')!;
    let letPass: number | undefined;
    held.setProbe(kalloc, (hart) => {
      if (hart.steps === letPass) return undefined;
      letPass = hart.steps;
      held.pause();
      return HOLD;
    });
    let holds = 0;
    plain.run(30_000_000);
    while (held.cycles < plain.cycles || held.moment.turn >= 0) {
      if (held.run(plain.cycles - held.cycles || 1).kind !== 'paused') continue;
      holds++;
      expect(held.harts.some((hart) => BigInt.asUintN(64, hart.pc) === kalloc)).toBe(true);
    }
    expect(holds).toBeGreaterThan(100);
    expect(held.hash()).toBe(plain.hash());
  });
});

describe('a probe that was cleared', () => {
  it('is called no more', () => {
    const { machine } = bootImage();
    const kalloc = machine.symbols.address('kalloc')!;
    let calls = 0;
    machine.setProbe(kalloc, () => {
      calls++;
      machine.clearProbe(kalloc);
    });
    machine.run(30_000_000);
    expect(calls).toBe(1);
  });
});
