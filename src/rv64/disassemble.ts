/** Instruction words as text, from the same rows that decode and execute them. */
import { csrByNumber } from './csr/index.js';
import { decode, lengthFromBits } from './decode.js';
import { operandsOf, type Operands, type Row } from './row.js';

/** What the calling convention calls x0 to x31. */
export const REGISTER_NAMES = [
  ...['zero', 'ra', 'sp', 'gp', 'tp', 't0', 't1', 't2', 's0', 's1', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5'],
  ...['a6', 'a7', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9', 's10', 's11', 't3', 't4', 't5', 't6'],
] as const;

/** What a fence orders, from the highest bit of pred and succ down: device input, output, reads, writes. */
export const FENCE_LETTERS = 'iorw';

/** How an operand of a row is written. */
export type OperandKind = 'register' | 'csr' | 'fence' | 'distance' | 'upper' | 'number';

/** How an operand of a row is written, told by its name and, for an immediate, by the lowest bit it has. */
export function operandKind(row: Row, field: string): OperandKind {
  if (/^r[ds]/.test(field)) return 'register';
  if (field === 'csr') return 'csr';
  if (field === 'pred' || field === 'succ') return 'fence';
  const lowestBit = Math.min(...row.fields.get(field)!.map((piece) => piece.from));
  // Only branch and jump distances count in units of 2, only lui and auipc in units of 4096.
  if (lowestBit === 1) return 'distance';
  return lowestBit === 12 ? 'upper' : 'number';
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

function operandText(row: Row, field: string, value: number, pc: bigint): string {
  switch (operandKind(row, field)) {
    case 'register':
      return REGISTER_NAMES[value];
    case 'csr':
      return csrByNumber.get(value)?.name ?? hex(value);
    case 'fence':
      return [...FENCE_LETTERS].filter((_, i) => value & (8 >> i)).join('') || '0';
    case 'distance':
      return hex(BigInt.asUintN(64, pc + BigInt(value)));
    case 'upper':
      return hex(value >>> 12);
    case 'number':
      return String(value);
  }
}

/** Atomic instructions carry their ordering in the name: `.aq`, `.rl` or `.aqrl`. */
function orderingSuffix({ aq, rl }: Operands): string {
  return aq || rl ? `.${aq ? 'aq' : ''}${rl ? 'rl' : ''}` : '';
}

/**
 * The instruction (16 or 32 bits as its low two bits say) that lies at `pc`, in assembly: `bne a0, zero, 0x80000010`.
 * Targets of branches and jumps are absolute addresses. What is no instruction becomes `.half` or `.word`.
 */
export function disassemble(word: number, pc: bigint): string {
  const bytes = lengthFromBits(word);
  const bits = bytes === 2 ? word & 0xffff : word >>> 0;
  const row = decode(bits);
  if (row === undefined) {
    return `${bytes === 2 ? '.half' : '.word'} 0x${bits.toString(16).padStart(2 * bytes, '0')}`;
  }
  const operands = operandsOf(row, bits);
  const syntax = row.syntax.replace(/[a-z][a-z0-9]*'?/g, (field) =>
    row.fields.has(field) ? operandText(row, field, operands[field], pc) : field,
  );
  return `${row.name}${orderingSuffix(operands)} ${syntax}`.trimEnd();
}
