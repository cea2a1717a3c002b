/** Instructions in a guest's memory, for someone who only looks. */
import type { Machine } from '../machine/machine.js';
import { decode, lengthFromBits } from '../rv64/decode.js';
import { immI, rd, rs1 } from '../rv64/fields.js';
import type { Hart } from '../rv64/hart.js';
import { operandsOf } from '../rv64/row.js';
import { readVirtual } from './address-space.js';

const RETURN_ADDRESS = 1;
/** Of an instruction. */
const MOST_BYTES = 4;

export interface Instruction {
  readonly address: bigint;
  /** As it lies in memory: 16 or 32 bits. */
  readonly bits: number;
  readonly bytes: 2 | 4;
  /** The instruction of 32 bits that it is, or stands for. */
  readonly word: number;
  /** The name of `word`; undefined where it is illegal. */
  readonly name: string | undefined;
}

/** The instruction at a hart's virtual address; undefined where none can be fetched. */
export function instructionAt(machine: Machine, hart: Hart, address: bigint): Instruction | undefined {
  return instructionIn(readVirtual(machine, hart, address, MOST_BYTES), address);
}

/** The instruction at the beginning of `memory`, whose address is given; undefined where not all of it is there. */
function instructionIn(memory: Uint8Array, address: bigint): Instruction | undefined {
  if (memory.length < 2) return undefined;
  const low = memory[0] | (memory[1] << 8);
  const bytes = lengthFromBits(low);
  if (bytes > memory.length) return undefined;
  const bits = bytes === 2 ? low : (low | (memory[2] << 16) | (memory[3] << 24)) >>> 0;
  const row = decode(bits);
  const word = row?.expand ? row.expand(operandsOf(row, bits)) : bits;
  return { address, bits, bytes, word, name: decode(word)?.name };
}

/** The instructions from an address on, up to where none can be fetched. */
export function* instructionsFrom(machine: Machine, hart: Hart, start: bigint): Generator<Instruction> {
  for (let address = start; ;) {
    const instruction = instructionAt(machine, hart, address);
    if (instruction === undefined) return;
    yield instruction;
    address += BigInt(instruction.bytes);
  }
}

export const isCall = ({ name, word }: Instruction): boolean =>
  (name === 'jal' || name === 'jalr') && rd(word) === RETURN_ADDRESS;

export const isReturn = ({ name, word }: Instruction): boolean =>
  name === 'jalr' && rd(word) === 0 && rs1(word) === RETURN_ADDRESS && immI(word) === 0;

export const isTrapReturn = ({ name }: Instruction): boolean => name === 'sret' || name === 'mret';

/** The call that ends right before `address`, so that this is where it returns to; `before` are the four bytes before it. */
export function callBefore(before: Uint8Array, address: bigint): Instruction | undefined {
  for (const bytes of [4, 2] as const) {
    const call = instructionIn(before.subarray(MOST_BYTES - bytes), address - BigInt(bytes));
    if (call?.bytes === bytes && isCall(call)) return call;
  }
  return undefined;
}
