import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ElfSymbol } from '../../src/machine/elf-sections.js';
import { sourceName, SymbolTable } from '../../src/machine/symbols.js';

/** A symbol of a section that ends at 0x9000. */
const symbol = (
  name: string,
  address: number,
  size = 0,
  kind: ElfSymbol['kind'] = size > 0 ? 'function' : 'label',
  global = true,
): ElfSymbol => ({ name, address: BigInt(address), size: BigInt(size), kind, global, sectionEnd: 0x9000n });

const describeAll = (symbols: ElfSymbol[], ...addresses: number[]): string[] => {
  const table = new SymbolTable(symbols);
  return addresses.map((address) => table.describe(BigInt(address)));
};

describe('the range of a name', () => {
  test('ends with the symbol, or where the next one begins', () => {
    const table = new SymbolTable([
      symbol('kfree', 0x1000, 0x20),
      symbol('swtch', 0x1080),
      symbol('next', 0x10c0),
    ]);
    expect(table.rangesOf('kfree')).toEqual([{ start: 0x1000n, end: 0x1020n }]);
    expect(table.rangesOf('swtch')).toEqual([{ start: 0x1080n, end: 0x10c0n }]);
    expect(table.rangesOf('kaloc')).toEqual([]);
  });

  test('is the same for two names of one place', () => {
    const table = new SymbolTable([symbol('trampoline', 0x1000), symbol('uservec', 0x1000)]);
    expect(table.rangesOf('uservec')).toEqual(table.rangesOf('trampoline'));
  });

  test('has the clones and parts of a function', () => {
    const table = new SymbolTable([symbol('walk.isra.0', 0x1000, 8), symbol('walk.cold', 0x1100, 8)]);
    expect(table.rangesOf('walk').map(({ start }) => start)).toEqual([0x1000n, 0x1100n]);
  });
});

describe('an address', () => {
  test('is described by the function that holds it', () => {
    const functions = [symbol('kfree', 0x1010, 0x20), symbol('kalloc', 0x1000, 0x10)];
    expect(describeAll(functions, 0x1000, 0x100f, 0x1010, 0x102f)).toEqual([
      'kalloc',
      'kalloc+0xf',
      'kfree',
      'kfree+0x1f',
    ]);
  });

  test('outside every symbol is described in hexadecimal', () => {
    expect(describeAll([symbol('kfree', 0x1000, 0x10)], 0xfff, 0x1010, 0)).toEqual([
      '0xfff',
      '0x1010',
      '0x0',
    ]);
    expect(describeAll([], 0x1000)).toEqual(['0x1000']);
  });

  test('between labels of assembly belongs to the one before, up to the next symbol or the end of the section', () => {
    const code = [symbol('swtch', 0x1000), symbol('uservec', 0x1080), symbol('main', 0x1100, 0x10)];
    expect(describeAll(code, 0x107e, 0x10fe, 0x1110)).toEqual(['swtch+0x7e', 'uservec+0x7e', '0x1110']);
    expect(describeAll([symbol('main', 0x1000, 0x10), symbol('swtch', 0x1020)], 0x1024)).toEqual([
      'swtch+0x4',
    ]);
    expect(describeAll([symbol('timervec', 0x8ff0)], 0x8fff, 0x9000)).toEqual(['timervec+0xf', '0x9000']);
  });

  test('is described by a function rather than by an object or label at the same place', () => {
    const same = [
      symbol('start', 0x1000),
      symbol('blob', 0x1000, 8, 'object'),
      symbol('_entry', 0x1000, 8, 'function', false),
    ];
    expect(describeAll(same, 0x1000, 0x1004)).toEqual(['_entry', '_entry+0x4']);
  });

  test('is described by the global of two names, and by the one with a size', () => {
    expect(describeAll([symbol('a', 0x1000, 8, 'function', false), symbol('b', 0x1000, 8)], 0x1000)).toEqual([
      'b',
    ]);
    expect(describeAll([symbol('a', 0x1000), symbol('b', 0x1000, 8, 'label')], 0x1000)).toEqual(['b']);
  });

  test('past a label inside a function still belongs to the function', () => {
    const code = [symbol('main', 0x1000, 0x40), symbol('spin', 0x1010, 0, 'label', false)];
    expect(describeAll(code, 0x1010, 0x1020)).toEqual(['main+0x10', 'main+0x20']);
  });

  test('in a function without a size belongs to it, whatever labels and objects are inside', () => {
    const code = [
      symbol('trap', 0x1000, 0, 'function'),
      symbol('loop', 0x1010),
      symbol('next', 0x1100, 0, 'function'),
    ];
    expect(describeAll(code, 0x1020, 0x1100)).toEqual(['trap+0x20', 'next']);
  });

  test('of a function inside an object is described by the function', () => {
    expect(
      describeAll([symbol('page', 0x1000, 0x100, 'object'), symbol('go', 0x1010, 4)], 0x100f, 0x1010),
    ).toEqual(['page+0xf', 'go']);
  });

  test('that ends a section has the name of the label there, and of nothing further', () => {
    expect(describeAll([symbol('end', 0x9000)], 0x9000, 0x9001)).toEqual(['end', '0x9001']);
  });

  test('in the upper half may be given as a negative number', () => {
    const high = { ...symbol('high', 0, 16), address: 0xffff_ffff_ffff_0000n };
    const table = new SymbolTable([high]);
    expect(table.nameAt(-0x1_0000n + 4n)).toEqual({ name: 'high', offset: 4 });
    expect(table.describe(-1n)).toBe('0xffffffffffffffff');
  });
});

