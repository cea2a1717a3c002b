/** What a DWARF expression (version 5, section 2.5) says of where a value is. */
import { ByteReader } from '../byte-reader.js';
import { OP } from './constants.js';

/** What an expression asks of the frame that it is about. Undefined is what nobody knows any more. */
export interface FrameState {
  register(number: number): bigint | undefined;
  /** So many bytes of memory, or fewer where it ends. */
  memory(address: bigint, length: number): Uint8Array;
  /** The stack pointer before the call, which DWARF calls the canonical frame address. */
  readonly callerStackPointer: bigint | undefined;
  /** What variables on the stack are counted from. */
  frameBase(): bigint | undefined;
}

/** Where a value is, or the value itself: what is in a register, what was computed, or pieces of several. */
export type Location = { readonly address: bigint } | KnownBytes;

export interface KnownBytes {
  readonly bytes: Uint8Array;
  /** Those of them that nobody knows. */
  readonly holes?: readonly Hole[];
}

/** Bytes from the beginning of a value up to `end`. */
export interface Hole {
  readonly start: number;
  readonly end: number;
}

const WORD_BYTES = 8;
/** More than any expression that ends takes. */
const MOST_STEPS = 1000;

/** Undefined for what cannot be known: an optimized-out value, or an operation that is not one of these. */
export function locate(expression: Uint8Array, frame: FrameState): Location | undefined {
  try {
    return new Evaluation(expression, frame).result();
  } catch (error) {
    if (error instanceof RangeError) return undefined; // a damaged one ends before it should
    throw error;
  }
}

class Evaluation {
  private readonly reader: ByteReader;
  private readonly stack: bigint[] = [];

  constructor(
    expression: Uint8Array,
    private readonly frame: FrameState,
  ) {
    this.reader = new ByteReader(expression);
  }

  result(): Location | undefined {
    const { reader, stack } = this;
    if (reader.left === 0) return undefined;
    const pieces: number[] = [];
    const holes: Hole[] = [];
    let location: Location | undefined;
    for (let steps = 0; reader.left > 0 && steps < MOST_STEPS; steps++) {
      const op = reader.u8();
      if (op === OP.piece) {
        const length = reader.uleb();
        const piece = this.bytesOf(location ?? topOf(stack), length);
        const start = pieces.length;
        if (piece === undefined) holes.push({ start, end: start + length });
        pieces.push(...(piece ?? new Uint8Array(length)));
        location = undefined;
        stack.length = 0;
      } else if (op === OP.implicitValue) location = { bytes: reader.bytes(reader.uleb()) };
      else if (op === OP.stackValue) location = { bytes: wordBytes(this.pop()) };
      else if (op >= OP.reg0 && op < OP.breg0) {
        const value = this.frame.register(op - OP.reg0);
        if (value === undefined) return undefined;
        location = { bytes: wordBytes(value) };
      } else if (!this.step(op)) return undefined;
    }
    if (pieces.length > 0) return { bytes: Uint8Array.from(pieces), holes };
    return location ?? topOf(stack);
  }

  private pop(): bigint {
    const value = this.peek(1);
    this.stack.pop();
    return value;
  }

  private peek(depth: number): bigint {
    const value = this.stack.at(-depth);
    if (value === undefined) throw new RangeError('an expression that takes more than there is');
    return value;
  }

  private bytesOf(location: Location | undefined, length: number): Uint8Array | undefined {
    if (location === undefined) return undefined;
    if ('bytes' in location) return location.bytes.subarray(0, length);
    return this.frame.memory(location.address, length);
  }

  /** Does what one operation says to the stack; false where that cannot be known. */
  private step(op: number): boolean {
    const value = this.pushed(op);
    if (value !== undefined) return void this.stack.push(BigInt.asUintN(64, value)) === undefined;
    return this.combine(op) || this.move(op);
  }

