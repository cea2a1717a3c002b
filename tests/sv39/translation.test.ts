import { describe, expect, test } from 'vitest';
import { Cause, Mode } from '../../src/rv64/trap.js';
import { PTE_A, PTE_D, PTE_R, PTE_V, PTE_W, PTE_X } from '../../src/sv39/pte.js';
import { boot, CODE, DATA, type TestHart } from '../support/hart.js';
import {
  ANYTHING,
  entryAt,
  LAST,
  map,
  MIDDLE,
  pte,
  READABLE,
  ROOT,
  SATP,
  USER,
  WRITABLE,
} from './page-tables.js';

const VIRTUAL = 0x4_0000_0000n - 0x1000n;
const NEXT_PAGE = VIRTUAL + 0x1000n;
const MPRV = 1n << 17n;
const SUM = 1n << 18n;
const MXR = 1n << 19n;
const inMode = (mode: number): bigint => BigInt(mode) << 11n;

/** A machine-mode hart whose loads and stores are translated as those of another mode. */
function bootTranslating(leaf: bigint, mstatus: bigint = inMode(Mode.Supervisor)): TestHart {
  const h = boot();
  h.csr.satp = SATP;
  h.csr.mstatus = MPRV | mstatus;
  map(h, VIRTUAL, leaf);
  h.x.a0 = VIRTUAL;
  return h;
}

