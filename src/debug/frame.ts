/**
 * Whether the frame of a function stands, and where its caller's stack pointer was, told from the instructions around the
 * pc: compilers build frames in a function's first instructions and take them down right before each return.
 */
import type { Machine } from '../machine/machine.js';
import { immI, rd, rs1 } from '../rv64/fields.js';
import type { Hart } from '../rv64/hart.js';
import { type Instruction, instructionsFrom, isReturn } from './instructions.js';

const STACK_POINTER = 2;
const FRAME_POINTER = 8;

/** Instructions in which a frame is built, or taken down, at most. */
const MAXIMUM_PROLOGUE = 24;

export interface Frame {
  /** Whether s0 points to it. Otherwise ra has the return address, and s0 is the caller's. */
  readonly stands: boolean;
  /** What the stack pointer is once the function has returned. */
  readonly callerStackPointer: bigint;
}

/** The innermost frame of a hart that is in the function which begins at `start`. */
export function frameOf(machine: Machine, hart: Hart, start: bigint): Frame {
  const stackPointer = hart.x[STACK_POINTER];
  const left = bytesLeftToPop(machine, hart);
  if (left !== undefined) return { stands: false, callerStackPointer: stackPointer + BigInt(left) };
  let pushed = 0;
  let count = 0;
  for (const instruction of instructionsFrom(machine, hart, start)) {
    if (instruction.address >= hart.pc || count++ === MAXIMUM_PROLOGUE) break;
    const change = stackPointerChange(instruction);
    if (change !== undefined && change < 0) pushed -= change;
    if (setsFramePointer(instruction)) return { stands: true, callerStackPointer: hart.x[FRAME_POINTER] };
  }
  return { stands: false, callerStackPointer: stackPointer + BigInt(pushed) };
}

/** Where the hart is in the end of a function and s0 is the caller's again: what is still added to the stack pointer. */
function bytesLeftToPop(machine: Machine, hart: Hart): number | undefined {
  let bytes = 0;
  let count = 0;
  for (const instruction of instructionsFrom(machine, hart, hart.pc)) {
    if (isReturn(instruction)) return bytes;
    const change = stackPointerChange(instruction);
    const isReload = instruction.name === 'ld' && rs1(instruction.word) === STACK_POINTER;
    if (change !== undefined && change > 0) bytes += change;
    else if (!isReload || rd(instruction.word) === FRAME_POINTER) return undefined;
    if (count++ === MAXIMUM_PROLOGUE) break;
  }
  return undefined;
}

function stackPointerChange({ name, word }: Instruction): number | undefined {
  const isIt = name === 'addi' && rd(word) === STACK_POINTER && rs1(word) === STACK_POINTER;
  return isIt ? immI(word) : undefined;
}

const setsFramePointer = ({ name, word }: Instruction): boolean =>
  name === 'addi' && rd(word) === FRAME_POINTER && rs1(word) === STACK_POINTER;
