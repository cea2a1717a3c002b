import { describe, expect, test } from 'vitest';
import { CODE, boot } from '../support/hart.js';

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
const EDGES = [0n, 1n, -1n, 0x7fff_ffffn, 0x8000_0000n, 0x1_0000_0000n, 2n ** 63n - 1n, -(2n ** 63n)];

const CONDITIONS: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  beq: (a, b) => a === b,
  bne: (a, b) => a !== b,
  blt: (a, b) => a < b,
  bge: (a, b) => a >= b,
  bltu: (a, b) => unsigned(a) < unsigned(b),
  bgeu: (a, b) => unsigned(a) >= unsigned(b),
};

describe('branches', () => {
  test.each(Object.keys(CONDITIONS))('%s is taken when its condition holds, and only then', (name) => {
    const h = boot();
    h.load(`${name} a0, a1, .+8`);
    for (const a of EDGES) {
      for (const b of EDGES) {
        Object.assign(h.x, { a0: a, a1: b });
        h.pc = CODE;
        h.step();
        expect(h.pc - CODE, `${name} of ${a} and ${b}`).toBe(CONDITIONS[name](a, b) ? 8n : 4n);
      }
    }
  });

  test.each([
    ['beq zero, zero', -4096n],
    ['beq zero, zero', 4094n],
    ['jal zero', -0x10_0000n],
    ['jal zero', 0xf_fffen],
    ['c.j', -2048n],
    ['c.j', 2046n],
    ['c.beqz s0', -256n],
    ['c.beqz s0', 254n],
  ])('%s reaches %i bytes', (line, distance) => {
    const h = boot();
    const at = CODE + 0x2000n;
    h.load(`${line}${/^(\S+)$/.test(line) ? ' ' : ', '}.${distance < 0n ? '' : '+'}${distance}`, at);
    h.step();
    expect(h.pc).toBe(at + distance);
  });

  test('a loop runs as often as it counts', () => {
    const h = boot();
    h.x.a0 = 10n;
    h.run('loop: addi a1, a1, 3\n addi a0, a0, -1\n bnez a0, loop');
    expect(h.x.a1).toBe(30n);
  });

  test('a branch may cross the 4 GiB line of the address space in both directions', () => {
    const h = boot({ mode: 3 });
    h.load('jalr zero, 0(a0)');
    for (const [from, distance] of [
      [0xffff_fffen, 4n],
      [0x1_0000_0002n, -4n],
      [-2n, 4n],
    ]) {
      // The target holds no code: what counts is the address that the fetch fails at.
      h.csr.mtval = 0n;
      h.x.a0 = from + distance;
      h.pc = CODE;
      h.step(2);
      expect(h.csr).toMatchObject({ mcause: 1n, mtval: unsigned(from + distance) });
    }
  });
});

describe('jumps', () => {
  test.each([
    ['jal a0, .+16', 4n, 16n],
    ['jalr a0, 16(a1)', 4n, 16n],
    ['jalr a0, 17(a1)', 4n, 16n],
    ['jalr a1, 16(a1)', 4n, 16n],
    ['c.jalr a1', 2n, 0n],
  ])('%s links to the next instruction and clears bit 0 of the target', (line, link, target) => {
    const h = boot();
    h.x.a1 = CODE;
    h.load(line);
    h.step();
    const register = line.startsWith('c.') ? h.x.ra : line.includes(' a1,') ? h.x.a1 : h.x.a0;
    expect([register, h.pc]).toEqual([CODE + link, CODE + target]);
  });

  test('a jump to where nothing is traps at the target, not at the jump', () => {
    const h = boot();
    h.x.a0 = 0x4000_0000n;
    h.expectTrap('jr a0', { cause: 1, value: 0x4000_0000n, pc: 0x4000_0000n });
  });

  test('execution goes on over the end of a page, with an instruction that lies in both', () => {
    const h = boot();
    h.run('c.addi a0, 1\n addi a0, a0, 2\n c.addi a0, 4', CODE + 0xffcn);
    expect(h.x.a0).toBe(7n);
  });

  test('the end of RAM stops an instruction that lies half outside, at the half that is missing', () => {
    const h = boot();
    const last = CODE + 0xf_fffen;
    h.poke(last, 0x0013n, 2);
    h.x.a0 = last;
    h.expectTrap('jr a0', { cause: 1, value: last + 2n, pc: last });
  });
});

describe('environment instructions', () => {
  test.each([
    [0, 8],
    [1, 9],
    [3, 11],
  ])('ecall in mode %i has cause %i and no value', (mode, cause) => {
    boot({ mode }).expectTrap('ecall', { cause, value: 0n });
  });

  test.each(['ebreak', 'c.ebreak'])('%s has its own address as value', (line) => {
    boot().expectTrap(line, { cause: 3, value: CODE });
  });
});
