/** Every CSR in every mode: an access in translated code does what the interpreter's does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csrByName, csrByNumber } from '../../../src/rv64/csr/index.js';
import { rows } from '../../../src/rv64/isa/index.js';
import { encode } from '../../../src/rv64/row.js';
import { ENDLESS_LOOP, MODES, Twins } from '../../support/twins.js';

const RUNS = 10;
const OPERAND = 11;
const number = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const value = fc.oneof(fc.constantFrom(0n, -1n, 1n, 2n, 0x2an, 0x222n, 0x1800n, 1n << 63n), number);
const accesses = rows.filter(({ name }) => /^csr/.test(name));
/** Their bits decide about who may access what, and which interrupt is taken. */
const SETTINGS = ['mstatus', 'medeleg', 'mideleg', 'mie', 'mip', 'mcounteren', 'menvcfg', 'scounteren'];

const access = fc.record({
  row: fc.constantFrom(...accesses),
  rd: fc.constantFrom(0, 10, OPERAND),
  operand: fc.constantFrom(0, 1, 2, OPERAND, 31),
  value,
  settings: fc.array(value, { minLength: SETTINGS.length, maxLength: SETTINGS.length }),
  held: value,
});

const twins = new Twins();

describe.each([...csrByNumber.values()].map((csr) => ({ name: csr.name, csr })))('$name', ({ csr }) => {
  it.each(MODES)('is in translated code what it is to the interpreter, in mode %d', (mode) => {
    let translated = 0;
    fc.assert(
      fc.property(access, ({ row, rd, operand, value, settings, held }) => {
        const source = row.fields.has('uimm') ? 'uimm' : 'rs1';
        const word = encode(row, { csr: csr.number, rd, [source]: operand });
        const code = new Int32Array([word, ENDLESS_LOOP]);
        translated += twins.compare(new Uint8Array(code.buffer), (core) => {
          SETTINGS.forEach((name, i) => csrByName.get(name)!.write!(core, settings[i]));
          // What would make the code itself unreachable is only written by the instruction.
          if (!/^(satp|pmp|mstatus|[ms]tvec)/.test(csr.name)) csr.write?.(core, held);
          core.x[OPERAND] = core.x[31] = value;
          core.x[10] = 10n;
          core.changeMode(mode);
        });
      }),
      { numRuns: RUNS },
    );
    expect(translated).toBeGreaterThan(0);
  });
});

it('an instruction that has its hart look around keeps its result', () => {
  const mie = csrByName.get('mie')!.number;
  const csrrw = accesses.find(({ name }) => name === 'csrrw')!;
  const code = new Int32Array([encode(csrrw, { csr: mie, rd: 10, rs1: OPERAND }), ENDLESS_LOOP]);
  const translated = twins.compare(new Uint8Array(code.buffer), (core) => {
    csrByName.get('mie')!.write!(core, 0x222n);
    core.x[10] = 10n;
  });
  expect(translated).toBeGreaterThan(0);
});
