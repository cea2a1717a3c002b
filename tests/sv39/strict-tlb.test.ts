import { beforeEach, describe, expect, it } from 'vitest';
import { PTE_A, PTE_D, PTE_G, PTE_R, PTE_V, PTE_W } from '../../src/sv39/pte.js';
import { type StaleUse, StrictTlb } from '../../src/sv39/strict-tlb.js';
import type { Access, TableMemory } from '../../src/sv39/walk.js';

/** Page numbers of three tables, one a level, and of another root. */
const [ROOT, MIDDLE, LAST, OTHER_ROOT] = [0x100, 0x101, 0x102, 0x103];
const LEAF_AT = LAST * 4096 + 5 * 8;
const PAGE = 0x5000n;
const READABLE = PTE_V | PTE_R | PTE_A;

const pointer = (page: number): bigint => (BigInt(page) << 10n) | PTE_V;
const leaf = (page: number, bits = READABLE): bigint => (BigInt(page) << 10n) | bits;
const satp = (asid: number, root = ROOT): bigint => (8n << 60n) | (BigInt(asid) << 44n) | BigInt(root);

describe('a TLB that forgets nothing by itself', () => {
  let words: Map<number, bigint>;
  let stale: StaleUse<string>[];
  let announced: Set<number>;
  let tlb: StrictTlb<string>;

  const memory: TableMemory = {
    readPte: (at) => words.get(at) ?? 0n,
    writePte: (at, pte) => (words.set(at, pte), true),
    visitTable: () => {},
  };
  /** Where an access goes; undefined where it is refused. */
  const access = (kind: Access, space = satp(1), hart = 0, virtual = PAGE): number | undefined => {
    const regime = { root: Number(space & 0xfffn), user: false, sum: false, mxr: false };
    const { result } = tlb.walk(hart, virtual, kind, regime, space, memory);
    return result.ok ? result.physical : undefined;
  };
  const store = (at: number, pte: bigint): void => {
    if (announced.has(at >> 12) && !tlb.beforeStore(at, 8, () => `store of ${pte}`))
      announced.delete(at >> 12);
    words.set(at, pte);
  };

  beforeEach(() => {
    stale = [];
    announced = new Set();
    tlb = new StrictTlb(
      2,
      (physical) => announced.add(physical >> 12),
      (use) => stale.push(use),
    );
    words = new Map([
      [ROOT * 4096, pointer(MIDDLE)],
      [OTHER_ROOT * 4096, pointer(MIDDLE)],
      [MIDDLE * 4096, pointer(LAST)],
      [LEAF_AT, leaf(0x200)],
    ]);
    expect(access('read')).toBe(0x20_0000);
    expect(stale).toEqual([]);
  });

  it('uses an entry that was cleared, and says who cleared it', () => {
    store(LEAF_AT, 0n);
    expect(access('read')).toBe(0x20_0000);
    expect(stale).toMatchObject([{ entry: { changed: 'store of 0', at: LEAF_AT }, present: { ok: false } }]);
  });

  it('refuses a store by an entry that has been made writable since', () => {
    store(LEAF_AT, leaf(0x200, READABLE | PTE_W | PTE_D));
    expect(access('write')).toBeUndefined();
    expect(stale).toHaveLength(1);
  });

  it('reports each kept entry once', () => {
    store(LEAF_AT, leaf(0x300));
    access('read');
    access('read');
    expect(stale).toHaveLength(1);
  });

  it('says nothing while an access goes where the table would send it', () => {
    store(LEAF_AT, leaf(0x200, READABLE | PTE_W));
    expect(access('read')).toBe(0x20_0000);
    store(LEAF_AT, leaf(0x200));
    expect(access('write')).toBeUndefined();
    expect(stale).toEqual([]);
  });

  it('does not keep what is not valid, so that a page made present needs no fence', () => {
    expect(access('read', satp(1), 0, 0x6000n)).toBeUndefined();
    store(LEAF_AT + 8, leaf(0x300));
    expect(access('read', satp(1), 0, 0x6000n)).toBe(0x30_0000);
    expect(stale).toEqual([]);
  });

  it('reads an entry anew when a store has to set D in it', () => {
    store(LEAF_AT, leaf(0x200, READABLE | PTE_W));
    tlb.fence(0, undefined, undefined);
    access('read');
    store(LEAF_AT, leaf(0x300, READABLE | PTE_W));
    expect(access('write')).toBe(0x30_0000);
    expect(words.get(LEAF_AT)).toBe(leaf(0x300, READABLE | PTE_W | PTE_D));
    expect(stale).toEqual([]);
  });

  it.each([
    ['everything', undefined, undefined, true],
    ['the address', PAGE, undefined, true],
    ['another address', 0x6000n, undefined, false],
    ['the address space', undefined, 1, true],
    ['another address space', undefined, 2, false],
    ['the address in the address space', PAGE, 1, true],
    ['the address in another address space', PAGE, 2, false],
  ])('after sfence.vma for %s goes by the table: %#', (_, virtual, asid, isFenced) => {
    store(LEAF_AT, leaf(0x300));
    tlb.fence(0, virtual, asid);
    expect(access('read')).toBe(isFenced ? 0x30_0000 : 0x20_0000);
  });

  it('keeps what another hart fences', () => {
    expect(access('read', satp(1), 1)).toBe(0x20_0000);
    store(LEAF_AT, 0n);
    tlb.fence(0, undefined, undefined);
    expect(access('read')).toBeUndefined();
    expect(access('read', satp(1), 1)).toBe(0x20_0000);
    expect(stale.map((use) => use.entry.hart)).toEqual([1]);
  });

  it('keeps pointers to tables through a fence with an address, which covers leaves only', () => {
    store(MIDDLE * 4096, 0n);
    tlb.fence(0, PAGE, undefined);
    expect(access('read')).toBe(0x20_0000);
    tlb.fence(0, undefined, undefined);
    expect(access('read')).toBeUndefined();
  });

  it('keeps global entries through a fence of an address space, and uses them in every one', () => {
    words.set(LEAF_AT, leaf(0x200, READABLE | PTE_G));
    tlb.fence(0, undefined, undefined);
    access('read');
    store(LEAF_AT, 0n);
    tlb.fence(0, undefined, 1);
    expect(access('read', satp(2))).toBe(0x20_0000);
    expect(stale).toHaveLength(1);
  });

  it('takes tables with the same address space identifier for one until there is a fence', () => {
    words.set(OTHER_ROOT * 4096, 0n);
    expect(access('read', satp(1, OTHER_ROOT))).toBe(0x20_0000);
    expect(stale).toMatchObject([{ entry: { changed: undefined } }]);
    expect(access('read', satp(2, OTHER_ROOT))).toBeUndefined();
  });

  it('asks for no more announcements once nothing of a table is kept', () => {
    tlb.fence(0, undefined, undefined);
    expect(tlb.beforeStore(LEAF_AT, 8, () => 'unused')).toBe(false);
  });
});
