import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../../src/devices/block-store.js';
import { RewindableStore } from '../../../src/devices/rewindable-store.js';
import { History } from '../../../src/debug/history/history.js';
import { OutputGate } from '../../../src/debug/history/output-gate.js';
import { Machine, type Moment } from '../../../src/machine/machine.js';
import { faultyKernel } from '../../support/faulty.js';
import { fileSystemImage, kernelElf } from '../../support/images.js';
import { remembered } from '../../support/remembered.js';

const MEBIBYTE = 1 << 20;

/** See images/kernel/fault.h. */
const NO_FENCE_AFTER_UNMAP = 26;

/** The same with ways to drive it. */
function driven(options: Parameters<typeof remembered>[0] = {}) {
  const { machine, history, text } = remembered(options);
  const runUntil = (expected: string): void => {
    for (let i = 0; !text().endsWith(expected); i++) {
      if (i > 10_000) throw new Error(`no ${expected} in: ${text()}`);
      history.run(100_000, 'skip');
    }
  };
  const type = (line: string): void => history.type(new TextEncoder().encode(line));
  return { machine, history, text, runUntil, type };
}

/** Goes a way to its end. */
function go<Result>(way: Generator<void, Result>): Result {
  for (;;) {
    const { done, value } = way.next();
    if (done) return value;
  }
}

/** Runs on, and pauses a hart here and there; returns where, with a hash of all that there was. */
function wander(machine: Machine, history: History, count: number, cycles: number) {
  const seen: { moment: Moment; hash: string }[] = [];
  for (let i = 0; i < count; i++) {
    history.run(cycles, 'skip');
    const hart = machine.harts[i % machine.harts.length];
    const limit = hart.steps + 1 + 1237 * i;
    while (history.run(1_000_000, 'skip', (each) => (each === hart ? limit : Infinity)).kind === 'budget');
    seen.push({ moment: machine.moment, hash: machine.hash() });
  }
  return seen;
}