  /** What an operation pushes that takes nothing from the stack. */
  private pushed(op: number): bigint | undefined {
    const { reader, frame } = this;
    if (op >= OP.lit0 && op < OP.reg0) return BigInt(op - OP.lit0);
    if (op >= OP.breg0 && op < OP.fbreg - 1) return plus(frame.register(op - OP.breg0), reader.sleb());
    switch (op) {
      case OP.address:
      case OP.const8u:
      case OP.const8s:
        return reader.u64();
      case OP.const1u:
        return BigInt(reader.u8());
      case OP.const1s:
        return BigInt(reader.i8());
      case OP.const2u:
        return BigInt(reader.u16());
      case OP.const2s:
        return BigInt.asIntN(16, BigInt(reader.u16()));
      case OP.const4u:
        return BigInt(reader.u32());
      case OP.const4s:
        return BigInt.asIntN(32, BigInt(reader.u32()));
      case OP.constu:
        return BigInt(reader.uleb());
      case OP.consts:
        return BigInt(reader.sleb());
      case OP.fbreg:
        return plus(frame.frameBase(), reader.sleb());
      case OP.callFrameCfa:
        return frame.callerStackPointer;
      default:
        return undefined;
    }
  }

  /** Operations that put one value in the place of one or two. */
  private combine(op: number): boolean {
    const { stack, reader } = this;
    const unary = UNARY.get(op);
    const binary = BINARY.get(op);
    if (unary) stack.push(BigInt.asUintN(64, unary(this.pop())));
    else if (binary) {
      const [right, left] = [this.pop(), this.pop()];
      stack.push(BigInt.asUintN(64, binary(BigInt.asIntN(64, left), BigInt.asIntN(64, right))));
    } else if (op === OP.plusConstant) stack.push(this.pop() + BigInt(reader.uleb()));
    else if (op === OP.deref || op === OP.derefSize) {
      const bytes = this.frame.memory(this.pop(), op === OP.deref ? WORD_BYTES : reader.u8());
      if (bytes.length === 0) return false;
      stack.push(numberOf(bytes));
    } else return false;
    return true;
  }

  private move(op: number): boolean {
    const { stack, reader } = this;
    if (op === OP.dup) stack.push(this.peek(1));
    else if (op === OP.over) stack.push(this.peek(2));
    else if (op === OP.drop) this.pop();
    else if (op === OP.swap) stack.push(this.pop(), this.pop());
    else if (op === OP.skip || op === OP.bra) {
      const distance = Number(BigInt.asIntN(16, BigInt(reader.u16())));
      if (op === OP.skip || this.pop() !== 0n) reader.position += distance;
    } else return op === OP.nop;
    return true;
  }
}

const UNARY = new Map<number, (value: bigint) => bigint>([
  [OP.neg, (value) => -value],
  [OP.not, (value) => ~value],
]);

const BINARY = new Map<number, (left: bigint, right: bigint) => bigint>([
  [OP.and, (left, right) => left & right],
  [OP.or, (left, right) => left | right],
  [OP.xor, (left, right) => left ^ right],
  [OP.plus, (left, right) => left + right],
  [OP.minus, (left, right) => left - right],
  [OP.mul, (left, right) => left * right],
  [OP.div, (left, right) => (right === 0n ? 0n : left / right)],
  [OP.mod, (left, right) => (right === 0n ? 0n : BigInt.asUintN(64, left) % BigInt.asUintN(64, right))],
  [OP.shl, (left, right) => left << BigInt.asUintN(6, right)],
  [OP.shr, (left, right) => BigInt.asUintN(64, left) >> BigInt.asUintN(6, right)],
  [OP.shra, (left, right) => left >> BigInt.asUintN(6, right)],
  [OP.eq, (left, right) => BigInt(left === right)],
  [OP.ne, (left, right) => BigInt(left !== right)],
  [OP.lt, (left, right) => BigInt(left < right)],
  [OP.le, (left, right) => BigInt(left <= right)],
  [OP.gt, (left, right) => BigInt(left > right)],
  [OP.ge, (left, right) => BigInt(left >= right)],
]);

const plus = (value: bigint | undefined, offset: number): bigint | undefined =>
  value === undefined ? undefined : value + BigInt(offset);

const topOf = (stack: readonly bigint[]): Location | undefined => {
  const address = stack.at(-1);
  return address === undefined ? undefined : { address };
};

function wordBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(WORD_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}

/** The unsigned number that little-endian bytes stand for. */
export const numberOf = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
