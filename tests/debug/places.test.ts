import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { LineTable } from '../../src/debug/line-table.js';
import { Places } from '../../src/debug/places.js';
import { readElf } from '../../src/machine/elf.js';
import { kernelElf } from '../support/images.js';

const ADDR2LINE = 'riscv64-unknown-elf-addr2line';
const hasAddr2line = spawnSync(ADDR2LINE, ['--version']).status === 0;

describe('a place', () => {
  const { symbols } = readElf(kernelElf);
  const addressOf = (name: string): number => Number(symbols.find((symbol) => symbol.name === name)!.address);

  it('has function, file and line', () => {
    const place = new Places(kernelElf).at(addressOf('kfree'));
    expect(place).toMatchObject({ name: 'kfree', line: expect.any(Number) });
    expect(place.file).toMatch(/kernel\/alloc\.c$/);
  });

  it('is that of the call, for a return address', () => {
    const places = new Places(kernelElf);
    const [, caller] = places.ofStack([addressOf('kfree'), addressOf('uvmunmap') + 0xb8]);
    expect(caller.name).toBe('uvmunmap+0xb8');
    expect(caller.file).toMatch(/kernel\/uvm\.c$/);
  });

  it('is left out of a backtrace where it can be no return address', () => {
    const places = new Places(kernelElf);
    expect(places.ofStack([addressOf('kfree'), 0x12, addressOf('scheduler')])).toHaveLength(1);
  });

  it('is that of a call that never returns, though it ends its function', () => {
    const places = new Places(kernelElf);
    const starts = symbols.filter(({ kind }) => kind === 'function').map(({ address }) => Number(address));
    const stacks = starts.map((start) => places.ofStack([addressOf('panic'), start]));
    const callers = stacks.flatMap(([, caller]) => caller ?? []);
    expect(callers.length).toBeGreaterThan(0);
    for (const { name, address } of callers) {
      expect(name).toMatch(/\+0x/);
      expect(name.split('+')[0]).not.toBe(places.at(address).name);
    }
  });

  it.skipIf(!hasAddr2line)('is where addr2line says', () => {
    const places = new Places(kernelElf);
    const addresses = symbols
      .filter((symbol) => symbol.kind === 'function' && symbol.size > 8n)
      .map((symbol) => Number(symbol.address) + 4);
    const image = fileURLToPath(new URL('../../images/kernel.elf', import.meta.url));
    const lines = execFileSync(ADDR2LINE, ['-e', image, ...addresses.map((each) => each.toString(16))], {
      encoding: 'utf8',
    });
    const expected = lines
      .trim()
      .split('\n')
      .map((line) => line.replace(/ \(discriminator.*/, '').replace(/^.*\//, ''));
    const found = addresses.map((address) => {
      const { file = '??', line = 0 } = places.at(address);
      return `${file.replace(/^.*\//, '')}:${line || '?'}`;
    });
    expect(found).toEqual(expected);
  });
});

describe('a place in the trampoline', () => {
  it('is named and has a line where every process has it mapped, too', () => {
    const linked = new Places(kernelElf).at(0x8000_8004);
    expect(linked).toMatchObject({ name: 'trampoline+0x4', file: expect.stringMatching(/trampoline\.S$/) });
    expect(new Places(kernelElf).at(0x3f_ffff_f004)).toEqual({ ...linked, address: 0x3f_ffff_f004 });
  });
});

describe('a line table', () => {
  it('is empty for a file without one, and for one that is damaged', () => {
    expect(new LineTable([]).at(0x8000_0000)).toBeUndefined();
    const { sections } = readElf(kernelElf);
    const damaged = sections.map((section) =>
      section.name === '.debug_line' ? { ...section, data: section.data.slice(0, 1000) } : section,
    );
    expect(() => new LineTable(damaged)).not.toThrow();
  });
});
