/** System calls of xv6-like kernels, as strace would print them. */
import type { ElfSymbol } from '../machine/elf-sections.js';
import type { Machine } from '../machine/machine.js';
import type { Hart } from '../rv64/hart.js';
import { readVirtual } from './address-space.js';

const ARGUMENT_0 = 10;
const NUMBER = 17;
const POINTER_BYTES = 8;
const MAXIMUM_CALLS = 512;
const MAXIMUM_TEXT = 48;
const MAXIMUM_WORDS = 8;

/** How an argument is shown: `out` is a buffer that the call fills, as long as its result; `in` one as long as the next argument. */
type Kind = 'number' | 'pointer' | 'text' | 'in' | 'out' | 'arguments' | 'flags';

const CALLS: Readonly<Record<string, readonly Kind[]>> = {
  fork: [],
  exit: ['number'],
  wait: ['pointer'],
  pipe: ['pointer'],
  read: ['number', 'out', 'number'],
  kill: ['number'],
  exec: ['text', 'arguments'],
  fstat: ['number', 'pointer'],
  chdir: ['text'],
  dup: ['number'],
  getpid: [],
  sbrk: ['number'],
  sleep: ['number'],
  pause: ['number'],
  uptime: [],
  open: ['text', 'flags'],
  write: ['number', 'in', 'number'],
  mknod: ['text', 'number', 'number'],
  unlink: ['text'],
  link: ['text', 'text'],
  mkdir: ['text'],
  close: ['number'],
  symlink: ['text', 'text'],
  mmap: ['pointer', 'number', 'flags', 'flags', 'number', 'number'],
  munmap: ['pointer', 'number'],
  trace: ['flags'],
};

/** The arguments of a call that is not known here. */
const UNKNOWN: readonly Kind[] = ['pointer', 'pointer', 'pointer'];

/** The numbers of xv6, from 1 on, for kernels that do not show theirs. */
const XV6_ORDER =
  'fork exit wait pipe read kill exec fstat chdir dup getpid sbrk sleep uptime open write mknod unlink link mkdir close';

/** Names by number: from the kernel's table of functions, an array of pointers to `sys_…`, wherever it has one. */
export function callNames(machine: Machine, symbols: readonly ElfSymbol[]): Map<number, string> {
  const functions = new Map<bigint, string>();
  for (const { name, address, kind } of symbols) {
    if (kind === 'function' && name.startsWith('sys_')) functions.set(address, name.slice('sys_'.length));
  }
  const tables = symbols
    .filter(({ kind, size }) => kind === 'object' && size > 0n && size <= MAXIMUM_CALLS * POINTER_BYTES)
    .map((symbol) => functionsIn(machine, symbol, functions));
  const best = tables.sort((a, b) => b.size - a.size)[0];
  if (best && best.size > functions.size / 2) return best;
  return new Map(XV6_ORDER.split(' ').map((name, index) => [index + 1, name]));
}

function functionsIn(
  machine: Machine,
  { address, size }: ElfSymbol,
  functions: ReadonlyMap<bigint, string>,
): Map<number, string> {
  const bytes = machine.readMemory(address, Number(size));
  const found = new Map<number, string>();
  if (bytes === undefined) return found;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let index = 0; (index + 1) * POINTER_BYTES <= bytes.length; index++) {
    const name = functions.get(view.getBigUint64(index * POINTER_BYTES, true));
    if (name !== undefined) found.set(index, name);
  }
  return found;
}

/** A call that has begun, with the arguments as they were then. */
export class SystemCall {
  private readonly shown: (string | ((result: bigint) => string))[];
  private readonly name: string;

  /** `hart` stands at the call. */
  constructor(
    private readonly machine: Machine,
    hart: Hart,
    names: ReadonlyMap<number, string>,
  ) {
    const number = Number(hart.x[NUMBER]);
    this.name = names.get(number) ?? `call ${number}`;
    this.shown = (CALLS[this.name] ?? UNKNOWN).map((kind, index) => this.show(kind, hart, index));
  }

  get isExit(): boolean {
    return this.name === 'exit';
  }

  get begun(): string {
    return this.finished(0n).replace(/ = 0$/, ' = ?');
  }

  /** `write(1, "hi", 2) = 2`. */
  finished(result: bigint): string {
    const shown = this.shown.map((each) => (typeof each === 'string' ? each : each(result)));
    const large = result >= 2n ** 31n || result < -(2n ** 31n);
    return `${this.name}(${shown.join(', ')}) = ${large ? hex(result) : result}`;
  }

  private show(kind: Kind, hart: Hart, index: number): string | ((result: bigint) => string) {
    const value = hart.x[ARGUMENT_0 + index];
    switch (kind) {
      case 'number':
        return String(BigInt.asIntN(32, value));
      case 'pointer':
      case 'flags':
        return hex(value);
      case 'text':
        return this.text(hart, value, 0);
      case 'in':
        return this.text(hart, value, Number(hart.x[ARGUMENT_0 + index + 1]));
      case 'out':
        return (result) => (result > 0n ? this.text(hart, value, Number(result)) : hex(value));
      case 'arguments':
        return this.words(hart, value);
    }
  }

  /** The text at an address, of `length` bytes, or up to a zero if that is 0; where there is none, the address. */
  private text(hart: Hart, address: bigint, length: number): string {
    const wanted = Math.min(length > 0 ? length : MAXIMUM_TEXT + 1, MAXIMUM_TEXT + 1);
    const bytes = readVirtual(this.machine, hart, address, wanted);
    if (bytes.length === 0) return hex(address);
    const zero = length > 0 ? -1 : bytes.indexOf(0);
    const text = String.fromCharCode(...(zero < 0 ? bytes : bytes.subarray(0, zero)));
    const isCut = zero < 0 && text.length > MAXIMUM_TEXT;
    return JSON.stringify(text.slice(0, MAXIMUM_TEXT)) + (isCut ? '...' : '');
  }

  /** Texts by an array of their addresses, which ends with 0. */
  private words(hart: Hart, address: bigint): string {
    const bytes = readVirtual(this.machine, hart, address, MAXIMUM_WORDS * POINTER_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const shown: string[] = [];
    for (let at = 0; at + POINTER_BYTES <= bytes.length; at += POINTER_BYTES) {
      const each = view.getBigUint64(at, true);
      if (each === 0n) return `[${shown.join(', ')}]`;
      shown.push(this.text(hart, each, 0));
    }
    return `[${[...shown, '...'].join(', ')}]`;
  }
}

const hex = (value: bigint): string => `0x${BigInt.asUintN(64, value).toString(16)}`;
