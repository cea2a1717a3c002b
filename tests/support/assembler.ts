/**
 * A small assembler, derived from the instruction rows, in the dialect of the GNU assembler:
 *
 *     loop:  addi a0, a0, -1      # a comment
 *            bnez a0, loop
 *
 * Registers go by ABI name or x0 to x31, CSRs by name or number. An immediate is a number, a label, `.` (the address
 * of the instruction), or one of the last two plus or minus a number; a branch target is an address. Directives:
 * `.half`, `.word`, `.dword`, `.zero bytes`, `.align bytes`. Compressed instructions are written out: `c.addi a0, 1`.
 */
import { csrByName } from '../../src/rv64/csr/index.js';
import { FENCE_LETTERS, operandKind, REGISTER_NAMES } from '../../src/rv64/disassemble.js';
import { rows } from '../../src/rv64/isa/index.js';
import { encode, type Row } from '../../src/rv64/row.js';

export interface Program {
  /** Address of the first byte. */
  readonly base: bigint;
  readonly bytes: Uint8Array;
  readonly labels: ReadonlyMap<string, bigint>;
}

export const RAM_BASE = 0x8000_0000n;

const rowByName = new Map(rows.map((row) => [row.name, row]));

const registerByName = new Map<string, number>([
  ...REGISTER_NAMES.map((name, number): [string, number] => [name, number]),
  ...REGISTER_NAMES.map((_, number): [string, number] => [`x${number}`, number]),
  ['fp', 8],
]);

/** Instructions that are written as others: operands by position, $1 to $3. */
const PSEUDO_INSTRUCTIONS: Readonly<Record<string, string>> = {
  nop: 'addi zero, zero, 0',
  mv: 'addi $1, $2, 0',
  not: 'xori $1, $2, -1',
  neg: 'sub $1, zero, $2',
  'sext.w': 'addiw $1, $2, 0',
  seqz: 'sltiu $1, $2, 1',
  snez: 'sltu $1, zero, $2',
  beqz: 'beq $1, zero, $2',
  bnez: 'bne $1, zero, $2',
  bltz: 'blt $1, zero, $2',
  bgez: 'bge $1, zero, $2',
  j: 'jal zero, $1',
  call: 'jal ra, $1',
  jr: 'jalr zero, 0($1)',
  ret: 'jalr zero, 0(ra)',
  csrr: 'csrrs $1, $2, zero',
  csrw: 'csrrw zero, $1, $2',
  csrs: 'csrrs zero, $1, $2',
  csrc: 'csrrc zero, $1, $2',
  csrwi: 'csrrwi zero, $1, $2',
  csrsi: 'csrrsi zero, $1, $2',
  csrci: 'csrrci zero, $1, $2',
};

/** A piece of the program whose size is known before labels are: what it is once they are. */
interface Item {
  readonly line: string;
  readonly size: number;
  readonly emit: (at: bigint, labels: ReadonlyMap<string, bigint>) => bigint;
}

