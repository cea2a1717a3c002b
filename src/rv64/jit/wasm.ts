/**
 * WebAssembly code: just the instructions that translated code needs (WebAssembly core specification, chapter "Binary
 * Format"). module.ts makes modules of it.
 */

/** Bytes one after the other. */
export type Bytes = readonly number[];
/** Bytes, and among them pieces of code, each of which may stand in many places. */
export type Code = readonly (number | Code)[];

/** Code in one piece. */
export function flat(code: Code): number[] {
  const numbers: number[] = [];
  flatten(code, numbers);
  return numbers;
}

function flatten(code: Code, numbers: number[]): void {
  for (let i = 0; i < code.length; i++) {
    const item = code[i];
    if (typeof item === 'number') numbers.push(item);
    else flatten(item, numbers);
  }
}

export const I32_TYPE = 0x7f;
export const I64_TYPE = 0x7e;
/** Type of a block that leaves nothing on the stack. */
export const NO_RESULT = 0x40;

/** Operations without operands in the code, and the beginnings and ends of blocks. */
export const Op = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  select: 0x1b,
  i32: {
    eqz: 0x45,
    eq: 0x46,
    ne: 0x47,
    ltS: 0x48,
    ltU: 0x49,
    gtS: 0x4a,
    gtU: 0x4b,
    geS: 0x4e,
    geU: 0x4f,
    add: 0x6a,
    sub: 0x6b,
    mul: 0x6c,
    divS: 0x6d,
    divU: 0x6e,
    remS: 0x6f,
    remU: 0x70,
    and: 0x71,
    or: 0x72,
    xor: 0x73,
    shl: 0x74,
    shrS: 0x75,
    shrU: 0x76,
  },
  i64: {
    eqz: 0x50,
    eq: 0x51,
    ne: 0x52,
    ltS: 0x53,
    ltU: 0x54,
    gtS: 0x55,
    gtU: 0x56,
    geS: 0x59,
    geU: 0x5a,
    add: 0x7c,
    sub: 0x7d,
    mul: 0x7e,
    divS: 0x7f,
    divU: 0x80,
    remS: 0x81,
    remU: 0x82,
    and: 0x83,
    or: 0x84,
    xor: 0x85,
    shl: 0x86,
    shrS: 0x87,
    shrU: 0x88,
  },
  wrap: 0xa7,
  extendS: 0xac,
  extendU: 0xad,
  f64: { add: 0xa0, fromI32: 0xb7 },
} as const;

/** Loads and stores; `load32S` and the like are the 64-bit ones of fewer bytes. */
export const Memory = {
  i32Load: 0x28,
  i64Load: 0x29,
  f64Load: 0x2b,
  i64Load8S: 0x30,
  i64Load8U: 0x31,
  i64Load16S: 0x32,
  i64Load16U: 0x33,
  i64Load32S: 0x34,
  i64Load32U: 0x35,
  i32Store: 0x36,
  i64Store: 0x37,
  f64Store: 0x39,
  i64Store8: 0x3c,
  i64Store16: 0x3d,
  i64Store32: 0x3e,
} as const;

/** An unsigned number in LEB128. */
export function unsigned(value: number): Bytes {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  bytes.push(value);
  return bytes;
}

/** A signed 32-bit number in LEB128. */
export function signed(value: number): Bytes {
  const bytes: number[] = [];
  while (value < -64 || value > 63) {
    bytes.push((value & 0x7f) | 0x80);
    value >>= 7;
  }
  bytes.push(value & 0x7f);
  return bytes;
}

function signed64(value: bigint): Bytes {
  const bytes: number[] = [];
  for (; value < -64n || value > 63n; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
  bytes.push(Number(value & 0x7fn));
  return bytes;
}

export const i32Const = (value: number): Code => [0x41, signed(value)];
/** A 64-bit constant; as a number it fits in 32 signed bits. */
export const i64Const = (value: number | bigint): Code => [
  0x42,
  typeof value === 'number' ? signed(value) : signed64(value),
];
export const getLocal = (index: number): Code => [0x20, unsigned(index)];
export const setLocal = (index: number): Code => [0x21, unsigned(index)];
export const teeLocal = (index: number): Code => [0x22, unsigned(index)];

/** A load or store at a constant distance from the address on the stack; nothing is said about alignment. */
export const access = (op: number, offset = 0): Code => [op, 0, unsigned(offset)];

export const beginBlock: Code = [Op.block, NO_RESULT];
export const block = (body: Code): Code => [beginBlock, body, Op.end];
export const loop = (body: Code): Code => [Op.loop, NO_RESULT, body, Op.end];
export const ifThen = (body: Code): Code => [Op.if, NO_RESULT, body, Op.end];
export const ifThenElse = (body: Code, otherwise: Code): Code => [
  [Op.if, NO_RESULT, body],
  [Op.else, otherwise, Op.end],
];
export const branchTo = (depth: number): Code => [0x0c, unsigned(depth)];
export const branchIf = (depth: number): Code => [0x0d, unsigned(depth)];
export const call = (index: number): Code => [0x10, unsigned(index)];
export const callIndirect = (type: number): Code => [0x11, unsigned(type), 0];
export const returnCallIndirect = (type: number): Code => [0x13, unsigned(type), 0];
/** Copies (destination, source, length) and fills (destination, byte, length) memory; lengths may be 0. */
export const memoryCopy: Code = [0xfc, 0x0a, 0, 0];
export const memoryFill: Code = [0xfc, 0x0b, 0];
