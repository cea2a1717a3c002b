/** Variables of C as a compiler describes them in each version of DWARF, where there is a compiler. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { partsOf, showValue, type TypedValue } from '../../../src/debug/dwarf/typed-value.js';
import { typeName } from '../../../src/debug/dwarf/types.js';
import { Program } from '../../../src/debug/programs.js';
import { readElf } from '../../../src/machine/elf.js';

const COMPILER = 'riscv64-unknown-elf-gcc';
const hasCompiler = spawnSync(COMPILER, ['--version']).status === 0;
if (!hasCompiler) console.log(`${COMPILER} is not installed: what it says of variables is not tested`);

const SOURCE = `
enum colour { RED, GREEN = 7 };
typedef unsigned long word;
struct point { short x; char name[8]; struct point *next; enum colour colour; union { int one; char other[4]; } either; };
struct point origin = { -3, "origin", 0, GREEN, { 0x41424344 } };
int use(void *what) { return what != 0; }
int sum(const struct point *from, word count, char letter) {
  int total = -5;
  struct point copy = *from;
  const char *text = "hello";
  int grid[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
  _Bool is_done = 1;
  for (int i = 0; i < 3; i++) { long inner = 11; use(&inner); total += i; }
  use(&copy); use(&total); use(grid); use(&text); use(&is_done);
  return total;
}
void start(void) { sum(&origin, 42, 'x'); for (;;) ; }
`;

const FRAME_POINTER = 8n;
/** Where the stack of the made-up frame is, and how much of it there is. */
const STACK = 0x9000_0000n;
const STACK_BYTES = 4096;

