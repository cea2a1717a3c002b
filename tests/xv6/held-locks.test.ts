import { describe, expect, it } from 'vitest';
import type { Machine } from '../../src/machine/machine.js';
import type { MachineOptions } from '../../src/machine/parts.js';
import { Guest } from '../../src/xv6/guest.js';
import { HeldLocks } from '../../src/xv6/held-locks.js';
import { Probes } from '../../src/xv6/probes.js';
import { bootImage, kernelElf } from '../support/images.js';

interface Followed {
  readonly machine: Machine;
  readonly locks: HeldLocks;
  /** Orders in which locks were taken that were new, by name. */
  readonly orders: string[];
}

function followed(jit: MachineOptions['jit']): Followed {
  const { machine } = bootImage({ harts: 2, jit });
  const guest = new Guest(machine, kernelElf);
  const probes = new Probes(guest);
  const locks = new HeldLocks(guest, probes);
  const orders: string[] = [];
  locks.onNewOrder = (lock, held) =>
    orders.push([...held.map((each) => each.lock), lock].map((each) => locks.nameOf(each)).join(' '));
  probes.attach();
  return { machine, locks, orders };
}

describe('the account of held locks', () => {
  it('is kept by translated code as it is by probes', { timeout: 120_000 }, () => {
    const [translated, interpreted] = [followed({ hotAfter: 5 }), followed(false)];
    for (const { machine } of [translated, interpreted]) machine.run(30_000_000);
    for (let point = 0; point < 100; point++) {
      for (const { machine } of [translated, interpreted]) machine.run(200_000 + point);
      const [ours, theirs] = [translated.machine.notes, interpreted.machine.notes];
      expect(ours.findIndex((word, index) => word !== theirs[index])).toBe(-1);
    }
    expect(translated.orders.length).toBeGreaterThan(3);
    expect(translated.orders).toEqual(interpreted.orders);
  });

  it('has the one lock that a hart holds when it switches to another process', () => {
    const { machine, locks } = followed(true);
    const guest = new Guest(machine, kernelElf);
    const seen = new Set<string>();
    machine.setProbe(machine.symbols.address('switch_context')!, (hart) => {
      const held = locks.of(hart);
      expect(held.map(({ lock }) => guest.word32(lock))).toEqual([1]);
      seen.add(locks.nameOf(held[0].lock));
    });
    machine.run(40_000_000);
    expect([...seen]).toEqual(['process']);
  });

  it('tells of locks that are given back only where somebody wants to be told', () => {
    const { machine, locks } = followed(true);
    const told: string[] = [];
    locks.listen((lock, hart) => {
      expect(locks.of(hart).map((held) => held.lock)).toContain(lock);
      told.push(locks.nameOf(lock));
    });
    machine.run(20_000_000);
    expect(told).toEqual([]);
    locks.beginTelling();
    machine.run(20_000_000);
    const count = told.length;
    expect(count).toBeGreaterThan(500);
    locks.endTelling();
    machine.run(20_000_000);
    expect(told).toHaveLength(count);
  });
});
