import { describe, expect, test } from 'vitest';
import { causeName, Cause, Interrupt, INTERRUPT_PRIORITY, Mode } from '../../src/rv64/trap.js';
import { board, boot, CODE, CYCLES_PER_TICK, TRAP_HANDLER } from '../support/hart.js';

const SUPERVISOR_HANDLER = TRAP_HANDLER + 0x1000n;
const SIE = 1n << 1n;
const MIE = 1n << 3n;
const SPIE = 1n << 5n;
const MPIE = 1n << 7n;
const SPP = 1n << 8n;
const MPP = 3n << 11n;
const MPRV = 1n << 17n;
const INTERRUPT = 1n << 63n;
const STCE = 1n << 63n;

const bit = (interrupt: number): bigint => 1n << BigInt(interrupt);
const inMode = (mode: number): bigint => BigInt(mode) << 11n;

/** A hart in nops, in a mode, with handlers for machine and supervisor mode that stay where they are. */
function bootInNops(mode: number) {
  const { cores, harts } = board(1);
  const [h] = harts;
  h.load('j .', TRAP_HANDLER);
  h.load('j .', SUPERVISOR_HANDLER);
  h.load('nop\n'.repeat(1000));
  h.mode = mode;
  h.csr.stvec = SUPERVISOR_HANDLER;
  return { h, core: cores[0] };
}

describe('an exception', () => {
  test.each([
    ['user', Mode.User, Cause.UserEcall],
    ['supervisor', Mode.Supervisor, Cause.SupervisorEcall],
  ])('of %s mode goes to supervisor mode when delegated, to machine mode when not', (_, mode, cause) => {
    for (const isDelegated of [true, false]) {
      const h = boot({ mode });
      Object.assign(h.csr, { stvec: SUPERVISOR_HANDLER, medeleg: isDelegated ? bit(cause) : ~bit(cause) });
      h.load('ecall');
      h.step();
      expect(h.mode).toBe(isDelegated ? Mode.Supervisor : Mode.Machine);
      expect(h.pc).toBe(isDelegated ? SUPERVISOR_HANDLER : TRAP_HANDLER);
      expect(isDelegated ? h.csr.scause : h.csr.mcause).toBe(BigInt(cause));
      expect(isDelegated ? h.csr.sepc : h.csr.mepc).toBe(CODE);
      expect(isDelegated ? h.csr.mcause : h.csr.scause, 'the other mode sees nothing').toBe(0n);
    }
  });

  test('of machine mode is never delegated', () => {
    const h = boot();
    Object.assign(h.csr, { stvec: SUPERVISOR_HANDLER, medeleg: -1n });
    h.expectTrap('ebreak', { cause: Cause.Breakpoint });
    expect(h.mode).toBe(Mode.Machine);
  });

  test('goes to the base of a vectored handler, whatever its cause', () => {
    const h = boot();
    h.csr.mtvec = TRAP_HANDLER | 1n;
    h.expectTrap('ecall', { cause: Cause.MachineEcall });
  });

  test.each([Mode.User, Mode.Supervisor, Mode.Machine])(
    'of mode %i is remembered in MPP and MPIE, and mret goes back',
    (mode) => {
      for (const enabled of [0n, MIE]) {
        const h = boot({ mode });
        h.csr.mstatus = enabled;
        h.load('ecall');
        h.step();
        expect(h.mode).toBe(Mode.Machine);
        expect(h.csr.mstatus & (MPP | MPIE | MIE)).toBe(inMode(mode) | (enabled ? MPIE : 0n));
        h.load('mret', TRAP_HANDLER);
        h.step();
        expect([h.mode, h.pc]).toEqual([mode, CODE]);
        expect(h.csr.mstatus & (MPP | MPIE | MIE), 'MPP is the lowest mode, MPIE 1').toBe(MPIE | enabled);
      }
    },
  );

  test.each([Mode.User, Mode.Supervisor])(
    'of mode %i is remembered in SPP and SPIE, and sret goes back',
    (mode) => {
      for (const enabled of [0n, SIE]) {
        const h = boot({ mode });
        Object.assign(h.csr, { stvec: SUPERVISOR_HANDLER, medeleg: -1n, mstatus: enabled | MIE });
        h.load('ebreak');
        h.step();
        expect(h.mode).toBe(Mode.Supervisor);
        const expected = (mode === Mode.Supervisor ? SPP : 0n) | (enabled ? SPIE : 0n);
        expect(h.csr.mstatus & (SPP | SPIE | SIE | MIE)).toBe(expected | MIE);
        h.load('sret', SUPERVISOR_HANDLER);
        h.step();
        expect([h.mode, h.pc]).toEqual([mode, CODE]);
        expect(h.csr.mstatus & (SPP | SPIE | SIE)).toBe(SPIE | enabled);
      }
    },
  );

  test('in a handler nests: what was remembered is overwritten', () => {
    const h = boot({ mode: Mode.User });
    h.csr.mstatus = MIE;
    h.load('ecall', TRAP_HANDLER);
    h.load('ecall');
    h.step(2);
    expect(h.csr).toMatchObject({ mepc: TRAP_HANDLER, mcause: BigInt(Cause.MachineEcall) });
    expect(h.csr.mstatus & (MPP | MPIE | MIE)).toBe(MPP);
  });

  test.each([
    ['mret', Mode.Machine, true],
    ['mret', Mode.Supervisor, false],
    ['mret', Mode.User, false],
    ['sret', Mode.Supervisor, false],
    ['sret', Mode.User, false],
  ])('%s to mode %i keeps MPRV: %s', (line, mode, isKept) => {
    const h = boot();
    h.csr.mstatus = MPRV | (line === 'mret' ? inMode(mode) : mode === Mode.Supervisor ? SPP : 0n);
    h.load(line);
    h.step();
    expect(h.mode).toBe(mode);
    expect((h.csr.mstatus & MPRV) !== 0n).toBe(isKept);
  });

  test('every cause has a name', () => {
    for (const cause of Object.values(Cause)) expect(causeName(BigInt(cause))).not.toContain('unknown');
    for (const interrupt of Object.values(Interrupt)) {
      expect(causeName(INTERRUPT | BigInt(interrupt))).toContain('interrupt');
    }
    expect(causeName(24n)).toBe('unknown cause 24');
  });

  test('in its own handler, for ever, stops the hart and says where', () => {
    const { cores, harts } = board(1);
    const [h] = harts;
    h.csr.mtvec = 0x40n;
    h.load('ecall');
    h.step(200_000);
    expect(cores[0].stuck).toMatchObject({ cause: 1n, value: 0x40n, pc: 0x40n, handler: 0x40n });
    expect(cores[0].cycles).toBeLessThan(200_000);
  });
});

