import { describe, expect, test } from 'vitest';
import { Cause } from '../../src/rv64/trap.js';
import { board, boot, CODE, DATA, DEVICE } from '../support/hart.js';

const LOADS = [
  { name: 'lb', bytes: 1, signed: true },
  { name: 'lh', bytes: 2, signed: true },
  { name: 'lw', bytes: 4, signed: true },
  { name: 'ld', bytes: 8, signed: true },
  { name: 'lbu', bytes: 1, signed: false },
  { name: 'lhu', bytes: 2, signed: false },
  { name: 'lwu', bytes: 4, signed: false },
] as const;
const STORES = [
  { name: 'sb', bytes: 1 },
  { name: 'sh', bytes: 2 },
  { name: 'sw', bytes: 4 },
  { name: 'sd', bytes: 8 },
] as const;

/** Every alignment in the middle of a page, and every way to lie over the end of one. */
const ADDRESSES = Array.from({ length: 8 }, (_, i) => BigInt(i)).flatMap((i) => [
  DATA + 0x100n + i,
  DATA + 0xff8n + i,
]);
const PATTERN = 0x8192_a3b4_c5d6_e7f8n;
const RAM_END = CODE + 0x10_0000n;

describe('loads and stores', () => {
  test.each(LOADS)(
    '$name loads $bytes bytes at every alignment and over page ends',
    ({ name, bytes, signed }) => {
      const h = boot();
      const program = h.load(`${name} a1, 0(a0)`);
      for (const address of ADDRESSES) {
        for (const value of [PATTERN, ~PATTERN]) {
          h.poke(address, value);
          h.x.a0 = address;
          // Twice: the second time through the TLB.
          for (let i = 0; i < 2; i++) {
            h.x.a1 = 0x55n;
            h.runLoaded(program);
            const expected = (signed ? BigInt.asIntN : BigInt.asUintN)(bytes * 8, value);
            expect(h.x.a1, `${name} at 0x${address.toString(16)}`).toBe(expected);
          }
        }
      }
    },
  );

  test.each(STORES)(
    '$name stores $bytes bytes, and no others, at every alignment and over page ends',
    ({ name, bytes }) => {
      const h = boot();
      const program = h.load(`${name} a1, 0(a0)`);
      for (const address of ADDRESSES) {
        for (let i = 0; i < 2; i++) {
          h.poke(address - 8n, -1n);
          h.poke(address, -1n);
          h.poke(address + 8n, -1n);
          Object.assign(h.x, { a0: address, a1: PATTERN });
          h.runLoaded(program);
          expect(h.peek(address, bytes)).toBe(BigInt.asUintN(bytes * 8, PATTERN));
          expect(h.peek(address - 8n), 'the bytes before').toBe(2n ** 64n - 1n);
          expect(h.peek(address + BigInt(bytes)), 'the bytes after').toBe(2n ** 64n - 1n);
        }
      }
    },
  );

  test('offsets are signed and reach from -2048 to 2047', () => {
    const h = boot();
    h.x.a0 = DATA + 0x1000n;
    h.poke(DATA + 0x800n, 1n);
    h.poke(DATA + 0x17ffn, 2n, 1);
    h.run('ld a1, -2048(a0)\n lb a2, 2047(a0)\n sd a0, -2048(a0)');
    expect([h.x.a1, h.x.a2, h.peek(DATA + 0x800n)]).toEqual([1n, 2n, DATA + 0x1000n]);
  });

  test('the destination may be the base', () => {
    const h = boot();
    h.x.a0 = DATA;
    h.poke(DATA, 42n);
    h.run('ld a0, 0(a0)');
    expect(h.x.a0).toBe(42n);
  });

  test('a device is accessed with the width of the instruction, and loads are extended alike', () => {
    const { harts, bus } = board(1);
    const [h] = harts;
    Object.assign(h.x, { a0: DEVICE + 0xf0n, a1: -2n });
    h.run('lb a2, 0(a0)\n lbu a3, 0(a0)\n ld a4, 0(a0)\n sb a1, 1(a0)\n sd a1, 8(a0)');
    expect(h.x).toMatchObject({ a2: -0x10n, a3: 0xf0n, a4: DEVICE + 0xf0n });
    expect(bus.stores).toEqual([
      { offset: 0xf1, bytes: 1, value: 0xfen },
      { offset: 0xf8, bytes: 8, value: 2n ** 64n - 2n },
    ]);
  });
});

describe('an access to nothing', () => {
  test.each([
    ['lb a1, 0(a0)', Cause.LoadAccess],
    ['ld a1, 0(a0)', Cause.LoadAccess],
    ['sb a1, 0(a0)', Cause.StoreAccess],
    ['sd a1, 0(a0)', Cause.StoreAccess],
    ['lr.d a1, (a0)', Cause.LoadAccess],
    ['sc.d a1, a2, (a0)', Cause.StoreAccess],
    ['amoadd.d a1, a2, (a0)', Cause.StoreAccess],
  ])('%s is an access fault with the address, wherever it lies', (line, cause) => {
    const h = boot();
    for (const address of [0n, 0x4000_0000n, CODE - 8n, RAM_END, 0x1_8000_0000n, 1n << 56n, -8n]) {
      Object.assign(h.x, { a0: address, a1: 77n });
      h.expectTrap(line, { cause, value: address });
      expect(h.x.a1, 'the destination keeps its value').toBe(77n);
    }
  });

  test('an atomic to a device is an access fault, for devices have none', () => {
    const h = boot();
    h.x.a0 = DEVICE;
    h.expectTrap('lr.w a1, (a0)', { cause: Cause.LoadAccess, value: DEVICE });
    h.expectTrap('amoadd.w a1, a2, (a0)', { cause: Cause.StoreAccess, value: DEVICE });
  });

  test('what lies half outside RAM faults at the half that does, and stores nothing', () => {
    const h = boot();
    Object.assign(h.x, { a0: RAM_END - 4n, a1: -1n });
    h.expectTrap('ld a1, 0(a0)', { cause: Cause.LoadAccess, value: RAM_END });
    h.expectTrap('sd a1, 0(a0)', { cause: Cause.StoreAccess, value: RAM_END });
    expect(h.peek(RAM_END - 8n)).toBe(0n);
    h.x.a0 = CODE - 1n;
    h.expectTrap('lh a1, 0(a0)', { cause: Cause.LoadAccess, value: CODE - 1n });
  });

  test('an address wraps at 64 bits', () => {
    const h = boot();
    h.x.a0 = 4n;
    h.expectTrap('lw a1, -8(a0)', { cause: Cause.LoadAccess, value: -4n });
    h.x.a0 = -4n;
    h.expectTrap('lw a1, 8(a0)', { cause: Cause.LoadAccess, value: 4n });
  });

  test('the trap is about its own instruction, not the first of the block', () => {
    const h = boot();
    h.expectTrap('nop\n nop\n lw a0, 0(zero)', { cause: Cause.LoadAccess, value: 0n, pc: CODE + 8n });
  });
});
