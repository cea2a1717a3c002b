import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkFits, loadInto, readElf } from '../../src/machine/elf.js';
import { BadInputError } from '../../src/machine/errors.js';
import { RAM_BASE } from '../../src/machine/memory-map.js';
import {
  buildElf,
  COUNT_FIELD,
  FIELD,
  MINIMAL,
  PROGRAM_FIELD,
  withField,
  type TestElf,
} from '../support/elf.js';

const MEBIBYTE = 1024 * 1024;
const KERNEL: TestElf = {
  segments: [
    { address: 0x8000_1000n, virtualAddress: 0xffff_ffff_8000_1000n, data: Uint8Array.of(9, 8), flags: 6 },
    { address: 0x8000_0000n, data: Uint8Array.of(1, 2, 3, 4), memoryBytes: 8n, flags: 5 },
    { address: 0n, data: Uint8Array.of(7), type: 4 },
  ],
  entry: 0x8000_0002n,
  symbols: [
    { name: 'start', address: 0x8000_0000n, size: 4n, type: 2, global: true },
    { name: 'table', address: 0x8000_1000n, size: 2n, type: 1 },
    { name: 'spin', address: 0x8000_0002n },
    { name: 'kernel.c', address: 0n, type: 4 },
    { name: 'PGSIZE', address: 4096n, section: 0xfff1 },
    { name: 'missing', address: 0n, section: 0 },
  ],
};

describe('a valid kernel', () => {
  test('is read into its segments, in order of physical address', () => {
    const image = readElf(buildElf(KERNEL));
    expect(image.entry).toBe(0x8000_0002n);
    expect(image.segments).toEqual([
      {
        address: 0x8000_0000n,
        virtualAddress: 0x8000_0000n,
        data: Uint8Array.of(1, 2, 3, 4),
        memoryBytes: 8,
        flags: { read: true, write: false, execute: true },
      },
      {
        address: 0x8000_1000n,
        virtualAddress: 0xffff_ffff_8000_1000n,
        data: Uint8Array.of(9, 8),
        memoryBytes: 2,
        flags: { read: true, write: true, execute: false },
      },
    ]);
  });

  test('keeps its sections and the symbols that name something in it', () => {
    const { sections, symbols } = readElf(buildElf(KERNEL));
    expect(sections.map((section) => section.name)).toEqual(['', '.text', '.symtab', '.strtab']);
    expect(symbols.map(({ name, kind, global, size }) => [name, kind, global, size])).toEqual([
      ['start', 'function', true, 4n],
      ['table', 'object', false, 2n],
      ['spin', 'label', false, 0n],
      ['PGSIZE', 'label', false, 0n],
    ]);
    expect(symbols[3].sectionEnd).toBe(4096n);
  });

  test('is put into RAM, and what the file does not hold is zeroed', () => {
    const ram = new Uint8Array(0x2000).fill(0xff);
    loadInto(readElf(buildElf(KERNEL)), ram, RAM_BASE);
    expect([...ram.subarray(0, 9)]).toEqual([1, 2, 3, 4, 0, 0, 0, 0, 0xff]);
    expect([...ram.subarray(0xfff, 0x1003)]).toEqual([0xff, 9, 8, 0xff]);
  });

  test('may lie anywhere in a larger buffer', () => {
    const file = buildElf(KERNEL);
    const larger = new Uint8Array(file.length + 3);
    larger.set(file, 3);
    expect(readElf(larger.subarray(3))).toEqual(readElf(file));
  });

  test('boots without names when it is stripped, or when its section table makes no sense', () => {
    const damaged = buildElf(KERNEL);
    for (const file of [
      buildElf(),
      withField(damaged, FIELD.sectionOffset, 1n << 63n, 8),
      withField(damaged, FIELD.sectionOffset, BigInt(damaged.length - 1), 8),
      withField(damaged, COUNT_FIELD.sections, 0xffffn, 2),
      withField(damaged, COUNT_FIELD.sectionBytes, 63n, 2),
    ]) {
      const image = readElf(file);
      expect(image.sections).toEqual([]);
      expect(image.symbols).toEqual([]);
      expect(image.segments.length).toBeGreaterThan(0);
    }
  });

  test('boots when the names of its sections are missing', () => {
    const { sections, symbols } = readElf(withField(buildElf(KERNEL), COUNT_FIELD.names, 0xfff0n, 2));
    expect(sections.map((section) => section.name)).toEqual(['', '', '', '']);
    expect(symbols.length).toBe(4);
  });
});

