/**
 * What an instruction's row says to the translator: the same meaning as its `run`, in terms of values that the
 * translated code will compute. `emit` is called once, when the instruction is translated.
 */

declare const width: unique symbol;

/** A value of 64 or of 32 bits in translated code. It is computed where it is used, each time it is used. */
export interface I64 {
  readonly [width]: 64;
}
export interface I32 {
  readonly [width]: 32;
}

/** Arithmetic in one width. Shift amounts are taken modulo the width; comparisons give 1 or 0. */
export interface Operations<T, Constant = number> {
  constant(value: Constant): T;
  add(a: T, b: T): T;
  sub(a: T, b: T): T;
  mul(a: T, b: T): T;
  and(a: T, b: T): T;
  or(a: T, b: T): T;
  xor(a: T, b: T): T;
  shl(a: T, b: T): T;
  shrS(a: T, b: T): T;
  shrU(a: T, b: T): T;
  /** Undefined for a divisor of 0, and divS for the lowest number by -1: code that may meet them avoids them. */
  divS(a: T, b: T): T;
  divU(a: T, b: T): T;
  remS(a: T, b: T): T;
  remU(a: T, b: T): T;
  eqz(a: T): I32;
  eq(a: T, b: T): I32;
  ne(a: T, b: T): I32;
  ltS(a: T, b: T): I32;
  ltU(a: T, b: T): I32;
  gtS(a: T, b: T): I32;
  gtU(a: T, b: T): I32;
  geS(a: T, b: T): I32;
  geU(a: T, b: T): I32;
  /** `a` where the condition is not 0, else `b`. */
  select(condition: I32, a: T, b: T): T;
}

/** How a value in memory becomes one in a register: its bytes, and whether its sign is extended. */
export type LoadKind = 's8' | 'u8' | 's16' | 'u16' | 's32' | 'u32' | '64';

/** Which operands of a product's upper half are signed. */
export type HighProduct = 'mulh' | 'mulhsu' | 'mulhu';

export interface Emitter {
  readonly i64: Operations<I64, number | bigint>;
  readonly i32: Operations<I32>;

  /** The value of a register, and its low word. */
  x(register: number): I64;
  low(register: number): I32;
  /** Writes a register. Values made before from this register are stale afterwards. */
  set(register: number, value: I64): void;

  lowWord(value: I64): I32;
  signExtend(value: I32): I64;
  zeroExtend(value: I32): I64;
  /** Bits 127:64 of a product. */
  highProduct(kind: HighProduct, a: I64, b: I64): I64;

  /** Address of this instruction, and of the one after it. */
  pc(): I64;
  nextPc(): I64;

  /** Loads from register `base` plus `offset` into register `rd`. */
  load(kind: LoadKind, rd: number, base: number, offset: number): void;
  /** Stores the low `bytes` bytes of a value. */
  store(bytes: number, base: number, offset: number, value: I64): void;
  /**
   * Replaces 4 or 8 aligned bytes by what `combine` makes of their value, which goes to `rd`. An instruction that would
   * leave them as they are, other than 0, is left to its `run`.
   */
  atomic(bytes: 4 | 8, rd: number, base: number, combine: (memory: I64) => I64): void;

  /** A CSR that is storage, by its slot (see csr/bits.ts); a 32-bit word of the hart's block, by its byte offset. */
  csr(slot: number): I64;
  setCsr(slot: number, value: I64): void;
  hartWord(offset: number): I32;
  setHartWord(offset: number, value: I32): void;
  /** Computes a value now, and once. There is room for two such values in an instruction. */
  keep(place: 'first' | 'second', value: I64): I64;

  /** Control flow, by distance from this instruction or to an address; it comes last in an instruction. */
  branch(condition: I32, distance: number): void;
  /** Jumps also write the address of the next instruction to the register `link`. */
  jump(distance: number, link: number): void;
  jumpTo(address: I64, link: number): void;

  /** Has the instruction executed by its `run`. */
  interpret(): void;
  /** The same where the condition is not 0; else does what `otherwise` emits. */
  interpretIf(condition: I32, otherwise: () => void): void;
  /** The same for an instruction that never goes on to the next one. */
  interpretAndLeave(): void;
}

/**
 * What a probe says to the translator, so that translated code need not be left for it: what it does in all but the rarer
 * cases, which it finds out before it changes anything. Such a probe keeps what it knows in the notes (see state.ts).
 */
export interface ProbeEmitter extends Pick<
  Emitter,
  'i64' | 'i32' | 'x' | 'low' | 'lowWord' | 'zeroExtend' | 'keep'
> {
  /** Has the probe called where the condition is not 0. */
  callIf(condition: I32): void;
  /** Number of the hart times HART_BYTES. */
  hart(): I32;
  /**
   * The word at `at` plus `offset` in RAM, which it must lie in, or in the notes: both in bytes. RAM is as it should be where
   * Machine.readMemory was asked for it.
   */
  ramWord(at: I32, offset: number): I32;
  note(at: I32, offset: number): I32;
  setNote(at: I32, offset: number, value: I32): void;
}

/** Emits what a probe does. */
export type EmitProbe = (t: ProbeEmitter) => void;

/** Emits one instruction word, in the layout that `run` takes. */
export type Emit = (t: Emitter, i: number) => void;