/** Assembles a program to lie at `base`. Throws Error with the line for anything it does not understand. */
export function assemble(source: string, base: bigint = RAM_BASE): Program {
  const labels = new Map<string, bigint>();
  const items: { item: Item; at: bigint }[] = [];
  let at = base;
  for (const line of source.split('\n')) {
    explained(line, () => {
      const [, label, statement] = /^\s*(?:([\w]+):)?\s*([^#]*?)\s*(?:#.*)?$/.exec(line)!;
      if (label !== undefined) {
        if (labels.has(label)) throw new Error(`label ${label} stands here a second time`);
        labels.set(label, at);
      }
      for (const item of parse(statement, line, at)) {
        items.push({ item, at });
        at += BigInt(item.size);
      }
    });
  }
  const bytes = new Uint8Array(Number(at - base));
  for (const { item, at } of items) {
    let value = explained(item.line, () => item.emit(at, labels));
    for (let i = 0; i < item.size; i++, value >>= 8n) bytes[Number(at - base) + i] = Number(value & 0xffn);
  }
  return { base, bytes, labels };
}

/** The instruction word of one line, to lie at `at`. */
export function assembleWord(line: string, at: bigint = RAM_BASE): number {
  const { bytes } = assemble(line, at);
  if (bytes.length !== 2 && bytes.length !== 4) throw new Error(`'${line}' is not one instruction`);
  return bytes.reduceRight((word, byte) => word * 256 + byte, 0);
}

function explained<Result>(line: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw new Error(`'${line.trim()}': ${(error as Error).message}`);
  }
}

function parse(statement: string, line: string, at: bigint): Item[] {
  if (statement === '') return [];
  const [, name, rest] = /^(\S+)\s*(.*)$/.exec(statement)!;
  const operands = rest === '' ? [] : rest.split(',').map((operand) => operand.trim());
  if (name.startsWith('.')) return directive(name, operands, line, at);
  if (name === 'li') {
    return loadImmediate(operands[0], integer(operands[1])).flatMap((part) => parse(part, line, at));
  }
  if (name === 'fence' && rest === '') return parse('fence iorw, iorw', line, at);
  if (name === 'sfence.vma' && rest === '') return parse('sfence.vma zero, zero', line, at);
  if (name === 'la') return loadAddress(operands[0], operands[1], line);
  const pattern = PSEUDO_INSTRUCTIONS[name];
  if (pattern !== undefined) return parse(fillIn(name, pattern, operands), line, at);
  return [instruction(name, rest, line)];
}

function fillIn(name: string, pattern: string, operands: string[]): string {
  const wanted = new Set(pattern.match(/\$\d/g)).size;
  if (operands.length !== wanted) throw new Error(`${name} takes ${wanted} operands`);
  return pattern.replace(/\$(\d)/g, (_, position: string) => operands[Number(position) - 1]);
}

/** The instructions that put any 64-bit number into a register. */
function loadImmediate(register: string, value: bigint): string[] {
  const signed = BigInt.asIntN(64, value);
  const low = BigInt.asIntN(12, signed);
  const addLow = (name: string): string[] => (low === 0n ? [] : [`${name} ${register}, ${register}, ${low}`]);
  if (signed === low) return [`addi ${register}, zero, ${low}`];
  const rest = (signed - low) >> 12n;
  if (signed === BigInt.asIntN(32, signed)) {
    return [`lui ${register}, ${BigInt.asUintN(20, rest)}`, ...addLow('addiw')];
  }
  return [
    ...loadImmediate(register, BigInt.asIntN(52, rest)),
    `slli ${register}, ${register}, 12`,
    ...addLow('addi'),
  ];
}

/** The two instructions that compute an address from pc. */
function loadAddress(register: string, target: string, line: string): Item[] {
  const part = (before: bigint, textFor: (distance: bigint) => string): Item => ({
    line,
    size: 4,
    emit: (at, labels) => {
      const distance = expression(target, at, labels) - (at - before);
      return parse(textFor(distance), line, at)[0].emit(at, labels);
    },
  });
  return [
    part(0n, (distance) => `auipc ${register}, ${(distance + 0x800n) >> 12n}`),
    part(4n, (distance) => `addi ${register}, ${register}, ${BigInt.asIntN(12, distance)}`),
  ];
}

function directive(name: string, operands: string[], line: string, at: bigint): Item[] {
  const size = { '.half': 2, '.word': 4, '.dword': 8 }[name];
  if (size !== undefined) {
    return operands.map((text) => ({ line, size, emit: (at, labels) => expression(text, at, labels) }));
  }
  const zeros = (count: number): Item[] => [{ line, size: count, emit: () => 0n }];
  if (name === '.zero') return zeros(Number(integer(operands[0])));
  if (name === '.align') return zeros(Number(BigInt.asUintN(64, -at) % integer(operands[0])));
  throw new Error(`no directive ${name}`);
}

function instruction(name: string, rest: string, line: string): Item {
  const [, plainName, aq, rl] = /^(.*?)(?:\.(aq)?(rl)?)?$/.exec(name)!;
  const isOrdered = (aq ?? rl) !== undefined;
  const row = rowByName.get(isOrdered ? plainName : name);
  if (row === undefined || (isOrdered && !row.fields.has('aq'))) throw new Error(`no instruction ${name}`);
  const texts = operandTexts(row, rest);
  return {
    line,
    size: row.bytes,
    emit: (at, labels) => {
      const operands: Record<string, number> = aq || rl ? { aq: aq ? 1 : 0, rl: rl ? 1 : 0 } : {};
      for (const [field, text] of texts) operands[field] = operandValue(row, field, text, at, labels);
      if (row.where?.(operands) === false) throw new Error(`${row.name} with these operands is reserved`);
      return BigInt(encode(row, operands));
    },
  };
}

/** The text of each operand that the row's syntax names. */
function operandTexts(row: Row, rest: string): [field: string, text: string][] {
  const fields: string[] = [];
  const pattern = row.syntax.replace(/[()]|, |[a-z][a-z0-9]*'?/g, (token) => {
    if (token === ', ') return '\\s*,\\s*';
    if (!row.fields.has(token)) return token.length === 1 ? `\\${token}` : token;
    fields.push(token);
    return '([^,()]*)';
  });
  const match = new RegExp(`^${pattern}$`).exec(rest);
  if (match === null) throw new Error(`expected ${row.name} ${row.syntax}`.trimEnd());
  return fields.map((field, i) => [field, match[i + 1].trim()]);
}

function operandValue(
  row: Row,
  field: string,
  text: string,
  at: bigint,
  labels: ReadonlyMap<string, bigint>,
): number {
  switch (operandKind(row, field)) {
    case 'register': {
      const register = registerByName.get(text);
      if (register === undefined) throw new Error(`no register ${text}`);
      return register;
    }
    case 'csr':
      return csrByName.get(text)?.number ?? Number(integer(text));
    case 'fence':
      return text === '0' ? 0 : [...text].reduce((bits, letter) => bits | (8 >> fenceIndex(letter)), 0);
    case 'distance':
      return Number(BigInt.asIntN(64, expression(text, at, labels) - at));
    case 'upper': {
      const value = expression(text, at, labels);
      if (value < -0x8_0000n || value > 0xf_ffffn) throw new RangeError(`${text} has more than 20 bits`);
      return Number(value << 12n) | 0;
    }
    case 'number':
      return text === '' ? 0 : Number(expression(text, at, labels));
  }
}

function fenceIndex(letter: string): number {
  const index = FENCE_LETTERS.indexOf(letter);
  if (index < 0) throw new Error(`a fence orders ${FENCE_LETTERS}, not ${letter}`);
  return index;
}

function expression(text: string, at: bigint, labels: ReadonlyMap<string, bigint>): bigint {
  const match = /^(\.|[a-z_]\w*)\s*(?:([+-])\s*(\w+))?$/i.exec(text);
  if (match === null) return integer(text);
  const [, name, sign, distance] = match;
  const start = name === '.' ? at : labels.get(name);
  if (start === undefined) throw new Error(`no label ${name}`);
  if (sign === undefined) return start;
  return sign === '+' ? start + integer(distance) : start - integer(distance);
}

function integer(text: string | undefined): bigint {
  const match = /^(-?)(0x[0-9a-f]+|0b[01]+|\d+)$/i.exec(text ?? '');
  if (match === null) throw new Error(`${text ?? 'nothing'} is not a number`);
  return match[1] === '-' ? -BigInt(match[2]) : BigInt(match[2]);
}