describe('a run that is remembered', () => {
  it('is the same as one that is not', () => {
    const { machine, history } = driven();
    const plain = new Machine({
      kernel: kernelElf,
      disk: new RewindableStore(new MemoryStore(fileSystemImage)),
      harts: 2,
    });
    plain.run(50_000_000);
    while (machine.cycles < plain.cycles)
      history.run(Math.min(100_000, plain.cycles - machine.cycles), 'skip');
    expect(machine.hash()).toBe(plain.hash());
  });

  it('can be brought back to every moment, in any order, to the bit', () => {
    const { machine, history, runUntil, type } = driven();
    const seen = wander(machine, history, 4, 9_000_000);
    runUntil('$ ');
    type('echo hello > file\nls\n');
    seen.push(...wander(machine, history, 4, 7_000_000));
    for (const index of [7, 3, 4, 0, 5, 1]) {
      go(history.goTo(seen[index].moment));
      expect(machine.moment).toEqual(seen[index].moment);
      expect(machine.hash()).toBe(seen[index].hash);
    }
  });

  it('goes on from the past as it went before, with what was typed and without printing anything twice', () => {
    const { machine, history, text, runUntil, type } = driven();
    runUntil('$ ');
    const early = machine.moment;
    type('echo hello | wc\n');
    runUntil('1 1 6 \n$ ');
    const [late, hash, printed] = [machine.moment, machine.hash(), text()];
    go(history.goTo(early));
    while (machine.cycles < late.completed) history.run(late.completed - machine.cycles, 'skip');
    expect(machine.hash()).toBe(hash);
    expect(text()).toBe(printed);
  });

  it('goes another way when something else is typed, and forgets the first', () => {
    const { machine, history, text, runUntil, type } = driven();
    runUntil('$ ');
    const early = machine.moment;
    type('echo first\n');
    runUntil('first\n$ ');
    go(history.goTo(early));
    type('echo second\n');
    runUntil('second\n$ ');
    expect(text()).toMatch(/first\n\$ echo second\nsecond\n\$ $/);
    const [late, hash] = [machine.moment, machine.hash()];
    go(history.goTo(early));
    go(history.goTo(late));
    expect(machine.hash()).toBe(hash);
  });

  it('brings back what strict mode remembers', () => {
    const gate = new OutputGate(() => {});
    const machine = new Machine({
      kernel: faultyKernel(NO_FENCE_AFTER_UNMAP),
      disk: new RewindableStore(new MemoryStore(fileSystemImage.slice())),
      output: gate.sink,
    });
    const stale: bigint[] = [];
    machine.beStrict({
      describe: (hart) => hart?.pc,
      translation: (_, { virtual }) => void stale.push(virtual),
      fetch: () => {},
      watchesFetches: true,
    });
    const history = new History(machine, gate, 64 * MEBIBYTE);
    history.type(new TextEncoder().encode('memtest\n'));
    const states: { moment: Moment; hash: string; strict: unknown }[] = [];
    while (stale.length === 0) {
      history.run(10_000_000, 'skip');
      states.push({ moment: machine.moment, hash: machine.hash(), strict: machine.saveState().strict });
    }
    const found = stale.length;
    for (const { moment, hash, strict } of states.slice(-3).reverse()) {
      go(history.goTo(moment));
      expect(machine.hash()).toBe(hash);
      expect(machine.saveState().strict).toEqual(strict);
    }
    while (machine.cycles < states.at(-1)!.moment.completed) history.run(2_000_000, 'skip');
    expect(stale.slice(found)).toContain(stale[0]);
  });

  it('brings back its disk', () => {
    const { machine, history, text, runUntil, type } = driven({ harts: 1 });
    runUntil('$ ');
    const early = machine.moment;
    type('echo words > file\ncat file\n');
    runUntil('words\n$ ');
    go(history.goTo(early));
    const printed = text().length;
    type('cat file\n');
    history.run(100_000_000, 'skip');
    expect(text().slice(printed)).toMatch(/cannot|cat:/);
    expect(text().slice(printed)).not.toContain('words');
  });

  it('keeps what was changed by hand where it was changed', () => {
    const { machine, history, runUntil } = driven({ harts: 1 });
    runUntil('$ ');
    const ticks = machine.symbols.address('ticks')!;
    const value = machine.readMemory(ticks, 4)!;
    const early = machine.moment;
    history.run(30_000_000, 'skip');
    const before = machine.moment;
    history.changeByHand();
    machine.writeMemory(ticks, Uint8Array.of(0, 0, 0, 1));
    history.run(30_000_000, 'skip');
    const late = machine.moment;
    go(history.goTo(early));
    expect(value[3]).toBe(0);
    go(history.goTo(late));
    expect(value[3]).toBe(1);
    go(history.goTo({ ...before, completed: before.completed - 1_000_000, turn: -1, steps: 0 }));
    expect(value[3]).toBe(0);
  });

  it('takes no more memory than it may, and loses its far past rather than its near one', () => {
    const { machine, history, runUntil, type } = driven({ budget: 4 * MEBIBYTE });
    runUntil('$ ');
    type('ls\nforktest\n');
    const seen = wander(machine, history, 4, 30_000_000);
    expect(history.bytes).toBeLessThan(8 * MEBIBYTE);
    for (const { moment, hash } of seen.reverse()) {
      go(history.goTo(moment));
      expect(machine.hash()).toBe(hash);
    }
  });
});

describe('going back', () => {
  it('a step, and then forwards again, comes to the same registers', () => {
    const { machine, history, runUntil, type } = driven();
    runUntil('$ ');
    type('echo hello\n');
    history.run(100_000, 'skip');
    const hart = machine.harts.find((each) => !each.isIdle)!;
    const states: { steps: number; pc: bigint; x: bigint[] }[] = [];
    for (let i = 0; i < 40; i++) {
      const steps = hart.steps + 1;
      history.run(1e6, 'skip', (each) => (each === hart ? steps : Infinity));
      states.push({ steps: hart.steps, pc: hart.pc, x: [...hart.x] });
    }
    for (const { steps, pc, x } of states.slice(0, -1).reverse()) {
      expect(go(history.goToStep(hart, hart.steps - 1))).toBe(true);
      expect([hart.steps, hart.pc, [...hart.x]]).toEqual([steps, pc, x]);
    }
  });

  it('beyond the beginning ends there', () => {
    const { machine, history } = driven();
    history.run(1_000_000, 'skip');
    expect(go(history.goToStep(machine.harts[0], -1))).toBe(false);
    expect(machine.moment).toEqual(history.beginning);
  });
});
