import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Machine } from '../../src/machine/machine.js';
import type { State } from '../../src/rv64/state.js';
import { bootProgram } from '../support/programs.js';

/** Frames that the programs fill, from here on. */
const FIRST = 0x8010_0000;
const FRAMES = 6;

/** The loop with which the programs fill: a0 to a2 with the bytes of a3. */
const FILL = `
  fill:
    sb a3, 0(a0)
    addi a0, a0, 1
    bne a0, a2, fill
    jalr x0, 0(ra)
`;

/** So often the loop is called for another frame, so that it is translated. */
const WARM_UP = `
    li s2, 20
  warm:
    li a0, 0x80200000
    addi a2, a0, 32
    jal ra, fill
    addi s2, s2, -1
    bnez s2, warm
`;

const addressOf = (frame: number): string => `li t0, ${FIRST + frame * 4096}`;

const fill = (frame: number, byte: number, length: number, offset = 0): string =>
  `li a0, ${FIRST + frame * 4096 + offset}\n li t1, ${length}\n add a2, a0, t1\n li a3, ${byte}\n jal ra, fill`;

const program = (...steps: string[]): string => `${WARM_UP}${steps.join('\n')}\n end: j end\n${FILL}`;

/** What else a program may do with a frame, at an offset in it. */
const uses: Record<string, (offset: number) => string> = {
  'chain it': () => 'sd s3, 0(t0)\n mv s3, t0',
  'follow the chain': () => 'ld t1, 0(t0)\n xor s4, s4, t1',
  'load a word': (offset) => `li t2, ${offset & ~7}\n add t0, t0, t2\n ld t1, 0(t0)\n xor s4, s4, t1`,
  'load over its end': () => 'li t2, 4092\n add t0, t0, t2\n ld t1, 0(t0)\n xor s4, s4, t1',
  'store a byte': (offset) => `li t2, ${offset}\n add t0, t0, t2\n sb s3, 0(t0)`,
  'store over its end': () => 'li t2, 4092\n add t0, t0, t2\n sd s3, 0(t0)',
  'swap a word': (offset) =>
    `li t2, ${offset & ~7}\n add t0, t0, t2\n amoswap.d t1, t2, (t0)\n xor s4, s4, t1`,
  'reserve its first word': () => 'lr.d t1, (t0)\n addi t1, t1, 1\n sc.d t1, t1, (t0)\n xor s4, s4, t1',
  'execute it': (offset) =>
    `li t2, ${offset & ~7}\n add t0, t0, t2\n li t1, 0x80820001\n sw t1, 0(t0)\n fence.i\n jalr ra, 0(t0)`,
};

const frame = fc.nat(FRAMES - 1);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(frame, fc.nat(255), fc.constant(4096)).map((args) => fill(...args)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(frame, fc.nat(255), fc.integer({ min: 1, max: 6000 }), fc.oneof(fc.constant(0), fc.nat(2000)))
      .map((args) => fill(...args)),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(frame, fc.constantFrom(...Object.keys(uses)), fc.nat(4095))
      .map(([number, use, offset]) => `${addressOf(number)}\n ${uses[use](offset)}`),
  },
);

/** What lies in the host's memory, whatever is noted of it. */
const bytesInHost = (machine: Machine, at: number): Uint8Array =>
  (machine as unknown as { state: State }).state.ram.subarray(at - 0x8000_0000, at - 0x8000_0000 + 4096);

const CYCLES = 400_000;

function after(source: string, jit: boolean): Machine {
  const machine = bootProgram(source, { jit: jit && { hotAfter: 2 } });
  machine.run(CYCLES);
  return machine;
}

