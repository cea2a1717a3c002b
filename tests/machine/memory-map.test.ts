import { describe, expect, test } from 'vitest';
import { BadInputError } from '../../src/machine/errors.js';
import { buildBoard, buildMemoryMap, DEFAULT_RAM_BYTES, RAM_BASE } from '../../src/machine/memory-map.js';

describe('a memory map', () => {
  const map = buildMemoryMap([
    { name: 'high', base: 0x2000, size: 0x1000 },
    { name: 'low', base: 0x1000, size: 0x100 },
  ]);

  test('finds the range that holds an address, and nothing in the gaps', () => {
    const nameAt = (address: number): string | undefined => map.find(address)?.name;
    expect([0, 0xfff, 0x1000, 0x10ff, 0x1100, 0x1fff, 0x2000, 0x2fff, 0x3000].map(nameAt)).toEqual([
      undefined,
      undefined,
      'low',
      'low',
      undefined,
      undefined,
      'high',
      'high',
      undefined,
    ]);
  });

  test('does not find an access that runs over the end of a range', () => {
    expect(map.find(0x10f8, 8)?.name).toBe('low');
    expect(map.find(0x10f9, 8)).toBeUndefined();
  });

  test('lists its ranges in order of address', () => {
    expect(map.ranges.map((range) => range.name)).toEqual(['low', 'high']);
  });

  test('refuses ranges that overlap, by one byte or wholly', () => {
    const build = (base: number, size: number) => () =>
      buildMemoryMap([
        { name: 'a', base: 0x1000, size: 0x100 },
        { name: 'b', base, size },
      ]);
    expect(build(0x10ff, 1)).toThrow('a (0x1000 to 0x1100) and b (0x10ff to 0x1100) overlap');
    expect(build(0xf00, 0x1000)).toThrow('overlap');
    expect(build(0x1000, 0x100)).toThrow('overlap');
    expect(build(0x1100, 1)).not.toThrow();
    expect(build(0xfff, 1)).not.toThrow();
  });

  test('refuses an empty range and a name used twice', () => {
    expect(() => buildMemoryMap([{ name: 'a', base: 0, size: 0 }])).toThrow('empty');
    const twice = [
      { name: 'a', base: 0, size: 1 },
      { name: 'a', base: 8, size: 1 },
    ];
    expect(() => buildMemoryMap(twice)).toThrow('same name');
  });

  test('says when it has no range of a name', () => {
    expect(map.named('low').base).toBe(0x1000);
    expect(() => map.named('sound')).toThrow('the memory map has no sound');
  });
});

describe('the board', () => {
  test('has its devices where kernels for the virt board look for them', () => {
    const { map } = buildBoard(3, DEFAULT_RAM_BYTES);
    expect(map.ranges.map(({ name, base, size, irq }) => [name, base, size, irq])).toEqual([
      ['finisher', 0x10_0000, 0x1000, undefined],
      ['clint', 0x200_0000, 0x1_0000, undefined],
      ['plic', 0xc00_0000, 0x60_0000, undefined],
      ['uart', 0x1000_0000, 0x100, 10],
      ...Array.from({ length: 8 }, (_, slot) => [
        `virtio${slot}`,
        0x1000_1000 + slot * 0x1000,
        0x1000,
        1 + slot,
      ]),
      ['ram', RAM_BASE, 0x800_0000, undefined],
    ]);
  });

  test.each([0, 9, 1.5, NaN])('refuses %s harts', (harts) => {
    expect(() => buildBoard(harts, DEFAULT_RAM_BYTES)).toThrow(BadInputError);
  });

  test.each([0, -4096, 0x1f_f000, 0xc000_1000, DEFAULT_RAM_BYTES + 1, NaN])(
    'refuses %s bytes of RAM',
    (bytes) => {
      expect(() => buildBoard(1, bytes)).toThrow(/the memory size is .* 2M to 3072M, in whole 4 KiB pages/);
    },
  );

  test('takes the smallest and the largest size', () => {
    expect(buildBoard(1, 0x20_0000).map.named('ram').size).toBe(0x20_0000);
    expect(buildBoard(8, 0xc000_0000).map.find(0x1_3fff_ffff)?.name).toBe('ram');
  });
});
