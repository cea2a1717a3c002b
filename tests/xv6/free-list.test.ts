/** Free lists of kernels that are not the project's: several of them, and links that are not made. */
import { describe, expect, it } from 'vitest';
import type { Hart } from '../../src/rv64/hart.js';
import type { Checks } from '../../src/xv6/checks.js';
import { FreeList } from '../../src/xv6/free-list.js';
import { FreeListLocks } from '../../src/xv6/free-list-locks.js';
import type { Guest } from '../../src/xv6/guest.js';
import type { Call } from '../../src/xv6/probes.js';

const [RAM, DATA, FIRST_FRAME, END] = [0x8000_0000, 0x8000_1000, 0x8000_2000, 0x8001_0000];
const hart = { x: new BigInt64Array(32), words: new Int32Array(64) } as unknown as Hart;

/** Memory of which only some words are not 0. */
class Memory {
  readonly words = new Map<number, number>();
  readonly ramStart = RAM;
  readonly ramEnd = END;
  word = (address: number): number => this.words.get(address) ?? 0;
  address = (name: string): number | undefined => (name === 'etext' ? DATA : undefined);

  list(onAbandon = () => {}): FreeList {
    return new FreeList(this as unknown as Guest, FIRST_FRAME, () => true, onAbandon);
  }

  /** What kfree does to a list that begins at `head`. */
  push(head: number, frame: number, link = this.word(head)): void {
    this.words.set(frame, link);
    this.words.set(head, frame);
  }

  pop(head: number): number {
    const frame = this.word(head);
    this.words.set(head, this.word(frame));
    return frame;
  }
}

describe('a free list', () => {
  it('is broken when kfree does not link a frame to the others', () => {
    const memory = new Memory();
    const list = memory.list();
    memory.push(DATA, FIRST_FRAME);
    expect(list.put(FIRST_FRAME, hart)).toBeUndefined();
    memory.push(DATA, FIRST_FRAME + 0x1000, Number(0x0101_0101_0101_0101n));
    expect(list.put(FIRST_FRAME + 0x1000, hart)).toMatch(/did not link it to the rest/);
  });

  it('may be kept in another way than as a stack', () => {
    const memory = new Memory();
    let abandoned = false;
    const list = memory.list(() => (abandoned = true));
    memory.push(DATA, FIRST_FRAME);
    list.put(FIRST_FRAME, hart);
    memory.push(DATA, FIRST_FRAME + 0x1000, FIRST_FRAME + 8);
    expect(list.put(FIRST_FRAME + 0x1000, hart)).toBeUndefined();
    expect(abandoned).toBe(true);
  });
});

describe('of two lists, each with a lock', () => {
  const HEADS = [DATA, DATA + 64];
  const LOCKS = [0x10, 0x20];

  function kernel() {
    const memory = new Memory();
    const list = memory.list();
    const findings: string[] = [];
    const report = (...words: unknown[]): void =>
      void findings.push(words.find((word) => /changes/.test(String(word))) as string);
    const checks = {
      reporter: { reportCaller: report, reportReturn: report },
      locks: { areSeen: true, nameOf: (lock: number) => `kmem${lock / 0x10 - 1}` },
    } as unknown as Checks;
    const locks = new FreeListLocks(checks, list);
    const call = (role: 'kalloc' | 'kfree'): Call => ({
      role,
      entry: 0,
      arguments: [],
      caller: undefined,
      stackPointer: 0,
      returnAddress: 0,
    });
    return {
      findings,
      free(cpu: number, frame: number) {
        const lost = [] as number[];
        list.noteFirsts(lost);
        memory.push(HEADS[cpu], frame);
        list.put(frame, hart);
        locks.check(call('kfree'), { frame, locks: [LOCKS[cpu]], heldBefore: 0, lost }, hart, false);
      },
      allocate(cpu: number, held: number[]) {
        const lost = [] as number[];
        list.noteFirsts(lost);
        const frame = memory.pop(HEADS[cpu]);
        locks.check(call('kalloc'), { frame, locks: held, heldBefore: 0, lost }, hart, false);
        return frame;
      },
    };
  }

  it('one is not to be changed with the lock of the other alone', () => {
    const { findings, free, allocate } = kernel();
    free(0, FIRST_FRAME);
    free(1, FIRST_FRAME + 0x1000);
    for (let round = 0; round < 40; round++) [0, 1].forEach((cpu) => free(cpu, allocate(cpu, [LOCKS[cpu]])));
    expect(findings).toEqual([]);
    allocate(1, LOCKS);
    expect(findings).toEqual([]);
    allocate(0, [LOCKS[1]]);
    expect(findings).toEqual([
      'kalloc changes a free list without "kmem0", which was taken for each change of this list before',
    ]);
  });
});
