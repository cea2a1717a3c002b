/** Every row alone: what its `emit` makes does what its `run` does, on random operands and on edges. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Slot } from '../../../src/rv64/csr/bits.js';
import { csrByName } from '../../../src/rv64/csr/index.js';
import { decode } from '../../../src/rv64/decode.js';
import { rows } from '../../../src/rv64/isa/index.js';
import type { Row } from '../../../src/rv64/row.js';
import { Offset } from '../../../src/rv64/state.js';
import { EDGES } from '../../support/edges.js';
import { RAM_BASE } from '../../support/assembler.js';
import { CODE, DATA, DEVICE } from '../../support/hart.js';
import { DATA_BYTES, ENDLESS_LOOP, MODES, Twins } from '../../support/twins.js';

const RUNS = 40;

const number = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const value = fc.oneof(fc.constantFrom(...EDGES), number);
/** In the middle of data, aligned in most cases; over the end of its first page; a device. */
const pointer = fc.oneof(
  { weight: 4, arbitrary: fc.nat(60).map((n) => DATA + 0x1800n + 8n * BigInt(n)) },
  { weight: 3, arbitrary: fc.nat(500).map((n) => DATA + 0x1800n + BigInt(n)) },
  { weight: 2, arbitrary: fc.nat(16).map((n) => DATA + 0xff8n + BigInt(n)) },
  { weight: 1, arbitrary: fc.nat(16).map((n) => DEVICE + 0x800n + BigInt(n)) },
);

const isAccess = (row: Row): boolean => /\(|^c\.[ls][wd]|sp\)/.test(row.syntax) && !/jalr/.test(row.name);
const lengths = (row: Row): number => 8 * row.bytes;

/** A word of the row with everything else in it at random; what is reserved is left out. */
const wordOf = (row: Row): fc.Arbitrary<number> =>
  fc
    .oneof({ weight: 3, arbitrary: fc.nat(2 ** lengths(row) - 1) }, { weight: 1, arbitrary: fc.constant(0) })
    .map((bits) => (row.match | (bits & ~row.mask)) & (row.bytes === 2 ? 0xffff : -1))
    .filter((word) => decode(word) === row);

const caseOf = (row: Row) =>
  fc.record({
    word: wordOf(row),
    registers: fc.array(
      isAccess(row) ? fc.oneof({ weight: 4, arbitrary: pointer }, { weight: 1, arbitrary: value }) : value,
      {
        minLength: 32,
        maxLength: 32,
      },
    ),
    data: fc.array(value, { minLength: 8, maxLength: 8 }),
    mode: fc.constantFrom(...MODES),
    status: fc.oneof(fc.constant(0n), number),
    isReserved: fc.boolean(),
  });

const twins = new Twins();

function codeOf(row: Row, word: number): Uint8Array {
  const code = new DataView(new ArrayBuffer(row.bytes + 4));
  if (row.bytes === 2) code.setUint16(0, word, true);
  else code.setInt32(0, word, true);
  code.setInt32(row.bytes, ENDLESS_LOOP, true);
  return new Uint8Array(code.buffer);
}

it.each(rows.map((row) => ({ name: row.name, row })))(
  '$name does translated what it does interpreted',
  ({ row }) => {
    let translated = 0;
    fc.assert(
      fc.property(caseOf(row), ({ word, registers, data, mode, status, isReserved }) => {
        translated += twins.compare(codeOf(row, word), (core, state) => {
          registers.forEach((content, i) => (core.x[i] = content));
          const dataAt = state.ram.byteOffset + Number(DATA - RAM_BASE);
          for (let i = 0; i < DATA_BYTES; i += 8) state.view.setBigInt64(dataAt + i, data[(i / 8) % 8], true);
          csrByName.get('mstatus')!.write!(core, status);
          core.csr[Slot.mepc] = core.csr[Slot.sepc] = CODE + BigInt(row.bytes);
          if (isReserved)
            core.words[Offset.reservation >>> 2] = dataAt + Number(BigInt.asUintN(32, registers[8] - DATA));
          core.changeMode(mode);
        });
      }),
      { numRuns: RUNS },
    );
    expect(translated).toBeGreaterThan(0);
    twins.compareMemory();
  },
);
