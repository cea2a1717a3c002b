import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Mode } from '../../src/rv64/trap.js';
import { PTE_A, PTE_D, PTE_U, PTE_V } from '../../src/sv39/pte.js';
import { board, CODE, DATA, type TestHart, TRAP_HANDLER } from '../support/hart.js';
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
  SATP,
  SATP_SV39,
  WRITABLE,
} from './page-tables.js';

const VIRTUAL = 0x10_0000_0000n;
const FRAMES = [DATA, DATA + 0x1000n, DATA + 0x2000n];
/** Where the code that reads lies: not in the first frame of RAM, which superpages show. */
const READER = CODE + 0x1000n;
const OTHER_TABLE = ROOT + 0x8000n;
const MPRV_SUPERVISOR = (1n << 17n) | (1n << 11n);
/** A virtual page through which the guest stores to its own last table. */
const TABLE_WINDOW = VIRTUAL + 0x5000n;

/** Harts that read VIRTUAL as 1, while frame n holds the number n + 1. */
function bootMapped(count = 1) {
  const { harts, ...parts } = board(count);
  FRAMES.forEach((frame, i) => harts[0].poke(frame, BigInt(i + 1)));
  map(harts[0], VIRTUAL, pte(FRAMES[0], WRITABLE));
  map(harts[0], TABLE_WINDOW, pte(LAST, WRITABLE));
  for (const h of harts) {
    Object.assign(h.csr, { satp: SATP, mstatus: MPRV_SUPERVISOR });
    h.x.a0 = VIRTUAL;
    expect(read(h)).toBe(1n);
    expect(read(h)).toBe(1n);
  }
  return { harts, h: harts[0], ...parts };
}

/** What the guest reads at VIRTUAL, or the cause of the trap that it gets. */
function read(h: TestHart): bigint | string {
  h.x.a0 = VIRTUAL;
  h.csr.mstatus = MPRV_SUPERVISOR;
  h.load('ld a1, 0(a0)', READER);
  h.step();
  return h.pc === TRAP_HANDLER ? `cause ${h.csr.mcause}` : h.x.a1;
}

/** Has the guest store an entry, machine mode being the one that no table translates. */
function storeEntry(h: TestHart, at: bigint, value: bigint): void {
  h.csr.mstatus = 0n;
  Object.assign(h.x, { a2: at, a3: value });
  h.run('sd a3, 0(a2)');
}