describe('a file that is no kernel is refused with a sentence of its own', () => {
  const minimal = buildElf();
  const segmentsAt = (...addresses: bigint[]): Uint8Array =>
    buildElf({ segments: addresses.map((address) => ({ address, data: new Uint8Array(16) })) });

  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /the kernel file is empty/],
    ['a script', new TextEncoder().encode('#!/bin/sh\n'), /not an ELF file \(it begins with 23 21 2f 62\)/],
    ['a file of two bytes', minimal.subarray(0, 2), /not an ELF file \(it begins with 7f 45\)/],
    [
      'a file that ends in its header',
      minimal.subarray(0, 63),
      /truncated: an ELF header has 64 bytes, the file 63/,
    ],
    ['a 32-bit file', withField(minimal, FIELD.class, 1n, 1), /a 32-bit ELF file/],
    ['a file of unknown class', withField(minimal, FIELD.class, 9n, 1), /its class is 9/],
    ['a big-endian file', withField(minimal, FIELD.byteOrder, 2n, 1), /big-endian/],
    ['a file of unknown byte order', withField(minimal, FIELD.byteOrder, 0n, 1), /its byte order is 0/],
    ['a file for x86-64', buildElf({ ...MINIMAL, machine: 62 }), /built for x86-64, not for RISC-V/],
    ['a file for AArch64', buildElf({ ...MINIMAL, machine: 183 }), /built for AArch64/],
    ['a file for a rare machine', buildElf({ ...MINIMAL, machine: 4242 }), /built for machine number 4242/],
    ['an object file', buildElf({ ...MINIMAL, type: 1 }), /has not been linked/],
    ['a shared object', buildElf({ ...MINIMAL, type: 3 }), /position-independent; link it with -no-pie/],
    ['a core dump', buildElf({ ...MINIMAL, type: 4 }), /not an executable/],
    ['a file of unknown type', buildElf({ ...MINIMAL, type: 0xfe00 }), /not an executable/],
    [
      'program headers of odd size',
      withField(minimal, COUNT_FIELD.programBytes, 8n, 2),
      /have 8 bytes, not 56/,
    ],
    [
      'program headers cut off',
      minimal.subarray(0, 100),
      /its 1 program headers end at byte 120, the file at 100/,
    ],
    [
      'program headers beyond the file',
      withField(minimal, FIELD.programOffset, 1n << 40n, 8),
      /truncated: its 1 program/,
    ],
    [
      'too many program headers',
      withField(minimal, COUNT_FIELD.programs, 0xffffn, 2),
      /its 65535 program headers end/,
    ],
    ['no program headers', buildElf({ segments: [] }), /no loadable segment/],
    ['notes alone', buildElf({ segments: [{ address: 0n, type: 4 }] }), /no loadable segment/],
    [
      'a segment cut off',
      minimal.subarray(0, 130),
      /truncated: its segment 0 ends at byte 136, the file at 130/,
    ],
    [
      'a segment beyond the file',
      withField(minimal, PROGRAM_FIELD.offset, 1n << 40n, 8),
      /truncated: its segment 0/,
    ],
    [
      'an absurd file offset',
      withField(minimal, PROGRAM_FIELD.offset, 1n << 63n, 8),
      /file offset .* absurd/,
    ],
    [
      'an absurd file size',
      withField(minimal, PROGRAM_FIELD.fileBytes, 1n << 63n, 8),
      /size in the file .* absurd/,
    ],
    [
      'an absurd memory size',
      withField(minimal, PROGRAM_FIELD.memoryBytes, 1n << 63n, 8),
      /size in memory .* absurd: about 0x8000000000000000/,
    ],
    [
      'an absurd address',
      withField(minimal, PROGRAM_FIELD.address, 1n << 63n, 8),
      /physical address .* absurd/,
    ],
    [
      'less memory than bytes',
      withField(minimal, PROGRAM_FIELD.memoryBytes, 3n, 8),
      /16 bytes in the file, but 3 in memory/,
    ],
    [
      'overlapping segments',
      segmentsAt(0x8000_0008n, 0x8000_0000n),
      /overlap: 0x80000000 to 0x80000010 and 0x80000008 to 0x80000018/,
    ],
    ['an odd entry point', withField(minimal, FIELD.entry, 0x8000_0001n, 8), /entry point 0x80000001 is odd/],
  ])('%s', (_, file, message) => {
    const read = (): unknown => readElf(file);
    expect(read).toThrow(BadInputError);
    expect(read).toThrow(message);
  });
});

