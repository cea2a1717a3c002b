import { describe, expect, test } from 'vitest';
import { Cause } from '../../src/rv64/trap.js';
import { board, boot, CODE, DATA } from '../support/hart.js';

const EDGES = [0n, 1n, -1n, 0x7fff_ffffn, 0x8000_0000n, 2n ** 63n - 1n, -(2n ** 63n), 0x1234_5678_9abc_def0n];

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);

type Formula = (memory: bigint, register: bigint, bits: number) => bigint;
const unsigned =
  (choose: (a: bigint, b: bigint) => bigint): Formula =>
  (memory, register, bits) =>
    choose(BigInt.asUintN(bits, memory), BigInt.asUintN(bits, register));

/** What each leaves in memory, of operands that are signed numbers of its width. */
const FORMULAS: Readonly<Record<string, Formula>> = {
  amoswap: (_, register) => register,
  amoadd: (memory, register) => memory + register,
  amoxor: (memory, register) => (memory | register) - (memory & register),
  amoand: (memory, register) => ~(~memory | ~register),
  amoor: (memory, register) => ~(~memory & ~register),
  amomin: smaller,
  amomax: larger,
  amominu: unsigned(smaller),
  amomaxu: unsigned(larger),
};

const OPERATIONS = Object.keys(FORMULAS).flatMap((name) => [
  { name, suffix: 'w', bits: 32 },
  { name, suffix: 'd', bits: 64 },
]);

describe('atomic memory operations', () => {
  test.each(OPERATIONS)(
    '$name.$suffix returns what was in memory, sign-extended, and combines',
    ({ name, suffix, bits }) => {
      const h = boot();
      const program = h.load(`${name}.${suffix} a2, a1, (a0)`);
      const cut = (value: bigint): bigint => BigInt.asIntN(bits, value);
      h.x.a0 = DATA;
      for (const memory of EDGES) {
        for (const register of EDGES) {
          h.poke(DATA, memory);
          h.x.a1 = register;
          h.runLoaded(program);
          const what = `${name} of ${memory} and ${register}`;
          expect(h.x.a2, what).toBe(cut(memory));
          expect(cut(h.peek(DATA)), what).toBe(cut(FORMULAS[name](cut(memory), cut(register), bits)));
          expect(h.peek(DATA) >> BigInt(bits), 'the rest is untouched').toBe(
            BigInt.asUintN(64, memory) >> BigInt(bits),
          );
        }
      }
    },
  );

  test('the destination may be the operand or the address', () => {
    const h = boot();
    Object.assign(h.x, { a0: DATA, a1: 5n });
    h.poke(DATA, 7n);
    h.run('amoswap.d a1, a1, (a0)\n amoadd.d a0, a1, (a0)');
    expect([h.x.a1, h.x.a0, h.peek(DATA)]).toEqual([7n, 5n, 12n]);
  });

  test.each([
    ['lr.w a1, (a0)', 4, Cause.LoadMisaligned],
    ['lr.d a1, (a0)', 8, Cause.LoadMisaligned],
    ['sc.w a1, a2, (a0)', 4, Cause.StoreMisaligned],
    ['sc.d a1, a2, (a0)', 8, Cause.StoreMisaligned],
    ['amoadd.w a1, a2, (a0)', 4, Cause.StoreMisaligned],
    ['amoadd.d a1, a2, (a0)', 8, Cause.StoreMisaligned],
  ])('%s must be aligned to %i bytes', (line, bytes, cause) => {
    const h = boot();
    for (let offset = 1; offset < bytes; offset++) {
      h.x.a0 = DATA + BigInt(offset);
      h.expectTrap(line, { cause, value: DATA + BigInt(offset) });
    }
  });
});

describe('load-reserved and store-conditional', () => {
  test.each(['w', 'd'])('lr.%s and sc succeed as a pair, once', (width) => {
    const h = boot();
    Object.assign(h.x, { a0: DATA, a1: -5n });
    h.poke(DATA, 0x8000_0000_8000_0000n);
    h.run(`lr.${width} a2, (a0)\n sc.${width} a3, a1, (a0)\n sc.${width} a4, zero, (a0)`);
    expect(h.x).toMatchObject({
      a2: width === 'w' ? -0x8000_0000n : -0x7fff_ffff_8000_0000n,
      a3: 0n,
      a4: 1n,
    });
    expect(h.peek(DATA)).toBe(width === 'w' ? 0x8000_0000_ffff_fffbn : 0xffff_ffff_ffff_fffbn);
  });

  test('sc without a reservation, or with one elsewhere, fails and stores nothing', () => {
    const h = boot();
    Object.assign(h.x, { a0: DATA, a1: DATA + 8n, a2: -1n });
    h.run('sc.d a3, a2, (a0)\n lr.d zero, (a1)\n sc.d a4, a2, (a0)\n sc.d a5, a2, (a1)');
    expect(h.x).toMatchObject({ a3: 1n, a4: 1n, a5: 1n });
    expect([h.peek(DATA), h.peek(DATA + 8n)]).toEqual([0n, 0n]);
  });

  test('a second lr takes the place of the first', () => {
    const h = boot();
    Object.assign(h.x, { a0: DATA, a1: DATA + 8n });
    h.run('lr.d zero, (a0)\n lr.d zero, (a1)\n sc.d a3, a0, (a1)');
    expect(h.x.a3).toBe(0n);
  });

  test('a failing sc to what may not be stored to traps nonetheless', () => {
    const h = boot();
    h.x.a0 = 0x40n;
    h.expectTrap('sc.w a1, a2, (a0)', { cause: Cause.StoreAccess, value: 0x40n });
  });

  test('a reservation ends with the slice, for another hart may store in between', () => {
    const { cores, harts } = board(2);
    const [first, second] = harts;
    first.x.a0 = second.x.a0 = DATA;
    first.x.a1 = second.x.a1 = 1n;
    const retry = 'retry: lr.w a2, (a0)\n addw a2, a2, a1\n sc.w a3, a2, (a0)\n bnez a3, retry';
    const end = CODE + 16n;
    first.load(retry);
    cores[0].beginSlice();
    first.step(2);
    second.load(retry);
    cores[1].beginSlice();
    second.step(4);
    expect([second.pc, second.x.a3]).toEqual([end, 0n]);
    cores[0].beginSlice();
    first.step(1);
    expect(first.x.a3, 'the first hart saw the old value').toBe(1n);
    first.step(5);
    expect([first.pc, first.peek(DATA)]).toEqual([end, 2n]);
  });

  test.each([
    ['amoadd.d zero, a1, (a0)', 1],
    ['retry: lr.d a2, (a0)\n add a2, a2, a1\n sc.d a3, a2, (a0)\n bnez a3, retry', 4],
  ])('two harts that count together lose nothing, wherever their slices end: %s', (increment) => {
    for (let slice = 5; slice < 24; slice++) {
      const { cores, harts } = board(2);
      harts.forEach((h) => {
        Object.assign(h.x, { a0: DATA, a1: 1n, a4: 100n });
        h.load(`${increment}\n addi a4, a4, -1\n bnez a4, ${CODE}\n j .`);
      });
      for (let cycles = 0; cycles < 4000; cycles += slice) {
        cores.forEach((core) => {
          core.beginSlice();
          core.run(core.cycles + slice);
        });
      }
      expect(harts.map((h) => h.x.a4)).toEqual([0n, 0n]);
      expect(harts[0].peek(DATA), `slices of ${slice}`).toBe(200n);
    }
  });
});
