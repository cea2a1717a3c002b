import { describe, expect, test } from 'vitest';
import { csrs } from '../../src/rv64/csr/index.js';
import { Mode } from '../../src/rv64/trap.js';
import { boot, CODE } from '../support/hart.js';

const ALL_ONES = 2n ** 64n - 1n;
const MODES = [Mode.User, Mode.Supervisor, Mode.Machine];
const SPP = 1n << 8n;
const TVM = 1n << 20n;
const TW = 1n << 21n;
const TSR = 1n << 22n;
const STCE = 1n << 63n;

describe('every CSR', () => {
  test('has a name and a number of its own', () => {
    expect(new Set(csrs.map((csr) => csr.name)).size).toBe(csrs.length);
    expect(new Set(csrs.map((csr) => csr.number)).size).toBe(csrs.length);
  });

  test.each(csrs)(
    '$name can be accessed from the mode that bits 9:8 of its number say, and not below',
    (csr) => {
      const lowest = (csr.number >> 8) & 3;
      const h = boot();
      // Everything that a mode above may open to one below is opened.
      Object.assign(h.csr, { mcounteren: 7n, scounteren: 7n, menvcfg: STCE });
      const hasCondition = csr.name.startsWith('hpmcounter');
      for (const mode of MODES.filter((mode) => !hasCondition || mode === Mode.Machine)) {
        h.mode = mode;
        const line = `csrrs a0, ${csr.name}, zero`;
        if (mode >= lowest) h.run(line);
        else h.expectIllegal(line);
      }
    },
  );

  test.each(csrs.filter((csr) => csr.number >> 10 === 3))(
    '$name is read-only: whatever would write it is illegal',
    ({ name }) => {
      const h = boot();
      for (const line of [
        ...[`csrrw a0, ${name}, zero`, `csrrs a0, ${name}, a1`, `csrrc a0, ${name}, a1`],
        ...[`csrrwi a0, ${name}, 0`, `csrrsi a0, ${name}, 1`, `csrrci a0, ${name}, 1`],
      ]) {
        h.expectIllegal(line);
      }
      h.run(
        `csrrs a0, ${name}, zero\n csrrc a0, ${name}, zero\n csrrsi a0, ${name}, 0\n csrrci a0, ${name}, 0`,
      );
    },
  );

  test.each(csrs.filter((csr) => csr.number >> 10 !== 3))(
    '$name reads the same after its own value is written back',
    ({ name }) => {
      const h = boot();
      if (/^m(cycle|instret)$/.test(name)) return;
      h.csr[name] = 0x1234_5678_9abc_def0n;
      const before = h.csr[name];
      h.run(`csrr a0, ${name}\n csrw ${name}, a0`);
      expect(h.csr[name]).toBe(before);
    },
  );
});

describe('the CSR instructions', () => {
  test.each([
    ['csrrw a0, mscratch, a1', 0b0011n],
    ['csrrs a0, mscratch, a1', 0b0111n],
    ['csrrc a0, mscratch, a1', 0b0100n],
    ['csrrwi a0, mscratch, 3', 0b0011n],
    ['csrrsi a0, mscratch, 3', 0b0111n],
    ['csrrci a0, mscratch, 3', 0b0100n],
    ['csrrs a0, mscratch, zero', 0b0110n],
    ['csrrc a0, mscratch, zero', 0b0110n],
    ['csrrw a0, mscratch, zero', 0n],
  ])('%s reads the old value and leaves %i', (line, after) => {
    const h = boot();
    h.csr.mscratch = 0b0110n;
    h.x.a1 = 0b0011n;
    h.run(line);
    expect([h.x.a0, h.csr.mscratch]).toEqual([0b0110n, after]);
  });

  test('the destination may be the source: csrrw swaps', () => {
    const h = boot();
    h.csr.mscratch = 1n;
    h.x.a0 = 2n;
    h.run('csrrw a0, mscratch, a0');
    expect([h.x.a0, h.csr.mscratch]).toEqual([1n, 2n]);
  });
});

describe('fields that take only legal values:', () => {
  test.each<[name: string, written: bigint, read: bigint]>([
    ['mstatus', ALL_ONES, 0xa_007e_19aan],
    ['mstatus', 0n, 0xa_0000_0000n],
    ['sstatus', ALL_ONES, 0x2_000c_0122n],
    ['misa', 0n, 0x8000_0000_0014_1105n],
    ['mtvec', ALL_ONES, ALL_ONES - 2n],
    ['stvec', ALL_ONES, ALL_ONES - 2n],
    ['mepc', ALL_ONES, ALL_ONES - 1n],
    ['sepc', ALL_ONES, ALL_ONES - 1n],
    ['medeleg', ALL_ONES, 0xb3ffn],
    ['mideleg', ALL_ONES, 0x222n],
    ['mie', ALL_ONES, 0xaaan],
    ['mip', ALL_ONES, 0x222n],
    ['mcounteren', ALL_ONES, 7n],
    ['scounteren', ALL_ONES, 7n],
    ['menvcfg', ALL_ONES, STCE | 1n],
    ['senvcfg', ALL_ONES, 1n],
    ['mscratch', ALL_ONES, ALL_ONES],
    ['sscratch', ALL_ONES, ALL_ONES],
    ['mcountinhibit', ALL_ONES, 0n],
    ['tselect', ALL_ONES, 0n],
    ['pmpaddr0', ALL_ONES, 2n ** 54n - 1n],
    ['mhpmcounter3', ALL_ONES, 0n],
  ])('%s written with %x reads %x', (name, written, read) => {
    const h = boot();
    h.x.a0 = written;
    h.run(`csrw ${name}, a0`);
    expect(h.csr[name]).toBe(read);
  });

  test('mstatus.MPP keeps its mode when one that does not exist is written', () => {
    const h = boot();
    for (const mode of [0n, 1n, 3n]) {
      h.csr.mstatus = mode << 11n;
      h.csr.mstatus = 2n << 11n;
      expect((h.csr.mstatus >> 11n) & 3n).toBe(mode);
    }
  });

  test.each([1n, 7n, 9n, 10n, 15n])('satp is not changed at all by a write with mode %i', (mode) => {
    const h = boot();
    h.csr.satp = (8n << 60n) | 0x1234n;
    h.x.a0 = (mode << 60n) | 0x5678n;
    h.run('csrw satp, a0');
    expect(h.csr.satp).toBe((8n << 60n) | 0x1234n);
  });

  test('the identity registers say what this is', () => {
    const h = boot();
    expect(h.csr).toMatchObject({ mvendorid: 0n, marchid: 0n, mimpid: 0n, mhartid: 0n, mconfigptr: 0n });
  });
});

