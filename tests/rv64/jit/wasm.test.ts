import { describe, expect, it } from 'vitest';
import { type FunctionBody, encodeModule, encodePreamble } from '../../../src/rv64/jit/module.js';
import { Output } from '../../../src/rv64/jit/output.js';
import {
  access,
  block,
  branchIf,
  flat,
  getLocal,
  I32_TYPE,
  I64_TYPE,
  i32Const,
  i64Const,
  ifThen,
  Memory,
  Op,
  setLocal,
  signed,
  unsigned,
} from '../../../src/rv64/jit/wasm.js';

type Compute = (a: bigint, b: bigint) => bigint;

/** A function of two 64-bit numbers, built, validated and instantiated. */
function build(code: FunctionBody['code'], { i32Locals = 0, i64Locals = 0 } = {}) {
  const bytes = encodeModule({
    preamble: encodePreamble([{ parameters: [I64_TYPE, I64_TYPE], results: [I64_TYPE] }], []),
    functions: [{ type: 0, i32Locals, i64Locals, code }],
    exports: { compute: 0 },
    elements: [{ slot: 0, function: 0 }],
  });
  expect(WebAssembly.validate(bytes)).toBe(true);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory, table } });
  return { compute: instance.exports.compute as Compute, memory, table };
}

describe('the WebAssembly builder', () => {
  it.each([0, 1, 63, 64, 127, 128, 300, 65_535, 2 ** 31, 2 ** 32 - 1])('writes %d unsigned', (value) => {
    const back = unsigned(value).reduce((sum, byte, i) => sum + (byte & 0x7f) * 128 ** i, 0);
    expect(back).toBe(value);
  });

  it.each([0, 1, -1, 63, 64, -64, -65, 8191, -8192, 2 ** 31 - 1, -(2 ** 31)])('writes %d signed', (value) => {
    expect(build(i64Const(value)).compute(0n, 0n)).toBe(BigInt(value));
    expect(build([i32Const(value), Op.extendS]).compute(0n, 0n)).toBe(BigInt(value));
    expect(signed(value).length).toBeLessThanOrEqual(5);
  });

  it('puts operands before their operation', () => {
    const { compute } = build([getLocal(0), getLocal(1), Op.i64.sub]);
    expect(compute(5n, 7n)).toBe(-2n);
  });

  it('writes a piece of code wherever it stands', () => {
    const square = [[getLocal(0), [getLocal(0)]], Op.i64.mul];
    expect(build([square, [[square]], Op.i64.add]).compute(3n, 0n)).toBe(18n);
  });

  it('writes what writes itself, however long it is', () => {
    const sum = flat([getLocal(0), i64Const(1), Op.i64.add, setLocal(0)]);
    const rounds = 20_000;
    const output = new Output();
    for (let round = 0; round < rounds; round++) output.write(sum);
    output.write(getLocal(0));
    const { compute } = build(output.bytes.subarray(0, output.length));
    expect(compute(5n, 0n)).toBe(5n + BigInt(rounds));
  });

  it('gives functions locals of both types after their parameters', () => {
    const code = [i32Const(4), setLocal(2), getLocal(0), setLocal(3), getLocal(2), Op.extendU];
    const { compute } = build([code, getLocal(3), Op.i64.add], { i32Locals: 1, i64Locals: 1 });
    expect(compute(38n, 0n)).toBe(42n);
  });

  it('leaves blocks by their labels', () => {
    const unlessZero = [getLocal(0), Op.i64.eqz, branchIf(0), i64Const(9), setLocal(1)];
    const { compute } = build([block(unlessZero), getLocal(1)]);
    expect(compute(0n, 1n)).toBe(1n);
    expect(compute(3n, 1n)).toBe(9n);
  });

  it('does what stands under a condition', () => {
    const code = [getLocal(0), Op.wrap, ifThen([i64Const(-7), setLocal(1)]), getLocal(1)];
    expect(build(code).compute(0n, 5n)).toBe(5n);
    expect(build(code).compute(1n, 5n)).toBe(-7n);
  });

  it('reaches memory at constant distances', () => {
    const { compute, memory } = build([
      [getLocal(0), Op.wrap, getLocal(1), access(Memory.i64Store, 1000)],
      [getLocal(0), Op.wrap, access(Memory.i64Load32S, 1000)],
    ]);
    expect(compute(8n, 0x1_ffff_fffen)).toBe(-2n);
    expect(new DataView(memory.buffer).getBigUint64(1008, true)).toBe(0x1_ffff_fffen);
  });

  it('puts functions into the table and exports them', () => {
    const { compute, table } = build(getLocal(1));
    expect((table.get(0) as Compute)(1n, 2n)).toBe(compute(1n, 2n));
  });

  it('types parameters as it is told', () => {
    const bytes = encodeModule({
      preamble: encodePreamble([{ parameters: [I32_TYPE], results: [I32_TYPE] }], []),
      functions: [{ type: 0, i32Locals: 0, i64Locals: 0, code: getLocal(0) }],
    });
    expect(WebAssembly.validate(bytes)).toBe(true);
  });
});
