/** WebAssembly modules, in the binary format (WebAssembly core specification, chapter "Binary Format", "Modules"). */
import { Output } from './output.js';
import { type Bytes, type Code, I32_TYPE, I64_TYPE, i32Const, Op, unsigned } from './wasm.js';

const FUNCTION_TYPE = 0x60;
const FUNCREF = 0x70;

export interface FunctionType {
  readonly parameters: Bytes;
  readonly results: Bytes;
}

export interface FunctionBody {
  /** Index into the module's types. */
  readonly type: number;
  /** How many locals of each type follow the parameters, in this order. */
  readonly i32Locals: number;
  readonly i64Locals: number;
  /** Without the final `end`. */
  readonly code: Code | Uint8Array;
}

export interface ModuleParts {
  readonly preamble: Bytes;
  readonly functions: readonly FunctionBody[];
  /** Names under which functions of the module are exported. */
  readonly exports?: Readonly<Record<string, number>>;
  /** Slots of `env.table`, and the functions to put there. */
  readonly elements?: readonly { readonly slot: number; readonly function: number }[];
}

const MAGIC = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/**
 * The beginning of modules: their types, and the functions that they import from module `env`, by name and type, which come
 * first in the numbering of functions. They also import `env.memory` and `env.table`.
 */
export function encodePreamble(
  types: readonly FunctionType[],
  imports: readonly { readonly name: string; readonly type: number }[],
): Bytes {
  const output = new Output();
  output.write(MAGIC);
  section(
    output,
    1,
    types.map(({ parameters, results }) => [FUNCTION_TYPE, vector(parameters), vector(results)]),
  );
  section(output, 2, [
    [name('env'), name('memory'), 2, 0, 1],
    [name('env'), name('table'), 1, FUNCREF, 0, 1],
    ...imports.map((item) => [name('env'), name(item.name), 0, unsigned(item.type)]),
  ]);
  return Array.from(output.bytes.subarray(0, output.length));
}

/** The bytes of a module, good until the next one is written to `output`. */
export function encodeModule(parts: ModuleParts, output = new Output()): Uint8Array<ArrayBuffer> {
  const { preamble, functions, exports = {}, elements = [] } = parts;
  output.length = 0;
  output.write(preamble);
  section(
    output,
    3,
    functions.map(({ type }) => unsigned(type)),
  );
  section(
    output,
    7,
    Object.entries(exports).map(([key, index]) => [name(key), 0, unsigned(index)]),
  );
  section(
    output,
    9,
    elements.map((item) => [0, i32Const(item.slot), Op.end, 1, unsigned(item.function)]),
  );
  output.byte(10);
  output.measured(() => {
    output.unsigned(functions.length);
    for (const body of functions) output.measured(() => writeFunction(output, body));
  });
  return output.bytes.subarray(0, output.length);
}

function section(output: Output, id: number, items: readonly Code[]): void {
  if (items.length === 0) return;
  output.byte(id);
  output.measured(() => output.write([unsigned(items.length), items]));
}

function writeFunction(output: Output, { i32Locals, i64Locals, code }: FunctionBody): void {
  output.write([2, unsigned(i32Locals), I32_TYPE, unsigned(i64Locals), I64_TYPE]);
  if (code instanceof Uint8Array) output.copy(code);
  else output.write(code);
  output.byte(Op.end);
}

const vector = (bytes: Bytes): Code => [unsigned(bytes.length), bytes];
const name = (text: string): Code => vector([...text].map((letter) => letter.charCodeAt(0)));