function compile(...options: string[]): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'rvemu-dwarf-'));
  try {
    writeFileSync(join(folder, 'program.c'), SOURCE);
    const words = ['-nostdlib', '-ffreestanding', '-mcmodel=medany', '-Wl,-Ttext=0x80000000', '-Wl,-e,start'];
    execFileSync(COMPILER, [...words, ...options, '-o', 'program', 'program.c'], { cwd: folder });
    return readFileSync(join(folder, 'program'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Memory with the program in it, and a frame whose saved bytes are all 0 but for those in `stack`. */
function memoryOf(elf: Uint8Array, stack: Uint8Array) {
  const segments = readElf(elf).segments.map(({ virtualAddress, data }) => ({ start: virtualAddress, data }));
  const all = [...segments, { start: STACK, data: stack }];
  return (address: bigint, length: number): Uint8Array => {
    const found = all.find(({ start, data }) => address >= start && address < start + BigInt(data.length));
    if (found === undefined) return new Uint8Array();
    const offset = Number(address - found.start);
    return found.data.subarray(offset, offset + length);
  };
}

describe.skipIf(!hasCompiler).each([2, 3, 4, 5])('in DWARF %i', (version) => {
  const elf = hasCompiler ? compile('-O0', `-gdwarf-${version}`) : new Uint8Array();
  const program = hasCompiler ? new Program('program', readElf(elf)) : undefined!;
  const stack = new Uint8Array(STACK_BYTES);
  const memory = hasCompiler ? memoryOf(elf, stack) : undefined!;
  const top = STACK + BigInt(STACK_BYTES) - 64n;
  const frame = {
    register: (number: number) => (BigInt(number) === FRAME_POINTER ? top : STACK),
    memory,
    callerStackPointer: top,
  };
  const surroundings = { memory, describe: (address: bigint) => `0x${address.toString(16)}` };
  const show = (value: TypedValue | undefined) => value && showValue(value, surroundings);
  const parts = (value: TypedValue) => partsOf(value, surroundings);
  const part = (value: TypedValue, name: string) => parts(value).find((each) => each.name === name)!;
  /** The frame in the middle of `sum`. */
  const values = () => program.variables.at(Number(program.symbols.address('sum')!) + 0x40, frame);

  it('parameters and variables of a function have names and types', () => {
    const listed = values().map(({ name, type }) => `${typeName(type)} ${name}`);
    expect(listed).toEqual([
      'const struct point * from',
      'word count',
      'char letter',
      'int total',
      'struct point copy',
      'const char * text',
      'int [2][3] grid',
      '_Bool is_done',
    ]);
  });

  it('their values lie in the frame', () => {
    for (const { name, bytes, address } of values()) {
      expect(address, name).toBeLessThan(top);
      if (name === 'total') new DataView(bytes!.buffer, bytes!.byteOffset).setInt32(0, -5, true);
      if (name === 'letter') bytes![0] = 'x'.charCodeAt(0);
      if (name === 'is_done') bytes![0] = 1;
      if (name === 'grid') new DataView(bytes!.buffer, bytes!.byteOffset).setInt32(16, 5, true);
    }
    const shown = Object.fromEntries(values().map((value) => [value.name, show(value)]));
    expect(shown).toMatchObject({
      total: '-5',
      letter: "120 'x'",
      is_done: 'true',
      count: '0',
      copy: '{...}',
    });
    expect(parts(values().find(({ name }) => name === 'grid')!).map(show)).toEqual([
      '0',
      '0',
      '0',
      '0',
      '5',
      '0',
    ]);
  });

  it('variables of a block are seen in it, before those around it', () => {
    const { lines, symbols } = program;
    const start = Number(symbols.address('sum')!);
    const inside = Array.from({ length: 400 }, (_, index) => start + 2 * index).find((address) =>
      program.variables.at(address, frame).some(({ name }) => name === 'inner'),
    )!;
    expect(lines.at(inside)!.line).toBe(SOURCE.split('\n').findIndex((line) => line.includes('inner')) + 1);
    const names = program.variables.at(inside, frame).map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(['inner', 'i', 'from']);
  });

  it('a structure outside of functions has its members, as text, number, name and pointer', () => {
    const origin = program.variables.global('origin', frame)!;
    expect(typeName(origin.type)).toBe('struct point');
    expect(parts(origin).map((each) => `${each.name} ${show(each)}`)).toEqual([
      'x -3',
      'name "origin"',
      'next 0x0',
      'colour GREEN',
      'either {...}',
    ]);
    expect(show(part(part(origin, 'either'), 'other'))).toBe('"DCBA"');
  });

  it('nothing is seen outside of functions', () => {
    expect(program.variables.at(0x1000, frame)).toEqual([]);
    expect(program.variables.global('nothing', frame)).toBeUndefined();
  });
});

it.skipIf(!hasCompiler)('what a compiler has optimized out is said to be', () => {
  const elf = compile('-O2', '-gdwarf-5', '-fno-inline');
  const program = new Program('program', readElf(elf));
  const memory = memoryOf(elf, new Uint8Array(STACK_BYTES));
  const start = Number(program.symbols.address('use')!);
  const state = { register: () => undefined, memory, callerStackPointer: undefined };
  const [value] = program.variables.at(start, state);
  expect(showValue(value, { memory, describe: String })).toBe('<optimized out>');
});

it.skipIf(!hasCompiler)('information that was cut off or garbled is left out, and nothing is thrown', () => {
  const { sections, ...image } = readElf(compile('-O1', '-gdwarf-5'));
  const frame = { register: () => 0n, memory: () => new Uint8Array(), callerStackPointer: 0n };
  for (let seed = 1; seed < 200; seed++) {
    const damaged = sections.map((section) => {
      const data = section.data.slice(0, seed % 3 === 0 ? section.data.length >> 1 : undefined);
      for (let at = seed % 7; at < data.length; at += 37 + seed) data[at] ^= seed;
      return { ...section, data: section.name.startsWith('.debug') ? data : section.data };
    });
    const program = new Program('damaged', { ...image, sections: damaged });
    const start = Number(program.symbols.address('sum')!);
    for (let at = start; at < start + 40; at += 2) {
      program.variables.at(at, frame);
      program.unwinder.caller({ pc: at, register: () => 0n }, () => 0n);
    }
  }
});