describe('an interrupt', () => {
  /** Interrupts that machine mode can raise by writing mip. */
  const written = [Interrupt.SupervisorSoftware, Interrupt.SupervisorTimer, Interrupt.SupervisorExternal];

  test.each([
    { mode: Mode.User, mstatus: 0n, delegated: false, taken: true },
    { mode: Mode.Supervisor, mstatus: 0n, delegated: false, taken: true },
    { mode: Mode.Machine, mstatus: 0n, delegated: false, taken: false },
    { mode: Mode.Machine, mstatus: SIE, delegated: false, taken: false },
    { mode: Mode.Machine, mstatus: MIE, delegated: false, taken: true },
    { mode: Mode.User, mstatus: 0n, delegated: true, taken: true },
    { mode: Mode.Supervisor, mstatus: 0n, delegated: true, taken: false },
    { mode: Mode.Supervisor, mstatus: MIE, delegated: true, taken: false },
    { mode: Mode.Supervisor, mstatus: SIE, delegated: true, taken: true },
    { mode: Mode.Machine, mstatus: MIE | SIE, delegated: true, taken: false },
  ])(
    'in mode $mode with mstatus $mstatus, delegated: $delegated, is taken: $taken',
    ({ mode, mstatus, delegated, taken }) => {
      for (const interrupt of written) {
        const { h } = bootInNops(mode);
        const mideleg = delegated ? bit(interrupt) : 0n;
        Object.assign(h.csr, { mideleg, mstatus, mie: bit(interrupt), mip: bit(interrupt) });
        h.step();
        const handler = delegated ? SUPERVISOR_HANDLER : TRAP_HANDLER;
        expect(h.pc).toBe(taken ? handler : CODE + 4n);
        if (!taken) continue;
        expect(delegated ? h.csr.scause : h.csr.mcause).toBe(INTERRUPT | BigInt(interrupt));
        expect(delegated ? h.csr.sepc : h.csr.mepc).toBe(CODE);
      }
    },
  );

  test('that is not enabled in mie is not taken', () => {
    const { h } = bootInNops(Mode.User);
    h.csr.mip = 0x222n;
    h.step(10);
    expect(h.pc).toBe(CODE + 40n);
  });

  test('goes to its own entry of a vectored handler', () => {
    for (const interrupt of written) {
      const { h } = bootInNops(Mode.User);
      h.load('nop\n'.repeat(16), TRAP_HANDLER);
      h.pc = CODE;
      Object.assign(h.csr, { mtvec: TRAP_HANDLER | 1n, mie: bit(interrupt), mip: bit(interrupt) });
      h.step();
      expect(h.pc).toBe(TRAP_HANDLER + 4n * BigInt(interrupt) + 4n);
      expect(h.csr).toMatchObject({ mepc: CODE, mcause: INTERRUPT | BigInt(interrupt), mtval: 0n });
    }
  });

  test('of those pending, the one of the highest priority is taken first', () => {
    const { h, core } = bootInNops(Mode.User);
    h.load('nop\n mret', TRAP_HANDLER);
    h.pc = CODE;
    for (const interrupt of [
      Interrupt.MachineExternal,
      Interrupt.MachineSoftware,
      Interrupt.SupervisorExternal,
    ]) {
      core.setLine(interrupt, true);
    }
    core.setTimerCompare(0n);
    Object.assign(h.csr, {
      mie: -1n,
      mip: bit(Interrupt.SupervisorSoftware) | bit(Interrupt.SupervisorTimer),
    });
    const order: number[] = [];
    for (const _ of INTERRUPT_PRIORITY) {
      h.step();
      const interrupt = Number(h.csr.mcause & 0xffn);
      order.push(interrupt);
      h.csr.mie &= ~bit(interrupt);
      h.step();
    }
    expect(order).toEqual([11, 3, 7, 9, 1, 5]);
  });

  test('for machine mode comes before one that is delegated, whatever their numbers', () => {
    const { h } = bootInNops(Mode.User);
    Object.assign(h.csr, { mideleg: bit(9), mie: -1n, mip: bit(9) | bit(5) });
    h.step();
    expect([h.mode, h.csr.mcause]).toEqual([Mode.Machine, INTERRUPT | 5n]);
  });

  test('is taken as soon as an instruction enables it', () => {
    for (const line of ['csrsi mstatus, 8', 'csrw mie, a0', 'csrw mip, a0', 'mret']) {
      const { h } = bootInNops(Mode.Machine);
      Object.assign(h.csr, { mie: 2n, mip: 2n, mstatus: MIE, mepc: CODE + 4n });
      if (line.includes('mstatus')) h.csr.mstatus = 0n;
      else if (line === 'mret') h.csr.mstatus = MPP | MPIE;
      else h.csr[line.slice(5, 8)] = 0n;
      h.x.a0 = 2n;
      h.load(`${line}\n nop\n nop`);
      h.step(3);
      expect([h.pc, h.csr.mepc], line).toEqual([TRAP_HANDLER, CODE + 4n]);
    }
  });

  test('from a wire can be neither set nor cleared by writing mip', () => {
    const { h, core } = bootInNops(Mode.Machine);
    core.setLine(Interrupt.MachineExternal, true);
    h.csr.mip = 0n;
    expect(h.csr.mip).toBe(bit(Interrupt.MachineExternal));
    core.setLine(Interrupt.MachineExternal, false);
    h.csr.mip = -1n;
    expect(h.csr.mip).toBe(0x222n);
  });

  test('SEIP is the wire or what software wrote, and csrrs does not make the one into the other', () => {
    const { h, core } = bootInNops(Mode.Machine);
    core.setLine(Interrupt.SupervisorExternal, true);
    h.x.a0 = 2n;
    h.run('csrrs a1, mip, a0');
    expect(h.x.a1).toBe(bit(Interrupt.SupervisorExternal));
    core.setLine(Interrupt.SupervisorExternal, false);
    expect(h.csr.mip).toBe(2n);
    h.csr.mip = bit(Interrupt.SupervisorExternal);
    core.setLine(Interrupt.SupervisorExternal, true);
    core.setLine(Interrupt.SupervisorExternal, false);
    expect(h.csr.mip).toBe(bit(Interrupt.SupervisorExternal));
  });
});