describe('a change of a page table takes effect at once, with no sfence.vma:', () => {
  const leaf = entryAt(LAST, VIRTUAL, 0);

  test.each<[what: string, at: bigint, value: bigint, seen: bigint | string]>([
    ['another frame', leaf, pte(FRAMES[1], WRITABLE), 2n],
    ['an entry taken away', leaf, 0n, 'cause 13'],
    ['a permission taken away', leaf, pte(FRAMES[0], PTE_V | PTE_A | 8n), 'cause 13'],
    ['a pointer to another table', entryAt(MIDDLE, VIRTUAL, 1), pte(OTHER_TABLE, POINTER), 3n],
    ['a pointer taken away', entryAt(MIDDLE, VIRTUAL, 1), 0n, 'cause 13'],
    ['a root entry taken away', entryAt(ROOT, VIRTUAL, 2), 0n, 'cause 13'],
    ['a superpage in place of a table', entryAt(MIDDLE, VIRTUAL, 1), pte(CODE, WRITABLE), 4n],
  ])('%s', (_, at, value, seen) => {
    const { h } = bootMapped();
    h.poke(entryAt(OTHER_TABLE, VIRTUAL, 0), pte(FRAMES[2], WRITABLE));
    storeEntry(h, at, value);
    h.poke(CODE, 4n);
    expect(read(h)).toBe(seen);
  });

  test.each(['sb', 'sh', 'sw', 'sd'])('by a %s to a part of the entry', (store) => {
    const { h } = bootMapped();
    h.csr.mstatus = 0n;
    h.x.a2 = leaf;
    h.run(`${store} zero, 0(a2)`);
    expect(read(h)).toBe('cause 13');
  });

  test.each(['amoswap.d zero, a3, (a2)', 'lr.d zero, (a2)\n sc.d zero, a3, (a2)'])('by %s', (store) => {
    const { h } = bootMapped();
    h.csr.mstatus = 0n;
    Object.assign(h.x, { a2: leaf, a3: pte(FRAMES[1], WRITABLE) });
    h.run(store);
    expect(read(h)).toBe(2n);
  });

  test('by a store that lies over the end of the table before', () => {
    const { h } = bootMapped();
    h.csr.mstatus = 0n;
    h.x.a2 = LAST - 4n;
    h.run('sd zero, 0(a2)');
    expect(read(h)).toBe('cause 13');
  });

  test('by the guest itself, through a page that maps the table, a second time too', () => {
    const { h } = bootMapped();
    for (const [i, seen] of [2n, 3n, 1n].entries()) {
      h.csr.mstatus = MPRV_SUPERVISOR;
      Object.assign(h.x, { a2: TABLE_WINDOW, a3: pte(FRAMES[Number(seen) - 1], WRITABLE) });
      h.run('sd a3, 0(a2)');
      expect(read(h), `store ${i}`).toBe(seen);
    }
  });

  test('by a store that takes away the very page it goes through', () => {
    const { h } = bootMapped();
    h.x.a2 = TABLE_WINDOW + 8n * 5n;
    h.csr.mstatus = MPRV_SUPERVISOR;
    h.run('sd zero, 0(a2)');
    h.expectTrap('sd zero, 0(a2)', { cause: 15, value: TABLE_WINDOW + 40n });
  });

  test('by another hart', () => {
    const { harts } = bootMapped(2);
    storeEntry(harts[1], leaf, pte(FRAMES[1], WRITABLE));
    expect(read(harts[0])).toBe(2n);
  });

  test('by a device', () => {
    const { h } = bootMapped();
    h.poke(leaf, pte(FRAMES[1], WRITABLE));
    expect(read(h)).toBe(2n);
  });

  test('for the code that is running, from the next instruction on', () => {
    const { h } = bootMapped();
    const code = VIRTUAL + 0x1000n;
    h.poke(entryAt(LAST, code, 0), pte(FRAMES[1], ANYTHING));
    h.load('sd a3, 0(a2)\n li a4, 1', FRAMES[1]);
    h.load('sd a3, 0(a2)\n li a4, 2', FRAMES[2]);
    // The first round decodes both instructions; its store hits data.
    const rounds: [at: bigint, seen: bigint][] = [
      [VIRTUAL, 1n],
      [TABLE_WINDOW + 8n, 2n],
    ];
    h.mode = Mode.Supervisor;
    for (const [at, seen] of rounds) {
      Object.assign(h.x, { a2: at, a3: pte(FRAMES[2], ANYTHING) });
      h.pc = code;
      h.step(2);
      expect(h.x.a4).toBe(seen);
    }
  });

  test('when A or D is cleared it is set again by the next access', () => {
    const { h } = bootMapped();
    storeEntry(h, leaf, pte(FRAMES[0], WRITABLE & ~(PTE_A | PTE_D)));
    read(h);
    expect(h.peek(leaf)).toBe(pte(FRAMES[0], WRITABLE & ~PTE_D));
    h.csr.mstatus = MPRV_SUPERVISOR;
    h.run('sd a1, 0(a0)');
    expect(h.peek(leaf)).toBe(pte(FRAMES[0], WRITABLE));
  });

  test('when a frame that was data becomes a table', () => {
    const { h } = bootMapped();
    // The guest has stored to the frame before, so the TLB has let it do so unannounced.
    storeEntry(h, OTHER_TABLE, pte(FRAMES[1], WRITABLE));
    storeEntry(h, entryAt(MIDDLE, VIRTUAL, 1), pte(OTHER_TABLE, POINTER));
    expect(read(h)).toBe(2n);
    storeEntry(h, OTHER_TABLE, pte(FRAMES[2], WRITABLE));
    expect(read(h)).toBe(3n);
  });

  test('when one table serves two addresses and two address spaces', () => {
    const { h } = bootMapped();
    const otherRoot = ROOT + 0x9000n;
    const otherSatp = SATP_SV39 | (otherRoot >> 12n) | (1n << 44n);
    h.poke(entryAt(otherRoot, VIRTUAL, 2), pte(MIDDLE, POINTER));
    const readIn = (satp: bigint): bigint | string => {
      h.csr.satp = satp;
      return read(h);
    };
    expect([readIn(SATP), readIn(otherSatp)]).toEqual([1n, 1n]);
    storeEntry(h, leaf, pte(FRAMES[1], WRITABLE));
    expect([readIn(SATP), readIn(otherSatp)]).toEqual([2n, 2n]);
  });
});