describe('a frame that is filled for the first time', () => {
  it('is like any other to whatever a program does with it', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 14 }), (steps) => {
        const source = program(...steps);
        const [interpreted, translated] = [after(source, false), after(source, true)];
        expect(translated.harts[0].x).toEqual(interpreted.harts[0].x);
        expect(translated.hash()).toBe(interpreted.hash());
      }),
      { seed: 1, numRuns: 150 },
    );
  }, 120_000);

  it('takes none of the host’s memory, though it is chained to another, until somebody looks into it', () => {
    const chained = [0, 1, 2].flatMap((number) => [
      fill(number, 0x5a, 4096),
      `${addressOf(number)}\n sd t0, 0(t0)`,
    ]);
    const machine = after(program(...chained), true);
    expect(bytesInHost(machine, FIRST).every((byte) => byte === 0)).toBe(true);
    const expected = new Uint8Array(4096).fill(0x5a);
    new DataView(expected.buffer).setBigUint64(0, BigInt(FIRST), true);
    expect(machine.readMemory(BigInt(FIRST), 4096)).toEqual(expected);
    expect(bytesInHost(machine, FIRST)).toEqual(expected);
    expect(bytesInHost(machine, FIRST + 4096).every((byte) => byte === 0)).toBe(true);
  });

  it('can be a page table that was cleared and has its first entry', () => {
    const [root, table, other] = [0, 1, 2];
    const physical = (frame: number): number => (FIRST + frame * 4096) / 4;
    const source = program(
      fill(table, 0, 4096),
      // The first 2 MiB of RAM; the root has a pointer to this, and RAM where it is.
      `${addressOf(table)}\n li t1, 0x200000cf\n sd t1, 0(t0)`,
      fill(root, 0, 4096),
      `${addressOf(root)}\n li t1, ${physical(table) + 1}\n sd t1, 0(t0)\n li t1, 0x200000cf\n sd t1, 16(t0)`,
      fill(other, 0, 4096),
      `${addressOf(root)}
      srli t1, t0, 12
      li t2, 8
      slli t2, t2, 60
      or t1, t1, t2
      csrw satp, t1
      li t1, 0x1f
      csrw pmpcfg0, t1
      li t1, -1
      srli t1, t1, 10
      csrw pmpaddr0, t1
      li t1, 0x1800
      csrc mstatus, t1
      li t1, 0x800
      csrs mstatus, t1
      la t1, inside
      csrw mepc, t1
      mret
      inside: li t1, 0
      ld s4, 0(t1)
      li s5, 77`,
    );
    const [interpreted, translated] = [after(source, false), after(source, true)];
    expect(translated.harts[0].x[21]).toBe(77n);
    expect(translated.hash()).toBe(interpreted.hash());
  });

  it('takes what a device stores, and keeps the rest', () => {
    const machine = after(program(fill(0, 0x11, 4096), fill(1, 0x22, 4096)), true);
    for (const number of [0, 1]) {
      const address = BigInt(FIRST + number * 4096);
      machine.writeMemory(address + 100n, Uint8Array.of(0x77));
      const expected = new Uint8Array(4096).fill(0x11 * (number + 1));
      expected[100] = 0x77;
      expect(machine.readMemory(address, 4096)).toEqual(expected);
    }
  });

  it('is saved as it is, and saving leaves it alone', () => {
    const source = program(fill(0, 0x33, 4096), `${addressOf(0)}\n sd t0, 0(t0)`, fill(1, 0x44, 2000));
    const machine = after(source, true);
    const saved = machine.save();
    expect(bytesInHost(machine, FIRST).every((byte) => byte === 0)).toBe(true);
    const loaded = Machine.load(saved);
    for (const number of [0, 1]) {
      const address = BigInt(FIRST + number * 4096);
      expect(loaded.readMemory(address, 4096)).toEqual(after(source, false).readMemory(address, 4096));
    }
    expect(loaded.hash()).toBe(machine.hash());
  });

  it('keeps what the kernel’s file put there', () => {
    const data = FIRST - 0x10_0000 + 4096;
    const source = `${program(`li a0, ${data}\n addi a2, a0, 64\n li a3, 1\n jal ra, fill`)}
      .align 4096\n .zero 100\n .word 0x12345678`;
    const bytes = after(source, true).readMemory(BigInt(data), 104)!;
    expect([...bytes.subarray(62, 66)]).toEqual([1, 1, 0, 0]);
    expect([...bytes.subarray(100)]).toEqual([0x78, 0x56, 0x34, 0x12]);
  });
});
