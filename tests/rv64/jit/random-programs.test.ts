/**
 * Programs of random instructions, run by the interpreter and by translated code: after any number of cycles the two
 * must be the same machine, to the bit. The programs trap, branch, call a function in the next page, store into themselves
 * and are interrupted.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Jit } from '../../../src/rv64/jit/jit.js';
import { rows } from '../../../src/rv64/isa/index.js';
import { encode, type Operands, type Row } from '../../../src/rv64/row.js';
import { EDGES } from '../../support/edges.js';
import { assemble, RAM_BASE } from '../../support/assembler.js';
import { board, CODE, DATA, TRAP_HANDLER } from '../../support/hart.js';

/** Goes on behind the instruction that trapped; every instruction of the programs takes four bytes. */
const HANDLER = `
  csrrw t6, mscratch, t6
  csrr t6, mepc
  addi t6, t6, 4
  csrw mepc, t6
  csrrw t6, mscratch, t6
  mret
`;

/** Registers with a purpose: where data is, where the program is, an instruction to put there, the loop's counter. */
const DATA_POINTER = 8;
const CODE_POINTER = 9;
const INSTRUCTION = 18;
const COUNTER = 27;
const TEMPORARY = 31;
const reserved = [DATA_POINTER, CODE_POINTER, INSTRUCTION, COUNTER, TEMPORARY];

const BODY_LENGTH = 40;
const FUNCTION_LENGTH = 8;
/** Where in the body the function is called, and where it lies from its beginning. */
const CALLS = [7, 8, 30];
const FUNCTION_OFFSET = 4096;

const rowByName = new Map(rows.map((row) => [row.name, row]));
const named = (name: string): Row => rowByName.get(name)!;
const isLongRow = (row: Row): boolean => row.bytes === 4;
const startsWith = (row: Row, text: string): boolean => row.syntax.startsWith(text);
const isAtomic = (row: Row): boolean => /^(amo|lr|sc)/.test(row.name);
const isAccess = (row: Row): boolean => row.syntax.includes('imm(rs1)') && row.name !== 'jalr';
const plainRows = rows.filter(
  (row) =>
    isLongRow(row) &&
    startsWith(row, 'rd,') &&
    !isAtomic(row) &&
    !isAccess(row) &&
    !/^(jal|csr)/.test(row.name),
);
const accessRows = rows.filter((row) => isLongRow(row) && isAccess(row));
const atomicRows = rows.filter(isAtomic);
const branchRows = rows.filter((row) => isLongRow(row) && row.syntax === 'rs1, rs2, imm');

const value = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
const source = fc.nat(31);
const destination = source.filter((register) => !reserved.includes(register));

/** A word with the row's operands drawn at random, save those that are given. */
const wordOf = (row: Row, given: Record<string, fc.Arbitrary<number>> = {}): fc.Arbitrary<number> => {
  const operands: Record<string, fc.Arbitrary<number>> = {};
  for (const field of row.fields.keys()) {
    if (given[field]) operands[field] = given[field];
    else if (field === 'rd') operands[field] = destination;
    else if (field === 'rs1' || field === 'rs2') operands[field] = source;
    else if (field === 'shamt') operands[field] = fc.nat(63);
    else if (field === 'shamtw') operands[field] = fc.nat(31);
    else if (field === 'imm' && row.name !== 'lui' && row.name !== 'auipc')
      operands[field] = fc.integer({ min: -2048, max: 2047 });
    else if (field === 'imm')
      operands[field] = fc.integer({ min: -(2 ** 19), max: 2 ** 19 - 1 }).map((n) => n << 12);
  }
  return fc.record(operands).map((values) => encode(row, values as Operands));
};