describe('a kernel that does not fit the board is refused', () => {
  const reasonAgainst = (elf: TestElf): (() => void) => {
    const image = readElf(buildElf(elf));
    return () => checkFits(image, RAM_BASE, 2 * MEBIBYTE);
  };

  test.each<[string, TestElf, RegExp]>([
    [
      'below RAM',
      { segments: [{ address: 0n, memoryBytes: 16n }] },
      /\(0x0 to 0x10\) lies outside memory: RAM is 0x80000000 to 0x80200000; link/,
    ],
    [
      'across the start of RAM',
      { segments: [{ address: 0x7fff_fff0n, memoryBytes: 32n }] },
      /0x7ffffff0 to 0x80000010\) lies outside/,
    ],
    ['far above RAM', { segments: [{ address: 1n << 52n, memoryBytes: 32n }] }, /lies outside memory/],
    [
      'larger than any RAM',
      { segments: [{ address: 0x8000_0000n, memoryBytes: 1n << 52n }] },
      /lies outside memory/,
    ],
    [
      'larger than this RAM',
      { segments: [{ address: 0x8000_0000n, memoryBytes: 0x20_0001n }] },
      /needs memory up to 0x80200001, but .* --memory 3M/,
    ],
    ['started below RAM', { ...MINIMAL, entry: 0n }, /entry point 0x0 lies outside memory/],
    ['started above RAM', { ...MINIMAL, entry: 0x8020_0000n }, /entry point 0x80200000 lies outside memory/],
  ])('%s', (_, elf, message) => {
    expect(reasonAgainst(elf)).toThrow(BadInputError);
    expect(reasonAgainst(elf)).toThrow(message);
  });

  test('and nothing of it is written', () => {
    const ram = new Uint8Array(0x1000).fill(0xff);
    expect(() => loadInto(readElf(buildElf(KERNEL)), ram, RAM_BASE)).toThrow(BadInputError);
    expect(ram.every((byte) => byte === 0xff)).toBe(true);
  });

  test('but one that fills it to the last byte is taken', () => {
    expect(reasonAgainst({ segments: [{ address: 0x8000_0000n, memoryBytes: 0x20_0000n }] })).not.toThrow();
  });
});

describe('whatever the file holds', () => {
  const valid = buildElf(KERNEL);
  const RAM = new Uint8Array(0x4000);

  /** Loads a file; any error but BadInputError fails the test, and so does an image out of proportion to the file. */
  function load(file: Uint8Array): void {
    try {
      const image = readElf(file);
      const parts = [...image.segments, ...image.sections];
      expect(parts.every(({ data }) => data.length === 0 || data.buffer === file.buffer)).toBe(true);
      expect(image.segments.length * 56).toBeLessThanOrEqual(file.length);
      expect(image.sections.length * 64).toBeLessThanOrEqual(file.length);
      expect(image.symbols.length * 24).toBeLessThanOrEqual(file.length);
      loadInto(image, RAM, RAM_BASE);
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error;
      expect(error.message).toMatch(/^the kernel|^(a segment|the .*|two segments) of the kernel/);
      expect(error.message).not.toMatch(/undefined|NaN|\n/);
    }
  }

  const tablesStart = valid.length - 4 * 64;
  const interesting = fc.oneof(
    fc.constantFrom(
      0n,
      1n,
      63n,
      64n,
      0xffffn,
      0x7fff_ffffn,
      0x8000_0000n,
      0xffff_ffffn,
      1n << 53n,
      1n << 63n,
      (1n << 64n) - 1n,
    ),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    fc.bigInt({ min: 0n, max: BigInt(2 * valid.length) }),
  );

  test('flipped bits raise nothing but BadInputError', () => {
    const flip = fc.nat({ max: valid.length * 8 - 1 });
    fc.assert(
      fc.property(fc.array(flip, { minLength: 1, maxLength: 20 }), (flips) => {
        const file = Uint8Array.from(valid);
        for (const bit of flips) file[bit >> 3] ^= 1 << (bit & 7);
        load(file);
      }),
      { numRuns: 2000 },
    );
  });

  test('truncation at every length raises nothing but BadInputError', () => {
    for (let length = 0; length <= valid.length; length++) load(valid.slice(0, length));
  });

  test('wild values in the fields of all headers raise nothing but BadInputError', () => {
    const headerOffset = fc.oneof(
      fc.integer({ min: 16, max: 64 + 3 * 56 - 8 }),
      fc.integer({ min: tablesStart, max: valid.length - 8 }),
    );
    const edit = fc.tuple(headerOffset, interesting, fc.constantFrom<1 | 2 | 8>(1, 2, 8));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
        load(edits.reduce((file, [offset, value, bytes]) => withField(file, offset, value, bytes), valid));
      }),
      { numRuns: 2000 },
    );
  });

  test('random bytes after a good identification raise nothing but BadInputError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 400 }), (tail) => {
        const file = new Uint8Array(20 + tail.length);
        file.set(valid.subarray(0, 20));
        file.set(tail, 20);
        load(file);
      }),
      { numRuns: 1000 },
    );
  });

  test('many symbols that share one endless name are left without names', () => {
    const symbols = Array.from({ length: 2000 }, () => ({ name: '', address: 0n }));
    const file = buildElf({ ...MINIMAL, symbols: [{ name: 'x'.repeat(100_000), address: 0n }, ...symbols] });
    expect(readElf(file).symbols).toEqual([]);
  });
});