describe('a timer', () => {
  test.each([1n, 2n, 7n, 50n])('interrupts before the first instruction at its tick: %i', (ticks) => {
    const { h, core } = bootInNops(Mode.Machine);
    Object.assign(h.csr, { mie: bit(Interrupt.MachineTimer), mstatus: MIE });
    core.setTimerCompare(ticks);
    h.step(600);
    expect(h.csr).toMatchObject({
      mcause: INTERRUPT | 7n,
      mepc: CODE + 4n * ticks * BigInt(CYCLES_PER_TICK),
    });
  });

  test('interrupts at the same instruction however the time is cut into slices', () => {
    const epcs = [1, 3, 7, 64, 1000].map((slice) => {
      const { h, core } = bootInNops(Mode.Machine);
      Object.assign(h.csr, { mie: bit(Interrupt.MachineTimer), mstatus: MIE });
      core.setTimerCompare(20n);
      while (core.cycles < 500) h.step(slice);
      return h.csr.mepc;
    });
    expect(new Set(epcs)).toEqual(new Set([CODE + 4n * 200n]));
  });

  test('of the machine is pending from its tick on, and no longer once the compare value is put off', () => {
    const { h, core } = bootInNops(Mode.Machine);
    core.setTimerCompare(2n);
    h.step(2 * CYCLES_PER_TICK - 1);
    expect(h.csr.mip).toBe(0n);
    h.step();
    expect(h.csr.mip).toBe(bit(Interrupt.MachineTimer));
    core.setTimerCompare(100n);
    expect(h.csr.mip).toBe(0n);
  });

  test('of the supervisor compares stimecmp with time, if menvcfg.STCE is set', () => {
    const { h } = bootInNops(Mode.Machine);
    h.csr.stimecmp = 2n;
    h.step(5 * CYCLES_PER_TICK);
    expect(h.csr.mip).toBe(0n);
    h.csr.menvcfg = STCE;
    expect(h.csr.mip).toBe(bit(Interrupt.SupervisorTimer));
    h.csr.stimecmp = 6n;
    expect(h.csr.mip).toBe(0n);
    h.step(CYCLES_PER_TICK);
    expect(h.csr.mip).toBe(bit(Interrupt.SupervisorTimer));
    h.csr.menvcfg = 0n;
    expect(h.csr.mip).toBe(0n);
  });

  test('makes STIP read-only while menvcfg.STCE is set, even where software set it before', () => {
    const { h } = bootInNops(Mode.Machine);
    h.csr.mip = bit(Interrupt.SupervisorTimer);
    h.csr.menvcfg = STCE;
    expect(h.csr.mip).toBe(0n);
    h.csr.mip = -1n;
    expect(h.csr.mip).toBe(0x202n);
  });
});

