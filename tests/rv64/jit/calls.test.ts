/** Calls within regions: of functions in the page, and of copies of those in other pages, as long as they are such. */
import { describe, expect, it } from 'vitest';
import type { SetProbe } from '../../../src/rv64/code-page.js';
import { PMPADDR_SLOT, Slot } from '../../../src/rv64/csr/bits.js';
import { Jit } from '../../../src/rv64/jit/jit.js';
import type { Callee, Region } from '../../../src/rv64/jit/blocks.js';
import { findRegion } from '../../../src/rv64/jit/region.js';
import { Mode } from '../../../src/rv64/trap.js';
import { PTE_A, PTE_D, PTE_R, PTE_V, PTE_W, PTE_X } from '../../../src/sv39/pte.js';
import { assemble, assembleWord, RAM_BASE } from '../../support/assembler.js';
import { board, TRAP_HANDLER } from '../../support/hart.js';
import { bootProgram } from '../../support/programs.js';

const POINTS = 12;

/** Both ways to write a call of `function`, which is the first thing in the page after the caller's. */
const calls = {
  'a jump': 'jal ra, function',
  'a pair of instructions': 'auipc ra, 1\n caller: jalr ra, -4(ra)',
};

/** The caller's loop begins a page, with one instruction before the call; s4 counts the rounds. */
const program = (call: string, caller: string, callee: string): string => `
    la t0, handler
    csrw mtvec, t0
    li sp, 0x80020000
    li s6, 0x80030000
    la s7, function
    la s8, behind
    li s9, ${assembleWord('addi s0, s0, 10')}
    li s10, ${assembleWord('addi s0, s0, 1') ^ assembleWord('addi s0, s0, 10')}
    j again
  .align 4
  handler:
    csrrw t6, mscratch, t6
    csrr t6, mepc
    addi t6, t6, 4
    csrw mepc, t6
    csrrw t6, mscratch, t6
    addi s3, s3, 1
    mret
  .align 4096
  again:
    addi s4, s4, 1
    ${call}
  behind:
    addi s0, s0, 1
    nop
    ${caller}
    j again
  .align 4096
  function:
    ${callee}`;

/** What is done in every 64th round only, so that the code stays hot: t0 is 0 then. */
const rarely = 'andi t0, s4, 63';
const storeTo = (place: string): string => `${rarely}
    bnez t0, done
    xor s9, s9, s10
    sw s9, 0(${place})
    done:`;

const cases: Record<string, { caller?: string; callee: string }> = {
  'that adds': { callee: 'addi s0, s0, 1\n ret' },
  'that keeps things on the stack': {
    callee: 'addi sp, sp, -16\n sd s4, 8(sp)\n ld t1, 8(sp)\n add s0, s0, t1\n addi sp, sp, 16\n ret',
  },
  'that has a loop': { callee: 'li t1, 5\n more: add s0, s0, t1\n addi t1, t1, -1\n bnez t1, more\n ret' },
  'that returns to somewhere else now and then': {
    callee: `${rarely}\n snez t0, t0\n slli t0, t0, 2\n add ra, ra, t0\n jr ra`,
  },
  'that never returns': { callee: 'addi s0, s0, 1\n jr s8' },
  'that traps': { callee: 'addi s0, s0, 1\n ecall\n addi s0, s0, 1\n ret' },
  'that cannot load now and then': {
    callee: `${rarely}\n seqz t0, t0\n neg t0, t0\n xor t0, t0, s6\n ld t1, 0(t0)\n add s0, s0, t1\n ret`,
  },
  'that goes through page after page': {
    callee:
      'andi t1, s4, 255\n slli t1, t1, 12\n add t1, t1, s6\n ld t0, 0(t1)\n add t0, t0, s4\n sd t0, 0(t1)\n ret',
  },
  'that reads counters': {
    callee: 'csrr t1, minstret\n xor s0, s0, t1\n csrr t1, mcycle\n add s0, s0, t1\n ret',
  },
  'that reads a device': { callee: 'li t1, 0x200bff8\n ld t1, 0(t1)\n add s0, s0, t1\n ret' },
  'that is stored to by its caller': { caller: storeTo('s7'), callee: 'addi s0, s0, 1\n ret' },
  'that stores to itself': { callee: `addi s0, s0, 1\n ${storeTo('s7')}\n ret` },
  'that stores to its caller': { callee: `addi s0, s0, 1\n ${storeTo('s8')}\n ret` },
};