describe('a name', () => {
  test('has the address of its symbol, and of the global one where there are several', () => {
    const table = new SymbolTable([symbol('init', 0x1000, 8, 'function', false), symbol('init', 0x2000, 8)]);
    expect(table.address('init')).toBe(0x2000n);
    expect(table.address('initial')).toBeUndefined();
  });

  test('that is a mapping symbol or local to the assembler is not known', () => {
    const names = ['$x', '$d', '$xrv64i2p1_m2p0', '.L12', '.LANCHOR0'];
    const table = new SymbolTable(names.map((name) => symbol(name, 0x1000)));
    expect(names.map((name) => table.address(name))).toEqual(names.map(() => undefined));
    expect(table.nameAt(0x1000n)).toBeUndefined();
  });

  test('of a clone is shown as in the source, but looked up as the compiler spells it', () => {
    const table = new SymbolTable([symbol('freewalk.part.0', 0x1000, 8)]);
    expect(table.describe(0x1004n)).toBe('freewalk+0x4');
    expect(table.address('freewalk.part.0')).toBe(0x1000n);
    expect(table.address('freewalk')).toBeUndefined();
  });

  test.each([
    ['kfree', 'kfree'],
    ['kfree.isra.0', 'kfree'],
    ['walk.constprop.12', 'walk'],
    ['walk.part.0.isra.1', 'walk'],
    ['panic.cold', 'panic'],
    ['first.1', 'first.1'],
    ['.isratext', '.isratext'],
  ])('%s is %s in the source', (name, expected) => {
    expect(sourceName(name)).toBe(expected);
  });
});

test('of any symbols, each address gets the name of one that starts at or before it, and a start its own best one', () => {
  const kinds = fc.constantFrom<ElfSymbol['kind']>('function', 'object', 'label');
  const any = fc.record({ address: fc.nat(40), size: fc.nat(10), kind: kinds, global: fc.boolean() });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 12 }), (records) => {
      const symbols = records.map(({ address, size, kind, global }, index) =>
        symbol(`s${index}`, address, size, kind, global),
      );
      const table = new SymbolTable(symbols);
      for (let address = 0; address < 60; address++) {
        const found = table.nameAt(BigInt(address));
        const owner = symbols.find((candidate) => candidate.name === found?.name);
        if (owner !== undefined) expect(Number(owner.address) + found!.offset).toBe(address);
        const functions = symbols.filter((s) => s.kind === 'function' && Number(s.address) === address);
        if (functions.some((s) => s.size > 0n)) expect(owner?.kind).toBe('function');
      }
    }),
  );
});