describe('wfi', () => {
  test('waits until an interrupt is pending that is enabled in mie, then goes on', () => {
    const { h, core } = bootInNops(Mode.Machine);
    h.load('wfi\n li a0, 1\n j .');
    h.csr.mie = bit(Interrupt.MachineTimer);
    core.setTimerCompare(50n);
    h.step(50 * CYCLES_PER_TICK);
    expect([h.pc, h.x.a0, core.cycles]).toEqual([CODE + 4n, 0n, 500]);
    expect(h.csr.minstret, 'waiting retires nothing').toBe(1n);
    h.step();
    expect([h.pc, h.x.a0]).toEqual([CODE + 8n, 1n]);
  });

  test('is woken by an interrupt that mstatus keeps from being taken', () => {
    const { h, core } = bootInNops(Mode.Supervisor);
    h.load('wfi\n nop');
    Object.assign(h.csr, { mie: bit(9), mideleg: bit(9) });
    h.step(10);
    expect([h.pc, core.isIdle]).toEqual([CODE + 4n, true]);
    core.setLine(Interrupt.SupervisorExternal, true);
    expect(core.isIdle).toBe(false);
    h.step();
    expect(h.pc).toBe(CODE + 8n);
  });

  test('is not woken by an interrupt that mie does not enable', () => {
    const { h, core } = bootInNops(Mode.Machine);
    h.load('wfi\n nop');
    core.setLine(Interrupt.MachineExternal, true);
    h.step(10);
    expect(core.isIdle).toBe(true);
  });

  test('does not wait where the interrupt is pending already', () => {
    const { h } = bootInNops(Mode.Machine);
    h.load('wfi\n nop');
    Object.assign(h.csr, { mie: 2n, mip: 2n });
    h.step(2);
    expect(h.pc).toBe(CODE + 8n);
  });

  test('that is interrupted returns to the instruction after it', () => {
    const { h, core } = bootInNops(Mode.Machine);
    h.load('wfi\n nop');
    Object.assign(h.csr, { mie: bit(Interrupt.MachineSoftware), mstatus: MIE });
    h.step(10);
    core.setLine(Interrupt.MachineSoftware, true);
    h.step();
    expect([h.pc, h.csr.mepc]).toEqual([TRAP_HANDLER, CODE + 4n]);
  });
});