describe('a call of a function in another page', () => {
  it.each(
    Object.entries(cases).flatMap(([name, one]) =>
      Object.entries(calls).map(([how, call]) => ({ name, how, call, ...one })),
    ),
  )('$name is what the interpreter makes of it, as $how', ({ call, caller = '', callee }) => {
    const source = program(call, caller, callee);
    const interpreted = bootProgram(source, { jit: false });
    const translated = bootProgram(source, { jit: { hotAfter: 2, plainFirst: 0 } });
    for (let point = 0; point < POINTS; point++) {
      for (const machine of [interpreted, translated]) machine.run(1 + 197 * point);
      expect(translated.harts[0].x[8]).toBe(interpreted.harts[0].x[8]);
      expect(translated.hash()).toBe(interpreted.hash());
    }
    expect(translated.statistics().translator!.instructions).toBeGreaterThan(1000);
  });

  it('goes where a register says that is not what the instruction before has made it', () => {
    const source = program(
      calls['a pair of instructions'],
      `${rarely}
      bnez t0, done
      la t1, other
      addi ra, t1, 8
      j caller
      done:`,
      'addi s0, s0, 1\n ret\n other: addi s0, s0, 100\n ret',
    );
    const [interpreted, translated] = [false, { hotAfter: 2, plainFirst: 0 }].map((jit) =>
      bootProgram(source, { jit }),
    );
    for (let point = 0; point < POINTS; point++) {
      for (const machine of [interpreted, translated]) machine.run(1 + 197 * point);
      expect(translated.hash()).toBe(interpreted.hash());
    }
    expect(interpreted.harts[0].x[8]).toBeGreaterThan(100n);
  });
});

