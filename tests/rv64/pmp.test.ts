import { describe, expect, test } from 'vitest';
import { Cause, Mode } from '../../src/rv64/trap.js';
import { boot, CODE, DATA, TestHart } from '../support/hart.js';

const R = 1n;
const W = 2n;
const X = 4n;
const TOR = 1n << 3n;
const NA4 = 2n << 3n;
const NAPOT = 3n << 3n;
const LOCKED = 1n << 7n;
const MPRV = 1n << 17n;

const RAM_END = CODE + 0x10_0000n;
const napot = (start: bigint, bytes: bigint): bigint => (start >> 2n) | (bytes / 8n - 1n);

/** A hart whose loads and stores are those of supervisor mode, with all that machine mode itself does allowed. */
function bootWith(...entries: readonly (readonly [config: bigint, address: bigint])[]): TestHart {
  const h = boot();
  entries.forEach(([config, address], i) => {
    h.csr[`pmpaddr${i}`] = address;
    const name = i < 8 ? 'pmpcfg0' : 'pmpcfg2';
    h.csr[name] |= config << BigInt(8 * (i % 8));
  });
  h.csr.mstatus = MPRV | (1n << 11n);
  return h;
}

/** Whether the instruction is let through, twice: the second time the TLB may know. */
function allows(h: TestHart, line: string, address: bigint, value = address): boolean {
  h.x.a0 = address;
  const { mstatus } = h.csr;
  const attempts = [0, 1].map(() => {
    try {
      h.run(line);
      return true;
    } catch {
      const isStore = /^(s|amo)/.test(line);
      expect(h.csr).toMatchObject({
        mcause: BigInt(isStore ? Cause.StoreAccess : Cause.LoadAccess),
        mtval: value,
      });
      h.csr.mstatus = mstatus;
      return false;
    }
  });
  expect(attempts[0]).toBe(attempts[1]);
  return attempts[0];
}

const canLoad = (h: TestHart, address: bigint): boolean => allows(h, 'lb a1, 0(a0)', address);
const canStore = (h: TestHart, address: bigint): boolean => allows(h, 'sb a1, 0(a0)', address);

