/**
 * An instruction is one row: its assembly, its encoding as the specification's tables draw it, and what it
 * does. Decoder, encoder, assembler and disassembler are derived from the rows; rows are read once, never
 * scanned while a guest runs.
 *
 * An encoding is a line of fields from the highest bit down. A field is a string of 0 and 1, a register or
 * other operand (`rd`, `rs1'`, `csr`), or an immediate with the bits it carries (`imm[12|10:5]`). Immediates
 * named `imm` and `nzimm` are signed, `uimm` and `nzuimm` are not.
 */
import type { Emit } from './emitter.js';
import type { Hart } from './hart.js';

/** Executes one instruction word on a hart. The word has the layout of its 32-bit format. */
export type Run = (h: Hart, i: number) => void;

/** Operand values by name; registers as numbers 0 to 31, immediates as signed or unsigned integers. */
export type Operands = Readonly<Record<string, number>>;

/** A piece of a field: so many operand bits from `from` up, found at bit `at` of the instruction; `mask` has as many ones. */
interface Piece {
  readonly at: number;
  readonly mask: number;
  readonly from: number;
}

export interface Row {
  /** Mnemonic, such as `addi`. */
  readonly name: string;
  /** Operands in assembly order as written in the specification, such as `rd, imm(rs1)`. */
  readonly syntax: string;
  /** Instruction length in bytes. */
  readonly bytes: 2 | 4;
  /** Bits that are fixed, and what they are. */
  readonly mask: number;
  readonly match: number;
  /** Where each operand's bits are. */
  readonly fields: ReadonlyMap<string, readonly Piece[]>;
  readonly run: Run;
  /** The same for the translator; where it is left out, translated code has `run` do it. */
  readonly emit?: Emit;
  /** A compressed instruction is another way to write this 32-bit one. */
  readonly expand?: (operands: Operands) => number;
  /** Operand values for which the encoding is this instruction; where it is false the encoding is reserved. */
  readonly where?: (operands: Operands) => boolean;
}

/** Widths of operands that are written without bit numbers. */
const WIDTHS: Readonly<Record<string, number>> = {
  rd: 5,
  rs1: 5,
  rs2: 5,
  "rd'": 3,
  "rs1'": 3,
  "rs2'": 3,
  aq: 1,
  rl: 1,
  csr: 12,
  uimm: 5,
  shamt: 6,
  shamtw: 5,
  fm: 4,
  pred: 4,
  succ: 4,
};

/** Builds a row of 32 bits: `row('add rd, rs1, rs2', '0000000 rs2 rs1 000 rd 0110011', run, emit)`. */
export function row(assembly: string, encoding: string, run: Run, emit?: Emit): Row {
  return { ...parse(assembly, encoding, 4), run, emit };
}

/** Builds a compressed row, which is executed as the 32-bit instruction that `expand` returns. */
export function compressed(
  assembly: string,
  encoding: string,
  expand: (operands: Operands) => number,
  where?: (operands: Operands) => boolean,
): Row {
  const run: Run = () => {
    throw new Error(`${assembly} is executed as its expansion`);
  };
  return { ...parse(assembly, encoding, 2), run, expand, where };
}

function parse(assembly: string, encoding: string, bytes: 2 | 4) {
  const [, name, syntax] = /^(\S+)\s*(.*)$/.exec(assembly)!;
  const fields = new Map<string, Piece[]>();
  let mask = 0;
  let match = 0;
  let at = bytes * 8;
  for (const token of encoding.split(/\s+/)) {
    if (/^[01]+$/.test(token)) {
      at -= token.length;
      mask |= (2 ** token.length - 1) << at;
      match |= parseInt(token, 2) << at;
      continue;
    }
    const [, field, bits] = /^([a-z0-9']+)(?:\[(.*)\])?$/.exec(token)!;
    const ranges = (bits ?? `${WIDTHS[field] - 1}:0`).split('|');
    for (const range of ranges) {
      const [high, low = high] = range.split(':').map(Number);
      at -= high - low + 1;
      const pieces = fields.get(field) ?? [];
      pieces.push({ at, mask: 2 ** (high - low + 1) - 1, from: low });
      fields.set(field, pieces);
    }
  }
  if (at !== 0) throw new Error(`${assembly}: its encoding has ${bytes * 8 - at} bits`);
  return { name, syntax, bytes, mask, match, fields };
}

const isSigned = (field: string): boolean => field === 'imm' || field === 'nzimm';
const isShortRegister = (field: string): boolean => field.endsWith("'");

/** The operands of an instruction word, by name. */
export function operandsOf(row: Row, word: number): Operands {
  const operands: Record<string, number> = {};
  for (const [field, pieces] of row.fields) operands[field] = operandOf(field, pieces, word);
  return operands;
}

function operandOf(field: string, pieces: readonly Piece[], word: number): number {
  let value = 0;
  let bits = 0;
  for (const { at, mask, from } of pieces) {
    value |= ((word >>> at) & mask) << from;
    bits |= mask << from;
  }
  const unused = Math.clz32(bits);
  if (isSigned(field)) return (value << unused) >> unused;
  return isShortRegister(field) ? value + 8 : value;
}

/**
 * The instruction word for a row and its operands; operands left out are 0.
 * Throws RangeError for a value that the encoding cannot hold.
 */
export function encode(row: Row, operands: Operands): number {
  let word = row.match;
  for (const [field, pieces] of row.fields) {
    const given = operands[field] ?? (isShortRegister(field) ? 8 : 0);
    const value = isShortRegister(field) ? given - 8 : given;
    for (const { at, mask, from } of pieces) word |= ((value >> from) & mask) << at;
    if (operandOf(field, pieces, word) !== given) {
      throw new RangeError(`${row.name}: ${field} cannot be ${given}`);
    }
  }
  return word >>> 0;
}