describe('a copy of a function', () => {
  const ROOT = RAM_BASE + 0x4_0000n;
  const MIDDLE = ROOT + 0x1000n;
  const LEAVES = [ROOT + 0x2000n, ROOT + 0x3000n];
  const CALLER = RAM_BASE + 0x2000n;
  const FIRST = RAM_BASE + 0x3000n;
  const SECOND = RAM_BASE + 0x8000n;
  const VIRTUAL = 0x4000_0000n;
  const LEAF = PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D;
  const pte = (physical: bigint, flags: bigint): bigint => ((physical >> 12n) << 10n) | flags;

  /**
   * A loop calls a function in a page that another table maps. Every 64th round changes which of two frames it lies in or,
   * without a second one, whether it is there at all.
   */
  function run(isTranslated: boolean, second: string | undefined): string[] {
    const { state, frames, cores, harts } = board(1);
    const [core] = cores;
    const jit = new Jit(state, cores, { hotAfter: 2, plainFirst: 0 });
    if (isTranslated) core.translator = jit;
    frames.onCodeDropped = (page) => jit.forget(page);
    const set = (table: bigint, index: bigint, entry: bigint): void =>
      state.view.setBigUint64(
        state.ram.byteOffset + Number(table - RAM_BASE) + Number(index) * 8,
        entry,
        true,
      );
    set(ROOT, RAM_BASE >> 30n, pte(RAM_BASE, LEAF));
    set(ROOT, VIRTUAL >> 30n, pte(MIDDLE, PTE_V));
    LEAVES.forEach((table, index) => set(MIDDLE, BigInt(index), pte(table, PTE_V)));
    set(LEAVES[0], 0n, pte(CALLER, LEAF));
    set(LEAVES[1], 0n, pte(FIRST, LEAF));
    harts[0].load('addi s0, s0, 1\n ret', FIRST);
    if (second !== undefined) harts[0].load(second, SECOND);
    harts[0].load('addi s3, s3, 1\n xor s9, s9, s10\n sd s9, 0(s1)\n mret', TRAP_HANDLER);
    harts[0].load(
      `again: addi s4, s4, 1
       auipc ra, 0x200
       jalr ra, -4(ra)
       andi t0, s4, 63
       bnez t0, again
       xor s9, s9, s10
       sd s9, 0(s1)
       sfence.vma x0, x0
       j again`,
      CALLER,
    );
    core.csr[Slot.satp] = (8n << 60n) | (ROOT >> 12n);
    core.csr[Slot.pmpcfg0] = 0x1fn;
    core.csr[PMPADDR_SLOT] = (1n << 54n) - 1n;
    core.updateProtection();
    core.x[9] = LEAVES[1];
    core.x[25] = pte(FIRST, LEAF);
    core.x[26] = pte(FIRST, LEAF) ^ (second === undefined ? 0n : pte(SECOND, LEAF));
    core.csr[Slot.mtvec] = TRAP_HANDLER;
    core.changeMode(Mode.Supervisor);
    core.moveTo(VIRTUAL);
    return Array.from({ length: 40 }, (_, point) => {
      core.run(core.cycles + 1 + 37 * point);
      return `${core.x[8]} ${core.x[20]} ${core.x[19]} ${Buffer.from(core.saveBlock()).toString('base64')}`;
    });
  }

  it.each([
    { second: 'addi s0, s0, 100\n ret', sum: 50 },
    { second: 'addi s0, s0, 1\n ret', sum: 1 },
    { second: 'addi s0, s0, 1\n addi s0, s0, 5\n ret', sum: 3 },
    { second: undefined, sum: 1 },
  ])('is left alone where the page has become another one: $second', ({ second, sum }) => {
    const expected = run(false, second);
    expect(run(true, second)).toEqual(expected);
    const rounds = Number(expected.at(-1)!.split(' ')[1]);
    expect(rounds).toBeGreaterThan(2000);
    expect(Number(expected.at(-1)!.split(' ')[0])).toBeGreaterThan(0.9 * sum * rounds);
  });

  const LOOP = 'again: addi s4, s4, 1\n jal ra, .+4092\n j again';
  const PAGE = 4096;

  function regionOf(
    source: string,
    callees: Readonly<Record<number, string>>,
    probes: readonly SetProbe[] = [],
  ): Region {
    const pageOf = (text: string): DataView => {
      const page = new Uint8Array(PAGE);
      page.set(assemble(text).bytes);
      return new DataView(page.buffer);
    };
    const known = { probeAt: () => undefined, isHot: () => false };
    const calleeAt = (distance: number): Callee | undefined =>
      callees[distance] === undefined
        ? undefined
        : { index: 7, ...findRegion(pageOf(callees[distance]), distance & 0xfff, { ...known, probeAt })! };
    const probeAt = (slot: number): SetProbe | undefined => probes[slot];
    return findRegion(pageOf(source), 0, { ...known, calleeAt })!;
  }
  const FUNCTION = 'addi s0, s0, 1\n ret';
  const guards = ({ blocks }: Region): number => blocks.filter(({ guard }) => guard !== undefined).length;

  it('is made for each call of a short one', () => {
    const two = LOOP.replace('j again', 'jal ra, .+4088\n j again');
    expect(guards(regionOf(LOOP, { 4096: FUNCTION }))).toBe(1);
    expect(guards(regionOf(two, { 4096: FUNCTION }))).toBe(2);
  });

  it('has its own instructions in no list of the page', () => {
    const { decoded, ranges } = regionOf(LOOP, { 4096: FUNCTION });
    expect([...decoded.keys()].every((offset) => offset < PAGE)).toBe(true);
    expect(ranges).toEqual([{ start: 0, end: 12 }]);
  });

  it('is not made of a long one, nor of one that nothing is known of', () => {
    expect(guards(regionOf(LOOP, { 4096: `${'addi s0, s0, 1\n'.repeat(16)} ret` }))).toBe(0);
    expect(guards(regionOf(LOOP, {}))).toBe(0);
  });

  it('is not made of one with a probe, even if that can be translated', () => {
    const probe = { probe: () => undefined, emit: () => {} };
    expect(guards(regionOf(LOOP, { 4096: FUNCTION }, [probe]))).toBe(0);
  });
});