describe('views', () => {
  test('sstatus is the supervisor part of mstatus', () => {
    const h = boot();
    h.csr.mstatus = ALL_ONES;
    expect(h.csr.sstatus).toBe(0x2_000c_0122n);
    h.csr.sstatus = 0n;
    expect(h.csr.mstatus, 'machine bits are kept').toBe(0xa_0072_1888n);
    h.csr.sstatus = ALL_ONES;
    expect(h.csr.mstatus).toBe(0xa_007e_19aan);
  });

  test('sie shows and changes the delegated part of mie', () => {
    const h = boot();
    Object.assign(h.csr, { mideleg: 0x202n, mie: ALL_ONES });
    expect(h.csr.sie).toBe(0x202n);
    h.csr.sie = 0n;
    expect(h.csr.mie).toBe(0x8a8n);
    h.csr.sie = ALL_ONES;
    expect(h.csr.mie).toBe(0xaaan);
  });

  test('sip shows the delegated part of mip, and can change SSIP alone', () => {
    const h = boot();
    Object.assign(h.csr, { mideleg: 0x22n, mip: 0x222n });
    expect(h.csr.sip).toBe(0x22n);
    h.csr.sip = 0n;
    expect(h.csr.mip).toBe(0x220n);
    h.csr.sip = 2n;
    expect(h.csr.mip).toBe(0x222n);
    h.csr.mideleg = 0n;
    h.csr.sip = 0n;
    expect([h.csr.sip, h.csr.mip]).toEqual([0n, 0x222n]);
  });
});

describe('what machine mode can deny supervisor mode', () => {
  test.each([
    ['csrr a0, satp', TVM],
    ['csrw satp, a0', TVM],
    ['sfence.vma', TVM],
    ['sfence.vma a0, a1', TVM],
    ['wfi', TW],
    ['sret', TSR],
  ])('%s', (line, bit) => {
    const bootWith = (mode: number, mstatus: bigint) => {
      const h = boot({ mode });
      Object.assign(h.csr, { mstatus: mstatus | SPP, sepc: CODE + 4n });
      return h;
    };
    const runsWith = (mode: number, mstatus: bigint): boolean => {
      const h = bootWith(mode, mstatus);
      h.load(line);
      h.step();
      return h.pc === CODE + 4n;
    };
    bootWith(Mode.Supervisor, bit).expectIllegal(line);
    expect(runsWith(Mode.Supervisor, 0n), 'without the bit').toBe(true);
    expect(runsWith(Mode.Supervisor, (TVM | TW | TSR) & ~bit), 'with the other two').toBe(true);
    expect(runsWith(Mode.Machine, bit), 'in machine mode').toBe(true);
  });

  test.each(['sfence.vma', 'wfi', 'sret', 'mret'])('%s is illegal in user mode in any case', (line) => {
    boot({ mode: Mode.User }).expectIllegal(line);
  });

  test('mret is illegal in supervisor mode', () => {
    boot({ mode: Mode.Supervisor }).expectIllegal('mret');
  });

  test.each(['cycle', 'time', 'instret'])('%s, by mcounteren, and user mode by scounteren', (name) => {
    const bit = 1n << BigInt(['cycle', 'time', 'instret'].indexOf(name));
    const read = `csrr a0, ${name}`;
    for (const [mcounteren, scounteren] of [
      [bit, bit],
      [bit, 0n],
      [0n, bit],
      [7n & ~bit, 7n],
      [7n, 7n & ~bit],
    ]) {
      const h = boot();
      Object.assign(h.csr, { mcounteren, scounteren });
      const attempt = (mode: number, allowed: boolean): void => {
        h.mode = mode;
        if (allowed) h.run(read);
        else h.expectIllegal(read);
      };
      attempt(Mode.Machine, true);
      attempt(Mode.Supervisor, (mcounteren & bit) !== 0n);
      attempt(Mode.User, (mcounteren & scounteren & bit) !== 0n);
    }
  });

  test('stimecmp, unless both menvcfg.STCE and mcounteren.TM are set', () => {
    for (const [menvcfg, mcounteren] of [
      [0n, 7n],
      [STCE, 5n],
      [STCE, 2n],
    ]) {
      const h = boot({ mode: Mode.Supervisor });
      Object.assign(h.csr, { menvcfg, mcounteren });
      if (menvcfg === STCE && mcounteren === 2n) h.run('csrw stimecmp, a0');
      else h.expectIllegal('csrw stimecmp, a0');
    }
  });
});
