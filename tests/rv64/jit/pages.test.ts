/** Accesses over the end of a page, under Sv39, where the next page lies elsewhere, or nowhere. */
import { afterAll, describe, expect, it } from 'vitest';
import { Slot } from '../../../src/rv64/csr/bits.js';
import { PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X } from '../../../src/sv39/pte.js';
import type { State } from '../../../src/rv64/state.js';
import { Mode } from '../../../src/rv64/trap.js';
import { assemble, RAM_BASE } from '../../support/assembler.js';
import { DATA } from '../../support/hart.js';
import { Twins } from '../../support/twins.js';

/** Tables, and the frames of the pages at VIRTUAL: the second lies before the first, with others in between. */
const ROOT = RAM_BASE + 0x4_0000n;
const MIDDLE = ROOT + 0x1000n;
const LEAVES = ROOT + 0x2000n;
const FIRST = DATA + 0x2000n;
const SECOND = DATA;
const VIRTUAL = 0x4000_0000n;

const LEAF = PTE_V | PTE_R | PTE_W | PTE_A | PTE_D;
const pte = (physical: bigint, flags: bigint): bigint => ((physical >> 12n) << 10n) | flags;

function buildTables({ view, ram }: State, second: bigint): void {
  const set = (table: bigint, index: bigint, entry: bigint): void =>
    view.setBigUint64(ram.byteOffset + Number(table - RAM_BASE) + Number(index) * 8, entry, true);
  // The kernel's gigabyte, and the pages.
  set(ROOT, RAM_BASE >> 30n, pte(RAM_BASE, LEAF | PTE_X));
  set(ROOT, VIRTUAL >> 30n, pte(MIDDLE, PTE_V));
  set(MIDDLE, 0n, pte(LEAVES, PTE_V));
  set(LEAVES, 0n, pte(FIRST, LEAF));
  set(LEAVES, 1n, second);
}

const seconds = {
  'a page that lies elsewhere': pte(SECOND, LEAF),
  'a page that is not mapped': 0n,
  'a page that may only be read': pte(SECOND, PTE_V | PTE_R | PTE_A),
  'a page of a user': pte(SECOND, LEAF | PTE_U),
  'a page that was never accessed': pte(SECOND, PTE_V | PTE_R | PTE_W),
};

const accesses = [
  { bytes: 2, names: ['lh', 'lhu', 'sh'] },
  { bytes: 4, names: ['lw', 'lwu', 'sw', 'amoadd.w'] },
  { bytes: 8, names: ['ld', 'sd', 'amoadd.d'] },
].flatMap(({ bytes, names }) => names.map((name) => ({ name, bytes })));

const twins = new Twins();
afterAll(() => twins.compareMemory());

describe.each(Object.entries(seconds))('translated code at the end of a page, before %s', (_, second) => {
  it.each(accesses)('does $name as the interpreter does, at every place', ({ name, bytes }) => {
    const operands = name.startsWith('amo') ? 'a0, a1, (a2)' : 'a1, 0(a2)';
    // The TLB knows both pages when the access comes.
    const { bytes: code } = assemble(`
      lb t0, 0(a3)
      sb t0, 1(a3)
      lb t0, 0(a4)
      ${name} ${operands}
      again: j again`);
    for (let distance = 0; distance <= bytes; distance++) {
      for (const knowsSecond of [true, false]) {
        const translated = twins.compare(code, (core, state) => {
          state.ram.subarray(Number(SECOND - RAM_BASE), Number(FIRST - RAM_BASE) + 4096).fill(0x5a);
          buildTables(state, second);
          core.csr[Slot.satp] = (8n << 60n) | (ROOT >> 12n);
          core.x[11] = 0x0102_0304_0506_0708n;
          core.x[12] = VIRTUAL + 4096n - BigInt(distance);
          core.x[13] = VIRTUAL;
          core.x[14] = knowsSecond && second !== 0n && (second & PTE_U) === 0n ? VIRTUAL + 4096n : VIRTUAL;
          core.changeMode(Mode.Supervisor);
        });
        expect(translated).toBeGreaterThan(0);
      }
    }
  });
});
