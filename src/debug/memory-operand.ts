/** The memory that an instruction is about to access. */
import { disassemble, REGISTER_NAMES } from '../rv64/disassemble.js';
import type { Hart } from '../rv64/hart.js';

/** Loads, stores and atomics end in their address, as `8(sp)` or `(a0)`; nothing else does but jumps. */
const OPERAND = /(-?\d*)\((\w+)\)$/;

/** The virtual address that the instruction at pc loads or stores; undefined for one that does neither. */
export function accessOf(hart: Hart): bigint | undefined {
  const word = hart.peekInstruction();
  const text = word === undefined ? '' : disassemble(word, hart.pc);
  const [, offset, register] = OPERAND.exec(text) ?? [];
  if (register === undefined || /^(c\.)?j/.test(text)) return undefined;
  const index = (REGISTER_NAMES as readonly string[]).indexOf(register);
  return BigInt.asUintN(64, hart.x[index] + BigInt(offset || 0));
}
