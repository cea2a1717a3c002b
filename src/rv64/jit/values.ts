/** Values: code that leaves them on the stack, with WebAssembly's types told apart. */
import type { I32, I64, Operations } from '../emitter.js';
import { type Code, getLocal, i64Const, Op } from './wasm.js';
import { Local } from './layout.js';

export const codeOf = (value: I32 | I64): Code => value as unknown as Code;
export const asI64 = (code: Code): I64 => code as unknown as I64;
export const asI32 = (code: Code): I32 => code as unknown as I32;

export function operations<T extends I32 | I64, Constant>(
  constant: (value: Constant) => Code,
  op: typeof Op.i32 | typeof Op.i64,
) {
  const binary = (code: number) => (a: T, b: T) => [codeOf(a), codeOf(b), code] as unknown as T;
  const compare = (code: number) => (a: T, b: T) => asI32([codeOf(a), codeOf(b), code]);
  const result: Operations<T, Constant> = {
    constant: (value) => constant(value) as unknown as T,
    add: binary(op.add),
    sub: binary(op.sub),
    mul: binary(op.mul),
    and: binary(op.and),
    or: binary(op.or),
    xor: binary(op.xor),
    shl: binary(op.shl),
    shrS: binary(op.shrS),
    shrU: binary(op.shrU),
    divS: binary(op.divS),
    divU: binary(op.divU),
    remS: binary(op.remS),
    remU: binary(op.remU),
    eqz: (a) => asI32([codeOf(a), op.eqz]),
    eq: compare(op.eq),
    ne: compare(op.ne),
    ltS: compare(op.ltS),
    ltU: compare(op.ltU),
    gtS: compare(op.gtS),
    gtU: compare(op.gtU),
    geS: compare(op.geS),
    geU: compare(op.geU),
    select: (condition, a, b) => [codeOf(a), codeOf(b), codeOf(condition), Op.select] as unknown as T,
  };
  return result;
}

/** The value of a distance in the page, as an address. */
export const addressAt = (offset: number): Code => [getLocal(Local.page), i64Const(offset), Op.i64.add];
