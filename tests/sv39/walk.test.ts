import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PTE_A, PTE_D, PTE_G, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X } from '../../src/sv39/pte.js';
import { type Access, isCanonical, type Regime, walk } from '../../src/sv39/walk.js';
import {
  ANYTHING,
  entryAt,
  LAST,
  map,
  MIDDLE,
  POINTER,
  pte,
  READABLE,
  ROOT,
  USER,
  WRITABLE,
} from './page-tables.js';

const VIRTUAL = 0x12_3456_7abcn;
const PHYSICAL = 0x8002_0000n;
const SUPERVISOR: Regime = { root: Number(ROOT >> 12n), user: false, sum: false, mxr: false };

/** Memory that holds page tables, with parts that cannot be read or written. */
class Tables {
  readonly entries = new Map<bigint, bigint>();
  readonly visited: [ppn: number, level: number, base: bigint][] = [];
  unreadable: bigint | undefined;
  isWritable = true;

  poke(physical: bigint, value: bigint): void {
    this.entries.set(physical, value);
  }

  readPte(physical: number): bigint | undefined {
    const address = BigInt(physical);
    return address >> 12n === this.unreadable ? undefined : (this.entries.get(address) ?? 0n);
  }

  writePte(physical: number, value: bigint): boolean {
    if (this.isWritable) this.poke(BigInt(physical), value);
    return this.isWritable;
  }

  visitTable(ppn: number, level: number, base: bigint): void {
    this.visited.push([ppn, level, base]);
  }
}

/** Tables in which VIRTUAL leads to PHYSICAL through a leaf with these bits at this level. */
function tablesWith(bits: bigint, level = 0): Tables {
  const tables = new Tables();
  const size = 1n << BigInt(12 + 9 * level);
  map(tables, VIRTUAL, pte(PHYSICAL, bits));
  if (level > 0)
    tables.poke(entryAt(level === 1 ? MIDDLE : ROOT, VIRTUAL, level), pte(PHYSICAL & -size, bits));
  return tables;
}

const attempt = (tables: Tables, access: Access = 'read', regime: Partial<Regime> = {}, virtual = VIRTUAL) =>
  walk(virtual, access, { ...SUPERVISOR, ...regime }, tables);

describe('a walk', () => {
  test.each([0, 1, 2])('ends at a leaf of level %i and keeps the offset in its page', (level) => {
    const tables = tablesWith(WRITABLE, level);
    const size = 1n << BigInt(12 + 9 * level);
    const expected = (PHYSICAL & -size) | (VIRTUAL & (size - 1n));
    expect(attempt(tables)).toMatchObject({ ok: true, physical: Number(expected), level });
  });

  test('tells each table that it goes through, and from which address on it is used', () => {
    const tables = tablesWith(WRITABLE);
    attempt(tables);
    expect(tables.visited).toEqual([
      [Number(ROOT >> 12n), 2, 0n],
      [Number(MIDDLE >> 12n), 1, 0x12_0000_0000n & ~0x3fff_ffffn],
      [Number(LAST >> 12n), 0, VIRTUAL & ~0x1f_ffffn],
    ]);
  });

  test('reaches physical addresses of 56 bits', () => {
    const tables = new Tables();
    map(tables, VIRTUAL, pte((1n << 56n) - 4096n, READABLE));
    expect(attempt(tables)).toMatchObject({ ok: true, physical: 2 ** 56 - 4096 + 0xabc });
  });

  test('does not care for G and the software bits', () => {
    expect(attempt(tablesWith(READABLE | PTE_G | (3n << 8n)))).toMatchObject({ ok: true });
  });
});