describe('with more address spaces than the TLB has contexts', () => {
  test('each still sees its own pages', () => {
    const { h } = bootMapped();
    const spaces = Array.from({ length: 100 }, (_, asid) => SATP | (BigInt(asid) << 44n));
    for (const [i, frame] of FRAMES.entries()) {
      storeEntry(h, entryAt(LAST, VIRTUAL, 0), pte(frame, WRITABLE));
      for (const space of spaces) {
        h.csr.satp = space;
        expect(read(h)).toBe(BigInt(i + 1));
      }
    }
  });
});

describe('the TLB is invisible', () => {
  /** Virtual pages that random programs touch; all go through the same three tables. */
  const PAGES = [0, 1, 2, 3, 256, 257].map((i) => VIRTUAL + BigInt(i) * 0x1000n);
  const BITS = [
    0n,
    PTE_V,
    READABLE,
    WRITABLE,
    WRITABLE & ~PTE_D,
    WRITABLE & ~PTE_A,
    ANYTHING,
    WRITABLE | PTE_U,
  ];

  const page = fc.nat(PAGES.length - 1);
  type Action =
    | { readonly kind: 'load' | 'store'; readonly page: number; readonly offset: number }
    | { readonly kind: 'map'; readonly page: number; readonly frame: number; readonly bits: bigint }
    | { readonly kind: 'mode'; readonly sum: boolean; readonly user: boolean }
    | { readonly kind: 'cut'; readonly isPresent: boolean };

  const action = fc.oneof<fc.MaybeWeightedArbitrary<Action>[]>(
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constantFrom('load' as const, 'store' as const),
        page,
        offset: fc.nat(0xfff),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('map' as const),
        page,
        frame: fc.nat(FRAMES.length),
        bits: fc.constantFrom(...BITS),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('mode' as const), sum: fc.boolean(), user: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), isPresent: fc.boolean() }) },
  );

  /** Runs the actions and returns all that a guest could have seen. */
  function run(actions: readonly Action[], flushes: boolean): string {
    const { harts, frames, state } = board(1);
    const [h] = harts;
    for (const virtual of PAGES) map(h, virtual, pte(FRAMES[0], WRITABLE));
    h.csr.satp = SATP;
    let mstatus = MPRV_SUPERVISOR;
    const seen: string[] = [];
    for (const [i, step] of actions.entries()) {
      if (flushes) frames.forgetAll();
      if (step.kind === 'map') {
        // The fourth frame is the last table itself.
        const frame = FRAMES[step.frame] ?? LAST;
        storeEntry(h, entryAt(LAST, PAGES[step.page], 0), pte(frame, step.bits));
      } else if (step.kind === 'cut') {
        storeEntry(h, entryAt(MIDDLE, VIRTUAL, 1), step.isPresent ? pte(LAST, POINTER) : 0n);
      } else if (step.kind === 'mode') {
        mstatus = (1n << 17n) | (step.user ? 0n : 1n << 11n) | (step.sum ? 1n << 18n : 0n);
      } else {
        h.csr.mstatus = mstatus;
        Object.assign(h.x, { a0: PAGES[step.page] + BigInt(step.offset), a1: BigInt(i) });
        h.load(step.kind === 'load' ? 'ld a1, 0(a0)' : 'sd a1, 0(a0)');
        h.step();
        seen.push(h.pc === TRAP_HANDLER ? `${h.csr.mcause} ${h.csr.mtval}` : `${h.x.a1}`);
      }
    }
    const used = Number(DATA - CODE);
    const tables = Number(ROOT - CODE);
    const bytes = [
      ...state.ram.subarray(used, used + 0x3000),
      ...state.ram.subarray(tables, tables + 0x3000),
    ];
    return `${seen.join()} ${Buffer.from(bytes).toString('base64')}`;
  }

  test('for random accesses and changes of page tables: emptied before each it makes no difference', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        expect(run(actions, false) === run(actions, true)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