const pointer = fc.constant(DATA_POINTER);
const instruction: fc.Arbitrary<number> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...plainRows).chain((row) => wordOf(row)) },
  { weight: 6, arbitrary: fc.constantFrom(...accessRows).chain((row) => wordOf(row, { rs1: pointer })) },
  // Mostly a fault, for the base is anything.
  { weight: 1, arbitrary: fc.constantFrom(...accessRows).chain((row) => wordOf(row)) },
  { weight: 2, arbitrary: fc.constantFrom(...atomicRows).chain((row) => wordOf(row, { rs1: pointer })) },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(...branchRows)
      .chain((row) => wordOf(row, { imm: fc.integer({ min: -3, max: 6 }).map((n) => 4 * n) })),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 6 }).map((n) => encode(named('jal'), { rd: 1, imm: 4 * n })),
  },
  {
    weight: 1,
    arbitrary: fc
      .nat(BODY_LENGTH - 1)
      .map((n) => encode(named('sw'), { rs1: CODE_POINTER, rs2: INSTRUCTION, imm: 4 * n })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(
        ...[
          'ecall',
          'ebreak',
          'csrr t4, minstret',
          'csrrw t4, mhpmcounter3, t5',
          'csrrs t4, mtval, t5',
          '.word 0',
        ],
      )
      .map((line) => new DataView(assemble(line).bytes.buffer).getUint32(0, true)),
  },
);

const program = fc.record({
  body: fc.array(instruction, { minLength: BODY_LENGTH, maxLength: BODY_LENGTH }),
  function: fc.array(instruction, { minLength: FUNCTION_LENGTH, maxLength: FUNCTION_LENGTH }),
  registers: fc.array(value, { minLength: 32, maxLength: 32 }),
  patch: fc.constantFrom(...plainRows).chain((row) => wordOf(row)),
  misalignment: fc.constantFrom(0n, 0n, 0n, 1n, 4n, 0xffcn),
  portions: fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 12, maxLength: 12 }),
});

type Case = typeof program extends fc.Arbitrary<infer T> ? T : never;

/** Everything that can be seen after each portion. */
function run(random: Case, translated: boolean): string[] {
  const { body, registers, patch, misalignment, portions } = random;
  const { state, frames, cores, harts } = board(1);
  const [core] = cores;
  if (translated) {
    const jit = new Jit(state, cores, { hotAfter: 1, plainFirst: 0 });
    core.translator = jit;
    frames.onCodeDropped = (page) => jit.forget(page);
  }
  harts[0].load(HANDLER, TRAP_HANDLER);
  const loop = [
    ...body.map((word, i) =>
      CALLS.includes(i) ? encode(named('jal'), { rd: 1, imm: FUNCTION_OFFSET - 4 * i }) : word,
    ),
    encode(named('addi'), { rd: COUNTER, rs1: COUNTER, imm: -1 }),
    encode(named('bne'), { rs1: COUNTER, rs2: 0, imm: -4 * (BODY_LENGTH + 1) }),
    encode(named('jal'), {}),
  ];
  // Its instructions may write ra.
  const called = [
    encode(named('addi'), { rd: TEMPORARY, rs1: 1, imm: 0 }),
    ...random.function,
    encode(named('jalr'), { rd: 0, rs1: TEMPORARY, imm: 0 }),
  ];
  const place = (words: readonly number[], at: bigint): void => {
    const start = state.ram.byteOffset + Number(at - RAM_BASE);
    words.forEach((word, i) => state.view.setUint32(start + 4 * i, word, true));
  };
  place(loop, CODE);
  place(called, CODE + BigInt(FUNCTION_OFFSET));
  registers.forEach((content, i) => (core.x[i] = i === 0 ? 0n : content));
  core.x[DATA_POINTER] = DATA + 0x800n + misalignment;
  core.x[CODE_POINTER] = CODE;
  core.x[INSTRUCTION] = BigInt(patch);
  core.x[COUNTER] = 40n;
  core.pc = BigInt.asIntN(64, CODE);
  return portions.map((cycles) => {
    core.run(core.cycles + cycles);
    return `${Buffer.from(core.saveBlock()).toString('base64')} ${Buffer.from(state.ram).compare(emptyRam)} ${sum(state.ram)}`;
  });
}

const emptyRam = Buffer.alloc(1 << 20);

function sum(ram: Uint8Array): number {
  const words = new Int32Array(ram.buffer, ram.byteOffset, ram.length / 4);
  return words.reduce((hash, word) => Math.imul(hash ^ word, 0x9e37_79b1) + (hash >>> 7), 0);
}

describe('translated code', () => {
  it('does what the interpreter does, on random programs', () => {
    fc.assert(
      fc.property(program, (random) => {
        expect(run(random, true)).toEqual(run(random, false));
      }),
      { numRuns: 60 },
    );
  });
});