describe('translation', () => {
  test('is not done in machine mode, whatever satp says', () => {
    const h = bootTranslating(0n);
    h.csr.mstatus = 0n;
    h.poke(DATA, 42n);
    h.x.a0 = DATA;
    h.run('ld a1, 0(a0)');
    expect(h.x.a1).toBe(42n);
  });

  test('is not done while satp says bare', () => {
    const h = bootTranslating(0n);
    h.csr.satp = 0n;
    h.poke(DATA, 42n);
    h.x.a0 = DATA;
    h.run('ld a1, 0(a0)');
    expect(h.x.a1).toBe(42n);
  });

  test.each([Mode.Supervisor, Mode.User])(
    'of mode %i reaches the frame that the leaf names, and sets A and D',
    (mode) => {
      const user = mode === Mode.User ? USER : 0n;
      const bits = PTE_V | PTE_R | PTE_W | user;
      const h = bootTranslating(pte(DATA, bits), inMode(mode));
      h.poke(DATA + 8n, 42n);
      h.run('ld a1, 8(a0)');
      expect(h.x.a1).toBe(42n);
      expect(h.peek(entryAt(LAST, VIRTUAL, 0))).toBe(pte(DATA, bits | PTE_A));
      h.run('sd a0, 16(a0)');
      expect(h.peek(DATA + 16n)).toBe(VIRTUAL);
      expect(h.peek(entryAt(LAST, VIRTUAL, 0))).toBe(pte(DATA, bits | PTE_A | PTE_D));
    },
  );

  test('of an instruction fetch sets A', () => {
    const h = boot({ mode: Mode.Supervisor });
    h.load('nop', DATA);
    map(h, VIRTUAL, pte(DATA, PTE_V | PTE_X));
    h.csr.satp = SATP;
    h.pc = VIRTUAL;
    h.step();
    expect(h.pc).toBe(VIRTUAL + 4n);
    expect(h.peek(entryAt(LAST, VIRTUAL, 0))).toBe(pte(DATA, PTE_V | PTE_X | PTE_A));
  });

  test('by a superpage of 2 MiB covers all of it', () => {
    const h = bootTranslating(0n);
    h.poke(entryAt(MIDDLE, VIRTUAL, 1), pte(CODE, WRITABLE));
    const start = VIRTUAL & ~0x1f_ffffn;
    for (const offset of [0x2_0000n, 0x2_1000n, 0xf_fff8n]) {
      h.x.a0 = start + offset;
      h.run('sd a0, 0(a0)');
      expect(h.peek(CODE + offset)).toBe(start + offset);
    }
  });

  test('by a superpage of 1 GiB covers all of it', () => {
    const h = bootTranslating(0n);
    h.poke(entryAt(ROOT, VIRTUAL, 2), pte(CODE, WRITABLE));
    const start = VIRTUAL & ~0x3fff_ffffn;
    h.x.a0 = start + 0xf_fff8n;
    h.run('sd a0, 0(a0)');
    expect(h.peek(CODE + 0xf_fff8n)).toBe(h.x.a0);
  });

  test.each([
    ['ld a1, 0(a0)', Cause.LoadPage],
    ['lr.d a1, (a0)', Cause.LoadPage],
    ['sd a1, 0(a0)', Cause.StorePage],
    ['sc.d a1, a2, (a0)', Cause.StorePage],
  ])('of %s fails with a page fault of its kind and its address', (line, cause) => {
    const h = bootTranslating(0n);
    h.x.a0 = VIRTUAL + 8n;
    h.expectTrap(line, { cause, value: VIRTUAL + 8n });
  });

  test('of an atomic operation is a store fault, even of the load in it', () => {
    for (const leaf of [0n, pte(DATA, READABLE)]) {
      const h = bootTranslating(leaf);
      h.expectTrap('amoadd.d a1, a2, (a0)', { cause: Cause.StorePage, value: VIRTUAL });
    }
  });

  test('of a fetch is an instruction page fault', () => {
    for (const leaf of [0n, pte(DATA, WRITABLE), pte(DATA, ANYTHING | USER)]) {
      const h = boot({ mode: Mode.Supervisor });
      map(h, VIRTUAL, leaf);
      h.csr.satp = SATP;
      h.pc = VIRTUAL;
      h.step();
      expect(h.csr).toMatchObject({ mcause: BigInt(Cause.FetchPage), mepc: VIRTUAL, mtval: VIRTUAL });
    }
  });

  test('to where there is no memory, or of tables where there is none, is an access fault', () => {
    const h = bootTranslating(pte(0x4000_0000n, WRITABLE));
    h.expectTrap('ld a1, 0(a0)', { cause: Cause.LoadAccess, value: VIRTUAL });
    h.csr.mstatus = MPRV | inMode(Mode.Supervisor);
    h.poke(entryAt(MIDDLE, VIRTUAL, 1), pte(0x4000_0000n, PTE_V));
    h.expectTrap('sd a1, 0(a0)', { cause: Cause.StoreAccess, value: VIRTUAL });
  });

  test('of an access over two pages needs both, faults at the one that is missing, and stores nothing', () => {
    const h = bootTranslating(pte(DATA, WRITABLE));
    h.x.a0 = VIRTUAL + 0xffcn;
    h.x.a1 = -1n;
    h.expectTrap('sd a1, 0(a0)', { cause: Cause.StorePage, value: NEXT_PAGE });
    expect(h.peek(DATA + 0xff8n)).toBe(0n);
    // The next page lies elsewhere in memory: its last table is the same, its address is not.
    h.poke(entryAt(ROOT, NEXT_PAGE, 2), pte(MIDDLE, PTE_V));
    h.poke(entryAt(MIDDLE, NEXT_PAGE, 1), pte(LAST, PTE_V));
    h.poke(entryAt(LAST, NEXT_PAGE, 0), pte(DATA + 0x4000n, WRITABLE));
    h.csr.mstatus = MPRV | inMode(Mode.Supervisor);
    // The first two make the first page known to the TLB, which must not let the others run on into the next frame.
    h.run('sd zero, -4(a0)\n ld zero, -4(a0)\n sd a1, 0(a0)\n ld a2, 0(a0)');
    expect([h.peek(DATA + 0xffcn, 4), h.peek(DATA + 0x4000n), h.x.a2]).toEqual([
      0xffff_ffffn,
      0xffff_ffffn,
      -1n,
    ]);
  });

  test('of an instruction over two pages faults at the second, with pc at the first', () => {
    const h = boot({ mode: Mode.Supervisor });
    h.load('nop', DATA + 0xffen);
    map(h, VIRTUAL, pte(DATA, ANYTHING));
    h.csr.satp = SATP;
    h.pc = VIRTUAL + 0xffen;
    h.step();
    expect(h.csr).toMatchObject({
      mcause: BigInt(Cause.FetchPage),
      mepc: VIRTUAL + 0xffen,
      mtval: NEXT_PAGE,
    });
  });

  test('depends on SUM and MXR as they stand, though the TLB knew the page', () => {
    const supervisor = inMode(Mode.Supervisor);
    const attempt = (h: TestHart, mstatus: bigint): boolean => {
      h.csr.mstatus = MPRV | mstatus;
      try {
        h.run('ld a1, 0(a0)');
        return true;
      } catch {
        expect(h.csr.mcause).toBe(BigInt(Cause.LoadPage));
        return false;
      }
    };
    const userPage = bootTranslating(pte(DATA, WRITABLE | USER));
    const settings = [supervisor, supervisor | SUM, supervisor, inMode(Mode.User), supervisor];
    expect(settings.map((mstatus) => attempt(userPage, mstatus))).toEqual([false, true, false, true, false]);
    const codePage = bootTranslating(pte(DATA, PTE_V | PTE_X));
    expect([0n, MXR, 0n].map((mxr) => attempt(codePage, supervisor | mxr))).toEqual([false, true, false]);
  });

  test('of page tables is checked by PMP: a denied table is an access fault', () => {
    const h = bootTranslating(pte(DATA, WRITABLE));
    const page = (start: bigint): bigint => (start >> 2n) | 0x1ffn;
    Object.assign(h.csr, { pmpaddr0: page(MIDDLE), pmpaddr1: 2n ** 54n - 1n, pmpcfg0: 0x1f18n });
    h.expectTrap('ld a1, 0(a0)', { cause: Cause.LoadAccess, value: VIRTUAL });
  });

  test('with a table that is its own parent ends like any other', () => {
    const h = bootTranslating(0n);
    h.poke(entryAt(ROOT, 0n, 2), pte(ROOT, PTE_V));
    h.x.a0 = 0n;
    h.expectTrap('ld a1, 0(a0)', { cause: Cause.LoadPage, value: 0n });
  });
});