describe('a walk faults', () => {
  const withEntry = (table: bigint, level: number, value: bigint) => (): Tables => {
    const tables = tablesWith(WRITABLE);
    tables.poke(entryAt(table, VIRTUAL, level), value);
    return tables;
  };
  const unreadable = (table: bigint) => (): Tables => {
    const tables = tablesWith(WRITABLE);
    tables.unreadable = table >> 12n;
    return tables;
  };
  const leaf = (bits: bigint) => withEntry(LAST, 0, pte(PHYSICAL, bits));
  const levels = [
    [ROOT, 2],
    [MIDDLE, 1],
    [LAST, 0],
  ] as const;

  // Every way to fail that the section "Virtual Address Translation Process" has, in the order of its steps.
  const table: [
    reason: string,
    fault: string,
    level: number,
    tables: () => Tables,
    access?: Access,
    regime?: Partial<Regime>,
  ][] = [
    ...levels.flatMap(([at, level]): typeof table => [
      ['cannot be read', 'access', level, unreadable(at)],
      ['V=0', 'page', level, withEntry(at, level, pte(PHYSICAL, WRITABLE & ~PTE_V))],
      ['W without R', 'page', level, withEntry(at, level, pte(PHYSICAL, PTE_V | PTE_W))],
      ['W without R', 'page', level, withEntry(at, level, pte(PHYSICAL, PTE_V | PTE_W | PTE_X))],
      ...Array.from({ length: 10 }, (_, i): (typeof table)[number] => [
        'reserved bits',
        'page',
        level,
        withEntry(at, level, (1n << BigInt(54 + i)) | pte(0n, level === 0 ? WRITABLE : POINTER)),
      ]),
    ]),
    ...[PTE_A, PTE_D, PTE_U].flatMap((bit): typeof table => [
      ['pointer to a table has A, D or U', 'page', 2, withEntry(ROOT, 2, pte(MIDDLE, POINTER | bit))],
      ['pointer to a table has A, D or U', 'page', 1, withEntry(MIDDLE, 1, pte(LAST, POINTER | bit))],
    ]),
    ['a pointer, not a leaf', 'page', 0, leaf(POINTER)],
    ...[0n, 8n].flatMap((shift): typeof table => [
      ['not aligned', 'page', 1, withEntry(MIDDLE, 1, (1n << (10n + shift)) | WRITABLE)],
      ['not aligned', 'page', 2, withEntry(ROOT, 2, (1n << (10n + shift)) | WRITABLE)],
    ]),
    ['not aligned', 'page', 2, withEntry(ROOT, 2, (1n << 27n) | WRITABLE)],
    ['not for user mode', 'page', 0, leaf(WRITABLE), 'read', { user: true }],
    ['not for user mode', 'page', 0, leaf(ANYTHING), 'execute', { user: true, sum: true }],
    ['may not execute a user page', 'page', 0, leaf(ANYTHING | USER), 'execute', { sum: true }],
    ['while sstatus.SUM is 0', 'page', 0, leaf(WRITABLE | USER), 'read'],
    ['while sstatus.SUM is 0', 'page', 0, leaf(WRITABLE | USER), 'write'],
    ['not executable', 'page', 0, leaf(WRITABLE), 'execute'],
    ['not writable', 'page', 0, leaf(READABLE), 'write'],
    ['not readable', 'page', 0, leaf(PTE_V | PTE_X | PTE_A)],
    [
      'cannot be written',
      'access',
      0,
      () => Object.assign(tablesWith(WRITABLE & ~PTE_A), { isWritable: false }),
    ],
  ];

  test.each(table)(
    'because %s: a %s fault at level %i',
    (reason, fault, level, tables, access = 'read', regime = {}) => {
      const result = attempt(tables(), access, regime);
      expect(result).toMatchObject({ ok: false, fault, level });
      expect(!result.ok && result.reason).toContain(reason);
    },
  );

  test('because the address is not canonical', () => {
    for (const virtual of [1n << 38n, 1n << 39n, 1n << 63n, -1n << 39n]) {
      expect(isCanonical(virtual)).toBe(false);
      expect(attempt(tablesWith(WRITABLE), 'read', {}, virtual)).toMatchObject({ ok: false, fault: 'page' });
    }
    for (const virtual of [(1n << 38n) - 1n, -1n << 38n, (1n << 64n) - (1n << 38n), -1n, 0n]) {
      expect(isCanonical(virtual)).toBe(true);
    }
  });

  test('and leaves A and D as they are when it does', () => {
    const tables = tablesWith(PTE_V | PTE_R | PTE_X);
    attempt(tables, 'write');
    expect(tables.entries.get(entryAt(LAST, VIRTUAL, 0))).toBe(pte(PHYSICAL, PTE_V | PTE_R | PTE_X));
  });
});

describe('permissions', () => {
  const permissions = fc.record({
    r: fc.boolean(),
    w: fc.boolean(),
    x: fc.boolean(),
    u: fc.boolean(),
    user: fc.boolean(),
    sum: fc.boolean(),
    mxr: fc.boolean(),
    access: fc.constantFrom<Access>('read', 'write', 'execute'),
  });

  test('are those of the specification for every mix of R, W, X, U, mode, SUM and MXR', () => {
    fc.assert(
      fc.property(permissions, ({ r, w, x, u, user, sum, mxr, access }) => {
        fc.pre((r || x) && !(w && !r));
        const bits =
          PTE_V | PTE_A | PTE_D | (r ? PTE_R : 0n) | (w ? PTE_W : 0n) | (x ? PTE_X : 0n) | (u ? PTE_U : 0n);
        const modeAllows = user ? u : !u || (sum && access !== 'execute');
        const bitAllows = { read: r || (mxr && x), write: w, execute: x }[access];
        expect(attempt(tablesWith(bits), access, { user, sum, mxr }).ok).toBe(modeAllows && bitAllows);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('A and D', () => {
  test.each<[Access, bigint]>([
    ['read', PTE_A],
    ['execute', PTE_A],
    ['write', PTE_A | PTE_D],
  ])('are set by a %s in the leaf alone', (access, added) => {
    for (const level of [0, 1, 2]) {
      const bits = PTE_V | PTE_R | PTE_W | PTE_X;
      const tables = tablesWith(bits, level);
      const before = new Map(tables.entries);
      const leafAddress = entryAt([LAST, MIDDLE, ROOT][level], VIRTUAL, level);
      const after = before.get(leafAddress)! | added;
      expect(attempt(tables, access)).toMatchObject({ ok: true, pte: after });
      expect(tables.entries).toEqual(before.set(leafAddress, after));
    }
  });

  test('are not written where they are set already', () => {
    const tables = tablesWith(WRITABLE);
    tables.isWritable = false;
    expect(attempt(tables, 'write')).toMatchObject({ ok: true });
    const accessed = tablesWith(WRITABLE & ~PTE_D);
    accessed.isWritable = false;
    expect(attempt(accessed, 'read')).toMatchObject({ ok: true });
    expect(attempt(accessed, 'write')).toMatchObject({ ok: false, fault: 'access' });
  });
});
