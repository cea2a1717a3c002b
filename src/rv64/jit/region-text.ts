/** A region as text: its instructions, and the function that is made of them. */
import { Slot } from '../csr/bits.js';
import { disassemble, REGISTER_NAMES } from '../disassemble.js';
import { lengthFromBits } from '../decode.js';
import { Offset, RAM_START } from '../state.js';
import { tablesOf } from './entry-maps.js';
import { ADDEND_OFFSET, Local, REGION_TYPE } from './layout.js';
import { listing } from './listing.js';
import type { Region } from './blocks.js';
import { findRegion } from './region.js';
import { REGION_IMPORTS, REGION_TYPES } from './support.js';
import { RegionEncoder } from './translate.js';
import { I32_TYPE } from './wasm.js';

export interface RegionText {
  /** A line for each instruction, in the order of their addresses. */
  readonly instructions: readonly string[];
  /** The function, in WebAssembly's text format. */
  readonly code: readonly string[];
  /** How long its code is. */
  readonly bytes: number;
}

/** Those of a machine with 128 MiB; in others the code is the same but for these constants. */
const RAM_BYTES = 128 * 1024 ** 2;
export const TABLES = tablesOf(RAM_START + RAM_BYTES, RAM_BYTES);

/**
 * The region that would be made at an address; undefined where there is no instruction that can be translated. `page`
 * is the page of code, `describe` names an address, `followsCalls` takes every function in the page for hot.
 */
export function regionText(
  page: DataView,
  address: bigint,
  describe: (address: bigint) => string,
  followsCalls: boolean,
): RegionText | undefined {
  const entry = Number(address & 0xfffn);
  const region = findRegion(page, entry, { probeAt: () => undefined, isHot: () => followsCalls });
  if (region === undefined) return undefined;
  const base = address - BigInt(entry);
  const instructionAt = (offset: number): string => {
    const low = page.getUint16(offset, true);
    const word = lengthFromBits(low) === 2 ? low : page.getInt32(offset, true);
    const text = disassemble(word, base + BigInt(offset)).replace(/0x[0-9a-f]+$/, (target) =>
      isJump(word) ? `${target} <${describe(BigInt(target))}>` : target,
    );
    return `${(base + BigInt(offset)).toString(16)}  ${text}`;
  };
  const offsets = [...region.decoded.keys()].sort((a, b) => a - b);
  return { instructions: offsets.map(instructionAt), ...functionText(region, instructionAt) };
}

/** Whether the last operand is a place in the code. */
const isJump = (word: number): boolean => /^(c\.)?(b|j)/.test(disassemble(word, 0n));

function functionText(
  region: Region,
  instructionAt: (offset: number) => string,
): { code: string[]; bytes: number } {
  const notes = new Map<number, string[]>();
  const { code, i32Locals, i64Locals } = new RegionEncoder(TABLES).function(region, (at, what) => {
    const text = typeof what === 'number' ? instructionAt(what) : what;
    notes.set(at, [...(notes.get(at) ?? []), text]);
  });
  const names = localNames(region);
  const { parameters } = REGION_TYPES[REGION_TYPE];
  const declare = (kind: string, first: number, count: number, type: (index: number) => string): string[] =>
    Array.from({ length: count }, (_, i) => `(${kind} $${names[first + i]} ${type(i)})`);
  const typeOf = (index: number): string => (parameters[index] === I32_TYPE ? 'i32' : 'i64');
  const body = listing(
    code,
    {
      local: (index) => names[index],
      function: (index) => {
        const { name, type } = REGION_IMPORTS[index];
        return {
          name,
          takes: REGION_TYPES[type].parameters.length,
          gives: REGION_TYPES[type].results.length,
        };
      },
      field: fieldAt,
      blocks: ['out', 'jump', 'bail', 'miss'],
      note: (at) => notes.get(at) ?? [],
    },
    parameters.length,
  );
  return {
    code: [
      `(func ${declare('param', 0, parameters.length, typeOf).join(' ')}`,
      ...inLines([
        ...declare('local', parameters.length, i32Locals, () => 'i32'),
        ...declare('local', parameters.length + i32Locals, i64Locals, () => 'i64'),
      ]),
      ...body.map((line) => `  ${line}`),
      ')',
    ],
    bytes: code.length,
  };
}

function localNames({ registers }: Region): string[] {
  const names: string[] = [];
  for (const [name, index] of Object.entries(Local)) names[index] = name;
  registers.forEach((register, index) => (names[Local.firstRegister + index] = REGISTER_NAMES[register]));
  return names;
}

/** Words in lines of 100 columns. */
function inLines(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.length - 1;
    if (last >= 0 && lines[last].length + 1 + word.length <= 100) lines[last] += ` ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines;
}

/** What lies at a distance in a hart's block, or in an entry of the TLB. */
function fieldAt(base: string, offset: number): string | undefined {
  if (base === 'entry' && offset === ADDEND_OFFSET) return 'addend';
  if (base !== 'hart') return undefined;
  if (offset < Offset.pc) return REGISTER_NAMES[(offset - Offset.x) / 8];
  const slot = (offset - Offset.csr) / 8;
  const csr = Object.entries(Slot).find(([, index]) => index === slot);
  const field = Object.entries(Offset).find(([, at]) => at === offset);
  return csr?.[0] ?? field?.[0];
}