describe('physical memory protection', () => {
  test('allows everything until the first entry is switched on', () => {
    expect(canStore(bootWith(), DATA)).toBe(true);
    expect(canStore(bootWith([0n, napot(DATA, 8n)]), DATA)).toBe(true);
  });

  test('denies supervisor mode what no entry matches, and machine mode nothing', () => {
    const h = bootWith([R | NAPOT, napot(DATA, 4096n)]);
    expect(canLoad(h, DATA + 4096n)).toBe(false);
    h.csr.mstatus = 0n;
    expect(canLoad(h, DATA + 4096n)).toBe(true);
    expect(canStore(h, DATA), 'an entry that is not locked does not bind it').toBe(true);
  });

  test.each<[what: string, entries: [bigint, bigint][], start: bigint, end: bigint]>([
    ['NA4', [[R | NA4, DATA >> 2n]], DATA, DATA + 4n],
    ['NAPOT of 8 bytes', [[R | NAPOT, napot(DATA + 8n, 8n)]], DATA + 8n, DATA + 16n],
    ['NAPOT of a page', [[R | NAPOT, napot(DATA, 4096n)]], DATA, DATA + 4096n],
    ['NAPOT of 64 KiB', [[R | NAPOT, napot(DATA, 0x1_0000n)]], DATA, DATA + 0x1_0000n],
    [
      'TOR',
      [
        [0n, DATA >> 2n],
        [R | TOR, (DATA + 12n) >> 2n],
      ],
      DATA,
      DATA + 12n,
    ],
    ['TOR of the first entry, from address 0', [[R | TOR, (DATA + 12n) >> 2n]], CODE, DATA + 12n],
    [
      'TOR above an entry that is on',
      [
        [NA4, DATA >> 2n],
        [R | TOR, (DATA + 12n) >> 2n],
      ],
      DATA + 4n,
      DATA + 12n,
    ],
  ])('%s matches from its first byte to its last', (_, entries, start, end) => {
    const h = bootWith(...entries);
    expect([canLoad(h, start), canLoad(h, end - 1n), canLoad(h, end)]).toEqual([true, true, false]);
    if (start > CODE) expect(canLoad(h, start - 1n)).toBe(false);
  });

  test('NAPOT of all ones is the whole of memory', () => {
    const h = bootWith([R | NAPOT, 2n ** 54n - 1n]);
    expect([canLoad(h, CODE), canLoad(h, RAM_END - 1n)]).toEqual([true, true]);
  });

  test.each([0n, R, R | W, X, R | X, R | W | X])(
    'permissions %i are read, write and execute',
    (permissions) => {
      const h = bootWith([permissions | NAPOT, napot(DATA, 4096n)], [R | W | X | NAPOT, 2n ** 54n - 1n]);
      expect(canLoad(h, DATA)).toBe((permissions & R) !== 0n);
      expect(canStore(h, DATA)).toBe((permissions & W) !== 0n);
      const canExecute = (): boolean => {
        h.mode = Mode.Supervisor;
        h.load('nop', DATA);
        h.step();
        return h.pc === DATA + 4n;
      };
      expect(canExecute()).toBe((permissions & X) !== 0n);
      if (!(permissions & X)) expect(h.csr).toMatchObject({ mcause: BigInt(Cause.FetchAccess), mtval: DATA });
    },
  );

  test('the entry of the lowest number decides, even where a later one is about less', () => {
    const h = bootWith(
      [R | NAPOT, napot(DATA, 4096n)],
      [R | W | NAPOT, napot(DATA, 8n)],
      [W | R | NAPOT, 2n ** 54n - 1n],
    );
    expect([canStore(h, DATA), canStore(h, DATA + 4096n)]).toEqual([false, true]);
    const last = bootWith(...Array.from({ length: 15 }, () => [0n, 0n] as const), [
      R | NAPOT,
      2n ** 54n - 1n,
    ]);
    expect([canLoad(last, DATA), canStore(last, DATA)]).toEqual([true, false]);
  });

  test('an access that the deciding entry matches in part is denied, whatever else would allow it', () => {
    const word = DATA + 0x100n;
    const h = bootWith([R | W | NA4, word >> 2n], [R | W | NAPOT, 2n ** 54n - 1n]);
    expect(allows(h, 'lw a1, 0(a0)', word)).toBe(true);
    expect(allows(h, 'ld a1, 0(a0)', word)).toBe(false);
    expect(allows(h, 'sd a1, 0(a0)', word)).toBe(false);
    expect(allows(h, 'lw a1, 0(a0)', word - 2n)).toBe(false);
    expect(allows(h, 'ld a1, 0(a0)', word + 8n)).toBe(true);
    h.csr.mstatus = 0n;
    expect(allows(h, 'ld a1, 0(a0)', word), 'in machine mode too').toBe(false);
  });

  test('a misaligned access over two pages is checked in both, and faults at the one that is denied', () => {
    const h = bootWith([NAPOT, napot(DATA + 4096n, 8n)], [R | W | NAPOT, 2n ** 54n - 1n]);
    h.poke(DATA + 0xff8n, 0n);
    expect(allows(h, 'ld a1, 0(a0)', DATA + 0xffcn, DATA + 4096n)).toBe(false);
    expect(allows(h, 'sd a1, 0(a0)', DATA + 0xffcn, DATA + 4096n)).toBe(false);
  });

  test('an empty or reversed range matches nothing, not even an access around it', () => {
    for (const [bottom, top] of [
      [DATA + 4n, DATA + 4n],
      [DATA + 8n, DATA + 4n],
    ]) {
      const h = bootWith([0n, bottom >> 2n], [TOR, top >> 2n], [R | W | NAPOT, 2n ** 54n - 1n]);
      expect(allows(h, 'ld a1, 0(a0)', DATA)).toBe(true);
      expect(allows(h, 'ld a1, 0(a0)', DATA + 1n)).toBe(true);
    }
  });

  test('a page that only part of an entry covers is still protected byte by byte after it was accessed', () => {
    const h = bootWith([NAPOT, napot(DATA + 0x800n, 8n)], [R | W | X | NAPOT, 2n ** 54n - 1n]);
    expect(canStore(h, DATA)).toBe(true);
    expect(canStore(h, DATA + 0x800n)).toBe(false);
    expect(canStore(h, DATA + 0x808n)).toBe(true);
  });

  test('code runs in a page with a hole, up to the hole', () => {
    const h = bootWith([NAPOT, napot(DATA + 0x10n, 8n)], [R | W | X | NAPOT, 2n ** 54n - 1n]);
    h.load('nop\n c.addi zero, 0\n c.addi zero, 0\n nop\n nop\n nop', DATA);
    h.mode = Mode.Supervisor;
    h.step(6);
    expect(h.csr).toMatchObject({
      mcause: BigInt(Cause.FetchAccess),
      mtval: DATA + 0x10n,
      mepc: DATA + 0x10n,
    });
  });

  test('a change of the setting counts at once, though the TLB knew the page', () => {
    const h = bootWith([R | W | NAPOT, 2n ** 54n - 1n]);
    expect(canStore(h, DATA)).toBe(true);
    h.csr.pmpcfg0 = R | NAPOT;
    expect(canStore(h, DATA)).toBe(false);
    h.csr.pmpaddr0 = napot(DATA, 8n);
    expect([canLoad(h, DATA), canLoad(h, DATA + 8n)]).toEqual([true, false]);
  });
});

describe('a locked entry', () => {
  test('binds machine mode too', () => {
    const h = bootWith([R | NAPOT | LOCKED, napot(DATA, 4096n)]);
    h.csr.mstatus = 0n;
    expect([canLoad(h, DATA), canStore(h, DATA), canStore(h, DATA + 4096n)]).toEqual([true, false, true]);
  });

  test('ignores writes to its configuration and its address, and leaves its neighbours free', () => {
    const h = bootWith([R | NAPOT | LOCKED, 5n], [R | NAPOT, 6n]);
    h.csr.pmpcfg0 = 0n;
    Object.assign(h.csr, { pmpaddr0: 0n, pmpaddr1: 0n });
    expect(h.csr).toMatchObject({ pmpcfg0: R | NAPOT | LOCKED, pmpaddr0: 5n, pmpaddr1: 0n });
  });

  test('that is a range locks the address below it as well', () => {
    const h = bootWith([0n, 5n], [TOR | LOCKED, 6n]);
    Object.assign(h.csr, { pmpaddr0: 0n, pmpaddr1: 0n });
    expect(h.csr).toMatchObject({ pmpaddr0: 5n, pmpaddr1: 6n });
  });
});

test('a configuration with W and without R is reserved and changes nothing, and bits 5 and 6 read zero', () => {
  const h = boot();
  h.csr.pmpcfg0 = 0x1f_1fn;
  h.csr.pmpcfg0 = 0x7f_1an;
  expect(h.csr.pmpcfg0).toBe(0x1f_1fn);
});

test.each(['pmpcfg1', 'pmpcfg3'])('%s does not exist with 64-bit registers', (name) => {
  boot().expectIllegal(`csrr a0, ${name === 'pmpcfg1' ? 0x3a1 : 0x3a3}`);
});
