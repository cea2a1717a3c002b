/**
 * A hart's registers by the numbers that gdb has for RISC-V: x0 to x31, pc, the floating-point registers, then from 65 on
 * the CSRs, and behind all 4096 of them the privilege mode. A CSR is read and written as its row says, so what is written is made legal.
 */
import { csrs } from '../../rv64/csr/index.js';
import { REGISTER_NAMES } from '../../rv64/disassemble.js';
import type { Hart } from '../../rv64/hart.js';
import { Mode } from '../../rv64/trap.js';

/** What gdb is told of a register. */
export interface RegisterDescription {
  readonly name: string;
  readonly number: number;
  /** The type that gdb prints it as. */
  readonly type: 'int' | 'data_ptr' | 'code_ptr' | 'ieee_double';
}

export interface Register extends RegisterDescription {
  readonly read: (hart: Hart) => bigint;
  /** Undefined where a write is refused. */
  readonly write?: (hart: Hart, value: bigint) => void;
}

export const PC_NUMBER = 32;
const FIRST_FLOAT_NUMBER = 33;
const FIRST_CSR_NUMBER = 65;
const PRIVILEGE_NUMBER = FIRST_CSR_NUMBER + 4096;

const POINTERS = ['sp', 'gp', 'tp', 's0'];

/** The registers that the `g` packet has, in its order. */
export const generalRegisters: readonly Register[] = [
  ...REGISTER_NAMES.map((name, number): Register => {
    const type = name === 'ra' ? 'code_ptr' : POINTERS.includes(name) ? 'data_ptr' : 'int';
    const write = (hart: Hart, value: bigint): void => {
      if (number !== 0) hart.x[number] = value;
    };
    return { name: name === 's0' ? 'fp' : name, number, type, read: (hart) => hart.x[number], write };
  }),
  {
    name: 'pc',
    number: PC_NUMBER,
    type: 'code_ptr',
    read: (hart) => hart.pc,
    write: (hart, value) => hart.moveTo(value & ~1n),
  },
];

const FLOAT_NAMES = [
  ...['ft0', 'ft1', 'ft2', 'ft3', 'ft4', 'ft5', 'ft6', 'ft7', 'fs0', 'fs1'],
  ...['fa0', 'fa1', 'fa2', 'fa3', 'fa4', 'fa5', 'fa6', 'fa7'],
  ...['fs2', 'fs3', 'fs4', 'fs5', 'fs6', 'fs7', 'fs8', 'fs9', 'fs10', 'fs11', 'ft8', 'ft9', 'ft10', 'ft11'],
];

/**
 * No hart has these. gdb refuses files whose calls could pass values in them, as all of a usual compiler's could, unless
 * the target has them.
 */
export const floatRegisters: readonly RegisterDescription[] = FLOAT_NAMES.map((name, index) => ({
  name,
  number: FIRST_FLOAT_NUMBER + index,
  type: 'ieee_double',
}));

export const isFloatNumber = (number: bigint): boolean =>
  number >= FIRST_FLOAT_NUMBER && number < FIRST_FLOAT_NUMBER + FLOAT_NAMES.length;

/** Counters that count nothing only get in the way of those that do. */
const countsNothing = (name: string): boolean => /^m?hpm/.test(name);

export const csrRegisters: readonly Register[] = csrs
  .filter(({ name }) => !countsNothing(name))
  .map(({ name, number, read, write }) => ({
    name,
    number: FIRST_CSR_NUMBER + number,
    type: 'int',
    read,
    write: write && ((hart, value) => write(hart, value)),
  }));

export const privilegeRegister: Register = {
  name: 'priv',
  number: PRIVILEGE_NUMBER,
  type: 'int',
  read: (hart) => BigInt(hart.mode),
  write: (hart, value) => {
    const mode = [Mode.User, Mode.Supervisor, Mode.Machine].find((each) => BigInt(each) === value);
    if (mode !== undefined) hart.changeMode(mode);
  },
};

const byNumber = new Map(
  [...generalRegisters, ...csrRegisters, privilegeRegister].map((register) => [register.number, register]),
);

export const registerByNumber = (number: bigint): Register | undefined => byNumber.get(Number(number));
