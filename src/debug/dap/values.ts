/** Registers, memory and expressions, as a debugger's user reads and writes them. */
import { hex } from '../../machine/hex.js';
import type { Machine } from '../../machine/machine.js';
import { disassemble, REGISTER_NAMES } from '../../rv64/disassemble.js';
import type { Hart } from '../../rv64/hart.js';
import { MODE_NAMES } from '../../rv64/trap.js';
import { readVirtual } from '../address-space.js';
import { csrRegisters, generalRegisters, privilegeRegister, type Register } from '../gdb/registers.js';
import { type Instruction, instructionsFrom } from '../instructions.js';
import type { Code } from './code.js';

/** What a scope lists. */
export const SCOPES: readonly { readonly name: string; readonly registers: readonly Register[] }[] = [
  { name: 'Registers', registers: [...generalRegisters, privilegeRegister] },
  { name: 'CSRs', registers: csrRegisters },
];

const WORD_BYTES = 8;
const MAXIMUM_INSTRUCTION_BYTES = 4;

/** A register's name in assembly. */
export const nameOf = ({ name, number }: Register): string => REGISTER_NAMES[number] ?? name;

/** A register by either of the names that it may have, with or without gdb's `$`. */
export function registerNamed(name: string): Register | undefined {
  const plain = name.replace(/^\$/, '');
  return SCOPES.flatMap(({ registers }) => registers).find(
    (register) => nameOf(register) === plain || register.name === plain,
  );
}

/** An instruction in a listing; without bytes where none can be fetched. */
export interface ListedInstruction {
  readonly address: bigint;
  readonly bytes?: string;
  readonly text: string;
}

export class Values {
  constructor(
    private readonly machine: Machine,
    private readonly code: Code,
  ) {}

  /** A register's value; an address with what lies there. */
  show(hart: Hart, register: Register): string {
    const value = BigInt.asUintN(64, register.read(hart));
    if (register === privilegeRegister) return `${value} (${MODE_NAMES[Number(value)]})`;
    return this.showNumber(hart, value);
  }

  showNumber(hart: Hart, value: bigint): string {
    const name = this.code.describe(hart, value);
    return name.startsWith('0x') ? hex(value) : `${hex(value)} <${name}>`;
  }

  /**
   * The value of an expression: registers, symbols (which are addresses) and numbers, with + and - between them, after
   * as many * as words of memory are to be followed. Throws RangeError, with a sentence for the user.
   */
  evaluate(hart: Hart, expression: string): bigint {
    const text = expression.trim();
    if (text.startsWith('*')) return this.wordAt(hart, this.evaluate(hart, text.slice(1)));
    const terms = [...text.matchAll(/([+-]?)\s*([^\s+-]+)\s*/g)];
    const isAll = terms.map(([all]) => all).join('') === text;
    const hasSigns = terms.every(([, sign], index) => index === 0 || sign !== '');
    if (terms.length === 0 || !isAll || !hasSigns)
      throw new RangeError(
        `"${text}" is no expression; write registers, symbols and numbers, such as *sp+16 or ticks`,
      );
    const sum = terms.reduce((total, [, sign, term]) => {
      const value = this.term(hart, term);
      return sign === '-' ? total - value : total + value;
    }, 0n);
    return BigInt.asUintN(64, sum);
  }

  private term(hart: Hart, name: string): bigint {
    if (/^(0x[0-9a-f]+|\d+)$/i.test(name)) return BigInt(name);
    const value = registerNamed(name)?.read(hart) ?? this.code.addressOf(hart, name);
    if (value !== undefined) return value;
    throw new RangeError(`"${name}" is no register, no symbol and no number`);
  }

  private wordAt(hart: Hart, address: bigint): bigint {
    const bytes = this.memory(hart, address, WORD_BYTES);
    if (bytes.length < WORD_BYTES) throw new RangeError(`there is no memory at ${hex(address)}`);
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  }

  /** The bytes at a virtual address, up to where no memory is mapped. */
  memory(hart: Hart, address: bigint, length: number): Uint8Array {
    return readVirtual(this.machine, hart, BigInt.asUintN(64, address), length);
  }

  /** The text at a virtual address, up to a zero. */
  text(hart: Hart, address: bigint): string {
    const bytes = this.memory(hart, address, 256);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)).trimEnd();
  }

  /** So many instructions, the first of them so many after the one at `address`, or before it. */
  disassemble(hart: Hart, address: bigint, offset: number, count: number): ListedInstruction[] {
    const skipped = Math.max(offset, 0);
    const before = this.instructionsBefore(hart, address, Math.max(-offset, 0));
    const after = this.instructionsAfter(hart, address, skipped + count).slice(skipped);
    return [...before, ...after].slice(0, count);
  }

  private instructionsBefore(hart: Hart, address: bigint, count: number): ListedInstruction[] {
    if (count === 0) return [];
    // Where an instruction begins is known from the beginning of a function.
    const far = this.code.functionStart(hart, address - BigInt(MAXIMUM_INSTRUCTION_BYTES * count));
    const start = far ?? this.code.functionStart(hart, address) ?? address;
    const found: ListedInstruction[] = [];
    for (const instruction of instructionsFrom(this.machine, hart, start)) {
      if (instruction.address >= address) break;
      found.push(list(instruction));
    }
    const missing = Math.max(count - found.length, 0);
    const unknown = Array.from({ length: missing }, (_, index) => ({
      address: start - BigInt(2 * (missing - index)),
      text: '(unknown)',
    }));
    return [...unknown, ...found.slice(-count)];
  }

  private instructionsAfter(hart: Hart, address: bigint, count: number): ListedInstruction[] {
    const found: ListedInstruction[] = [];
    let next = address;
    for (const instruction of instructionsFrom(this.machine, hart, address)) {
      if (found.length === count) break;
      next = instruction.address + BigInt(instruction.bytes);
      found.push(list(instruction));
    }
    for (; found.length < count; next += 2n) found.push({ address: next, text: '(no memory)' });
    return found;
  }
}

const list = ({ address, bits, bytes }: Instruction): ListedInstruction => ({
  address,
  bytes: bits.toString(16).padStart(2 * bytes, '0'),
  text: disassemble(bits, address),
});
