import { beforeAll, describe, expect, it } from 'vitest';
import loadWabt from 'wabt';
import { readElf } from '../../../src/machine/elf.js';
import { regionText, TABLES } from '../../../src/rv64/jit/region-text.js';
import { findRegion } from '../../../src/rv64/jit/region.js';
import { REGION_IMPORTS, REGION_TYPES } from '../../../src/rv64/jit/support.js';
import { RegionEncoder } from '../../../src/rv64/jit/translate.js';
import { I32_TYPE } from '../../../src/rv64/jit/wasm.js';
import { assemble } from '../../support/assembler.js';
import { kernelElf } from '../../support/images.js';

let wabt: Awaited<ReturnType<typeof loadWabt>>;
beforeAll(async () => (wabt = await loadWabt()));

/** What stands around a function of a region. */
const types = REGION_TYPES.map(({ parameters, results }) => {
  const text = (codes: readonly number[]): string =>
    codes.map((code) => (code === I32_TYPE ? 'i32' : 'i64')).join(' ');
  return `(type (func (param ${text(parameters)}) (result ${text(results)})))`;
});
const imports = REGION_IMPORTS.map(
  ({ name, type }) => `(import "env" "${name}" (func $${name} (type ${type})))`,
);
const moduleOf = (code: readonly string[]): string =>
  ['(module', ...types, '(import "env" "memory" (memory 1))', '(import "env" "table" (table 1 funcref))']
    .concat(imports, code, ')')
    .join('\n')
    .replace(/[if](32|64)\.(load|store)\w*( offset=\d+)?/g, '$& align=1');

/** The code of the module that a WebAssembly assembler makes of the text. */
function assembled(code: readonly string[]): Buffer {
  const module = wabt.parseWat('region.wat', moduleOf(code), { tail_call: true, bulk_memory: true });
  return Buffer.from(module.toBinary({}).buffer);
}

function expectListing(page: DataView, address: bigint, followsCalls: boolean): void {
  const surroundings = { probeAt: () => undefined, isHot: () => followsCalls };
  const region = findRegion(page, Number(address & 0xfffn), surroundings)!;
  const { code } = new RegionEncoder(TABLES).function(region);
  const text = regionText(page, address, String, followsCalls)!;
  expect(assembled(text.code).includes(Buffer.from(code))).toBe(true);
  expect(text.bytes).toBe(code.length);
  // What only a call returns to is left out where the region has no return.
  if (followsCalls) return;
  for (const line of text.instructions) {
    expect(text.code.some((other) => other.endsWith(`;; ${line}`))).toBe(true);
  }
}

describe('the listing of a region', () => {
  it.each([true, false])(
    'assembles to the code that it was made from, for all of a kernel (%s)',
    (followsCalls) => {
      const { segments, symbols } = readElf(kernelElf);
      const text = segments.find(({ flags }) => flags.execute)!;
      const functions = symbols.filter(
        ({ kind, address }) =>
          kind === 'function' && address >= text.address && address < text.address + BigInt(text.data.length),
      );
      expect(functions.length).toBeGreaterThan(100);
      for (const { address } of functions) {
        const page = new Uint8Array(4096);
        const start = Number((address & ~0xfffn) - text.address);
        page.set(text.data.subarray(Math.max(start, 0), start + 4096), Math.max(-start, 0));
        expectListing(new DataView(page.buffer), address, followsCalls);
      }
    },
  );

  it.each([
    ['a fill', 'again: sb a1, 0(a0)\n addi a0, a0, 1\n bne a0, a2, again', /\(memory\.fill/],
    [
      'a copy',
      'again: lb a3, 0(a1)\n addi a1, a1, 1\n sb a3, 0(a0)\n addi a0, a0, 1\n bne a0, a2, again',
      /\(memory\.copy/,
    ],
    ['a CSR access', 'csrrw a0, sscratch, a1', /i64\.load offset=\d+ \(;sscratch;\) \(local\.get \$hart\)/],
    ['an atomic', 'amoadd.w a0, a1, (a2)', /i64\.store32/],
    ['how a refused test-and-set takes longer', 'amoswap.w a0, a1, (a2)', /f64\.convert_i32_s/],
    ['what its row does', 'ecall', /\(call \$step/],
    ['a product', 'mulhsu a0, a1, a2', /\(call \$mulhsu/],
  ])('shows %s', (_, source, expected) => {
    const page = new Uint8Array(4096);
    page.set(assemble(`${source}\n ret`).bytes);
    expectListing(new DataView(page.buffer), 0x8000_0000n, false);
    expect(regionText(new DataView(page.buffer), 0x8000_0000n, String, false)!.code.join('\n')).toMatch(
      expected,
    );
  });

  it('names where a branch goes to, and no number for a place', () => {
    const page = new Uint8Array(4096);
    page.set(assemble('again: lui a0, 0x80000\n bnez a0, again\n ret').bytes);
    const text = regionText(new DataView(page.buffer), 0x8000_0000n, () => 'again', false)!;
    expect(text.instructions.slice(0, 2)).toEqual([
      '80000000  lui a0, 0x80000',
      '80000004  bne a0, zero, 0x80000000 <again>',
    ]);
  });
});
