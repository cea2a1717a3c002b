/**
 * The code of a translated function as WebAssembly text (core specification, chapter "Text Format"), operands folded
 * into their operations. The alignment of accesses, which is never claimed, is left out.
 */
import { Memory, Op } from './wasm.js';

/** What the code's numbers are called. */
export interface Names {
  local(index: number): string;
  /** Name, parameters and results of an imported function. */
  function(index: number): { readonly name: string; readonly takes: number; readonly gives: number };
  /** What lies at a distance from what a local points to, if that has a name. */
  field(base: string, offset: number): string | undefined;
  /** The first blocks, in the order of their beginnings. */
  readonly blocks: readonly string[];
  /** A comment for the code from a position on. */
  note(at: number): readonly string[];
}

interface Operation {
  readonly name: string;
  readonly takes: number;
  readonly gives: number;
}

/** An operation with its operands. */
interface Expression {
  readonly head: string;
  readonly operands: readonly Expression[];
}

const WIDTH = 100;
const INDENT = '  ';

const withSign = (key: string): string => key.replace(/[SU]$/, (sign) => `_${sign.toLowerCase()}`);

const numeric = (type: 'i32' | 'i64'): [number, Operation][] =>
  Object.entries(Op[type]).map(([key, code]) => [
    code,
    { name: `${type}.${withSign(key)}`, takes: key === 'eqz' ? 1 : 2, gives: 1 },
  ]);

const OPERATIONS: ReadonlyMap<number, Operation> = new Map([
  ...numeric('i32'),
  ...numeric('i64'),
  [Op.unreachable, { name: 'unreachable', takes: 0, gives: 0 }],
  [Op.select, { name: 'select', takes: 3, gives: 1 }],
  [Op.wrap, { name: 'i32.wrap_i64', takes: 1, gives: 1 }],
  [Op.extendS, { name: 'i64.extend_i32_s', takes: 1, gives: 1 }],
  [Op.extendU, { name: 'i64.extend_i32_u', takes: 1, gives: 1 }],
  [Op.f64.add, { name: 'f64.add', takes: 2, gives: 1 }],
  [Op.f64.fromI32, { name: 'f64.convert_i32_s', takes: 1, gives: 1 }],
]);

const ACCESSES: ReadonlyMap<number, Operation> = new Map(
  Object.entries(Memory).map(([key, code]) => {
    const [, type, kind, rest] = /^([if]\d\d)(Load|Store)(.*)$/.exec(key)!;
    const name = `${type}.${kind.toLowerCase()}${withSign(rest)}`;
    return [code, { name, takes: kind === 'Load' ? 1 : 2, gives: kind === 'Load' ? 1 : 0 }];
  }),
);

/** Lines of text for the code of a function; `parameters` is how many the functions take that it goes on to. */
export function listing(code: ArrayLike<number>, names: Names, parameters: number): string[] {
  const reader = new Lister(code, names, parameters);
  reader.readAll();
  return reader.lines;
}

class Lister {
  readonly lines: string[] = [];
  private at = 0;
  private readonly labels: string[] = [];
  private blocks = 0;
  /** Values that no operation has taken yet. */
  private stack: Expression[] = [];

  constructor(
    private readonly code: ArrayLike<number>,
    private readonly names: Names,
    private readonly parameters: number,
  ) {}

  readAll(): void {
    while (this.at < this.code.length) {
      for (const note of this.names.note(this.at)) this.line(`;; ${note}`);
      this.read(this.code[this.at++]);
    }
    this.flush();
  }

  private read(op: number): void {
    const operation = OPERATIONS.get(op);
    const access = ACCESSES.get(op);
    if (operation) this.apply(operation);
    else if (access) this.access(access);
    else if (op === Op.block || op === Op.loop || op === Op.if) this.open(op);
    else if (op === Op.else || op === Op.end) this.close(op);
    else this.other(op);
  }

