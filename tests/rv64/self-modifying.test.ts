import { describe, expect, test } from 'vitest';
import { assembleWord } from '../support/assembler.js';
import { board, boot, CODE, DATA } from '../support/hart.js';

const ADD_ONE = BigInt(assembleWord('addi a0, a0, 1'));
const ADD_TEN = BigInt(assembleWord('addi a0, a0, 10'));
const COMPRESSED_ADD_TEN = BigInt(assembleWord('c.addi a0, 10'));

// Code is coherent with stores here, so each of these holds with fence.i and without.
describe.each(['', 'fence.i'])('code that is stored to is what runs next %s', (fence) => {
  test('when it is the very next instruction', () => {
    const h = boot();
    h.x.a2 = ADD_TEN;
    h.run(`la a1, target\n sw a2, 0(a1)\n ${fence}\n target: addi a0, a0, 1`);
    expect(h.x.a0).toBe(10n);
  });

  test('when it has run before, in the same page', () => {
    const h = boot();
    Object.assign(h.x, { a2: ADD_TEN, a3: 2n });
    h.run(
      `la a1, target\n target: addi a0, a0, 1\n sw a2, 0(a1)\n ${fence}\n addi a3, a3, -1\n bnez a3, target`,
    );
    expect(h.x.a0).toBe(11n);
  });

  test('when only its second half is replaced', () => {
    const h = boot();
    Object.assign(h.x, { a2: ADD_TEN >> 16n, a3: 2n });
    h.run(
      `la a1, target\n target: addi a0, a0, 1\n sh a2, 2(a1)\n ${fence}\n addi a3, a3, -1\n bnez a3, target`,
    );
    expect(h.x.a0).toBe(11n);
  });

  test('when half of it is replaced, and when one instruction becomes two', () => {
    const h = boot();
    Object.assign(h.x, { a2: COMPRESSED_ADD_TEN, a3: 3n });
    h.run(`la a1, target\n target: addi a0, a0, 1
           sh a2, 0(a1)\n ${fence}\n addi a3, a3, -1\n beqz a3, end\n addi a4, zero, 1
           sh a2, 2(a1)\n ${fence}\n j target\n end: nop`);
    expect(h.x.a0).toBe(1n + 20n + 20n);
  });

  test('when it lies in two pages and the second part is replaced', () => {
    const h = boot();
    // addi a0, a0, 1 with its immediate in the second page.
    Object.assign(h.x, { a1: CODE + 0x1000n, a2: ADD_TEN >> 16n });
    h.load('addi a0, a0, 1\n ret', CODE + 0xffen);
    h.run(`li s0, ${CODE + 0xffen}\n jalr ra, 0(s0)\n sh a2, 0(a1)\n ${fence}\n jalr ra, 0(s0)`);
    expect(h.x.a0).toBe(11n);
  });

  test('when the store lies over the end of a page of data and a page of code', () => {
    const h = boot();
    h.load('addi a0, a0, 1\n ret', DATA + 0x1000n);
    Object.assign(h.x, { a1: DATA + 0xffcn, a2: ADD_TEN << 32n });
    h.run(`li s0, ${DATA + 0x1000n}\n jalr ra, 0(s0)\n sd a2, 0(a1)\n ${fence}\n jalr ra, 0(s0)`);
    expect(h.x.a0).toBe(11n);
  });

  test.each(['amoswap.w zero, a2, (a1)', 'lr.w zero, (a1)\n sc.w zero, a2, (a1)'])(
    'when %s changes it',
    (store) => {
      const h = boot();
      Object.assign(h.x, { a2: ADD_TEN, a3: 2n });
      h.run(
        `la a1, target\n j target\n .align 4\n target: addi a0, a0, 1\n ${store}\n ${fence}\n addi a3, a3, -1\n bnez a3, target`,
      );
      expect(h.x.a0).toBe(11n);
    },
  );

  test('when another hart stores to it', () => {
    const { harts } = board(2);
    const [first, second] = harts;
    const { labels } = first.load(`loop: addi a0, a0, 1\n ${fence}\n j loop`);
    first.step(30);
    const before = first.x.a0;
    second.load('sw a2, 0(a1)', DATA);
    Object.assign(second.x, { a1: labels.get('loop')!, a2: ADD_TEN });
    second.step();
    first.pc = CODE;
    first.step();
    expect(first.x.a0).toBe(before + 10n);
  });
});

test('code that a device writes by DMA is what runs next', () => {
  const h = boot();
  h.run('addi a0, a0, 1');
  h.poke(CODE, ADD_TEN, 4);
  h.pc = CODE;
  h.step();
  expect(h.x.a0).toBe(11n);
});

test('data stored beside code leaves the code as it is', () => {
  const h = boot();
  h.x.a3 = 100n;
  h.run(
    'la a1, data\n loop: sd a3, 0(a1)\n addi a0, a0, 1\n addi a3, a3, -1\n bnez a3, loop\n j end\n data: .dword 0\n end: nop',
  );
  expect([h.x.a0, h.peek(CODE + 28n)]).toEqual([100n, 1n]);
});

test('the same instruction bits are the same instruction at another address', () => {
  const h = boot();
  for (const at of [CODE, CODE + 0x1000n, CODE + 0x2ffen]) {
    h.run('auipc a1, 0\n sub a1, a1, zero', at);
    expect(h.x.a1).toBe(at);
  }
  expect(ADD_ONE).not.toBe(ADD_TEN);
});
