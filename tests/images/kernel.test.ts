import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const kernel = readFileSync(fileURLToPath(new URL('../../images/kernel.elf', import.meta.url)));

interface Symbol {
  address: bigint;
  size: bigint;
}

/** The symbols of a little-endian ELF64 file by name (System V ABI, chapter 4, "Symbol Table"). */
function readSymbols(elf: Buffer): Map<string, Symbol> {
  const sections = readSections(elf);
  const table = sections.find((section) => section.type === 2)!;
  const names = sections[table.link];
  const symbols = new Map<string, Symbol>();
  for (let at = table.offset; at < table.offset + table.size; at += 24) {
    const nameAt = names.offset + elf.readUInt32LE(at);
    const name = elf.toString('latin1', nameAt, elf.indexOf(0, nameAt));
    symbols.set(name, { address: elf.readBigUInt64LE(at + 8), size: elf.readBigUInt64LE(at + 16) });
  }
  return symbols;
}

function readSections(elf: Buffer): { type: number; offset: number; size: number; link: number }[] {
  const start = Number(elf.readBigUInt64LE(40));
  return Array.from({ length: elf.readUInt16LE(60) }, (_, index) => {
    const at = start + index * 64;
    return {
      type: elf.readUInt32LE(at + 4),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      size: Number(elf.readBigUInt64LE(at + 32)),
      link: elf.readUInt32LE(at + 40),
    };
  });
}

/** The bytes that the file loads at an address, or undefined if it leaves them zero. */
function loadedBytes(elf: Buffer, address: bigint, length: number): Buffer | undefined {
  const start = Number(elf.readBigUInt64LE(32));
  for (let index = 0; index < elf.readUInt16LE(56); index++) {
    const at = start + index * 56;
    const offset = address - elf.readBigUInt64LE(at + 16);
    if (offset >= 0n && offset + BigInt(length) <= elf.readBigUInt64LE(at + 32)) {
      const from = Number(elf.readBigUInt64LE(at + 8) + offset);
      return elf.subarray(from, from + length);
    }
  }
  return undefined;
}

const probed = [
  ['boot_alloc_init', 'alloc_init', 'free_range', 'kalloc', 'kfree', 'check_free_list'],
  ['walk', 'pgdir_walk', 'mappages', 'map_region', 'kvmmake', 'kvm_init', 'kvminithart', 'check_vm'],
  ['uvmcreate', 'uvmalloc', 'uvmdealloc', 'uvmunmap', 'uvmcopy', 'uvmfree', 'vm_free', 'freewalk'],
  ['copyin', 'copyout', 'copyinstr', 'kmalloc', 'kmfree', 'mmap', 'munmap'],
  ['acquire', 'release', 'proc_pagetable', 'panicked', 'entrypgdir', 'trampoline', 'etext', 'end'],
].flat();

describe('the committed kernel', () => {
  const symbols = readSymbols(kernel);

  it('starts at the bottom of memory', () => {
    expect(kernel.readBigUInt64LE(24)).toBe(0x8000_0000n);
  });

  it.each(probed)('has the symbol %s, at which a checker attaches', (name) => {
    expect(symbols.get(name)?.address).toBeGreaterThanOrEqual(0x8000_0000n);
  });

  it('keeps two names for one function at one address', () => {
    expect(symbols.get('pgdir_walk')).toEqual(symbols.get('walk'));
    expect(symbols.get('map_region')).toEqual(symbols.get('mappages'));
    expect(symbols.get('vm_free')).toEqual(symbols.get('freewalk'));
  });

  it('has no clones of functions, which a probe at the symbol would miss', () => {
    const clones = [...symbols.keys()].filter((name) => /\.(constprop|isra|part|cold)\b/.test(name));
    expect(clones.filter((name) => probed.includes(name.split('.')[0]))).toEqual([]);
  });

  it('is loaded with its fault variable 0, in bytes of the file, so that they can be patched', () => {
    expect(loadedBytes(kernel, symbols.get('fault')!.address, 4)).toEqual(Buffer.alloc(4));
  });

  it('names no directory of the machine it was built on', () => {
    expect(kernel.toString('latin1')).not.toMatch(/\0\/(?:tmp|home|work|root|Users)\//);
  });

  it('fits well within a package', () => {
    expect(kernel.length).toBeLessThan(600_000);
  });
});

describe('the table of faults', () => {
  const sources = fileURLToPath(new URL('../../images/kernel/', import.meta.url));
  const rows = [...readFileSync(`${sources}fault.h`, 'utf8').matchAll(/X\((\d+), (\w+), "/g)];

  it('numbers its rows from 1 on', () => {
    expect(rows.length).toBeGreaterThanOrEqual(30);
    expect(rows.map((row) => Number(row[1]))).toEqual(rows.map((_, index) => index + 1));
  });

  it('has each fault in the code of the kernel', () => {
    const code = readdirSync(sources)
      .filter((name) => name.endsWith('.c'))
      .map((name) => readFileSync(sources + name, 'utf8'))
      .join('');
    const used = new Set([...code.matchAll(/\bFAULT\((\w+)\)/g)].map((use) => use[1]));
    expect(used).toEqual(new Set(rows.map((row) => row[2])));
  });
});