  /** What has operands in the code: see the functions of wasm.ts. */
  private other(op: number): void {
    switch (op) {
      case 0x0c:
        return this.apply({ name: `br ${this.label()}`, takes: 0, gives: 0 });
      case 0x0d:
        return this.apply({ name: `br_if ${this.label()}`, takes: 1, gives: 0 });
      case 0x10: {
        const called = this.names.function(this.unsigned());
        return this.apply({ ...called, name: `call $${called.name}` });
      }
      case 0x13: {
        const type = this.unsigned();
        this.at++; // The table, of which there is one.
        const takes = this.parameters + 1;
        return this.apply({ name: `return_call_indirect (type ${type})`, takes, gives: 0 });
      }
      case 0x20:
        return this.apply({ name: `local.get ${this.local()}`, takes: 0, gives: 1 });
      case 0x21:
        return this.apply({ name: `local.set ${this.local()}`, takes: 1, gives: 0 });
      case 0x22:
        return this.apply({ name: `local.tee ${this.local()}`, takes: 1, gives: 1 });
      case 0x41:
        return this.apply({ name: `i32.const ${this.signed()}`, takes: 0, gives: 1 });
      case 0x42:
        return this.apply({ name: `i64.const ${this.signed()}`, takes: 0, gives: 1 });
      case 0xfc: {
        const isCopy = this.unsigned() === 0x0a;
        this.at += isCopy ? 2 : 1; // The memories, of which there is one.
        return this.apply({ name: isCopy ? 'memory.copy' : 'memory.fill', takes: 3, gives: 0 });
      }
      default:
        throw new Error(`no listing for the operation 0x${op.toString(16)}`);
    }
  }

  private access(operation: Operation): void {
    this.at++; // The alignment.
    const offset = this.unsigned();
    const base = this.stack[this.stack.length - operation.takes];
    const field = base && this.names.field(base.head.replace('local.get $', ''), offset);
    const comment = field === undefined ? '' : ` (;${field};)`;
    this.apply({ ...operation, name: `${operation.name}${offset ? ` offset=${offset}` : ''}${comment}` });
  }

  private apply({ name, takes, gives }: Operation): void {
    // Fewer are there where the others stand in lines of their own already.
    const operands = takes === 0 ? [] : this.stack.splice(-takes);
    const expression = { head: name, operands };
    if (gives === 0) this.flush();
    this.stack.push(expression);
    if (gives === 0) this.flush();
  }

  private open(op: number): void {
    this.at++; // The type: none leaves anything on the stack.
    this.flush();
    const [kind] = Object.entries(Op).find(([, code]) => code === op)!;
    const label = op === Op.block ? this.names.blocks[this.blocks] : undefined;
    this.blocks++;
    const name = `$${label ?? `${kind}${this.blocks}`}`;
    this.line(`${kind} ${name}`);
    this.labels.push(name);
  }

  private close(op: number): void {
    this.flush();
    const label = this.labels.pop()!;
    this.line(op === Op.else ? 'else' : 'end');
    if (op === Op.else) this.labels.push(label);
  }

  private flush(): void {
    for (const expression of this.stack) this.write(expression, this.labels.length);
    this.stack = [];
  }

  /** An expression in one line, or with its operands in lines of their own. */
  private write({ head, operands }: Expression, depth: number): void {
    const whole = textOf({ head, operands });
    if (operands.length === 0 || whole.length + depth * INDENT.length <= WIDTH) {
      this.lines.push(INDENT.repeat(depth) + whole);
      return;
    }
    this.lines.push(`${INDENT.repeat(depth)}(${head}`);
    for (const operand of operands) this.write(operand, depth + 1);
    this.lines[this.lines.length - 1] += ')';
  }

  private line(text: string): void {
    this.lines.push(INDENT.repeat(this.labels.length) + text);
  }

  private local(): string {
    return `$${this.names.local(this.unsigned())}`;
  }

  private label(): string {
    return this.labels[this.labels.length - 1 - this.unsigned()];
  }

  private unsigned(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.code[this.at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  private signed(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.code[this.at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(Number(shift) + 7, value);
    }
  }
}

const textOf = ({ head, operands }: Expression): string => `(${[head, ...operands.map(textOf)].join(' ')})`;
