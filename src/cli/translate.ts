/** `rvemu translate`: what the translator makes of the code at a place in a kernel or a program. */
import { closest } from 'fastest-levenshtein';
import { type ElfImage, readElf } from '../machine/elf.js';
import { BadInputError } from '../machine/errors.js';
import { hex } from '../machine/hex.js';
import { SymbolTable } from '../machine/symbols.js';
import { regionText } from '../rv64/jit/region-text.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import { findGuestFiles } from './guest-files.js';
import { readInputFile } from './input-file.js';

export interface TranslateOptions {
  followCalls?: boolean;
}

/** The text to print. Throws BadInputError for a place without code. */
export function translate(place: string, kernel: string | undefined, options: TranslateOptions): string {
  const file = findGuestFiles({ kernel }).kernel;
  const image = readElf(readInputFile('kernel', file));
  const symbols = new SymbolTable(image.symbols);
  const address = addressOf(place, image, symbols, file);
  const describe = (at: bigint): string => symbols.describe(at);
  const region = regionText(pageOf(image, address), address, describe, options.followCalls ?? false);
  if (region === undefined) {
    throw new BadInputError(
      `${hex(address)} in ${file} holds no instruction; name a function or an address in one`,
    );
  }
  const { instructions, code, bytes } = region;
  const title = `${describe(address)} at ${hex(address)}: instructions ${instructions.length}, bytes of code ${bytes}`;
  return [title, '', ...instructions, '', ...code].join('\n') + '\n';
}

function addressOf(place: string, image: ElfImage, symbols: SymbolTable, file: string): bigint {
  const address = symbols.address(place) ?? numberIn(place);
  if (address === undefined) {
    const functions = image.symbols.filter(({ kind }) => kind === 'function').map(({ name }) => name);
    const hint = functions.length > 0 ? `; did you mean ${closest(place, functions)}?` : '';
    throw new BadInputError(`${file} has no symbol ${place}${hint}`);
  }
  if (address % 2n !== 0n) throw new BadInputError(`${place} is odd: no instruction begins there`);
  return address;
}

const numberIn = (text: string): bigint | undefined =>
  /^(0x)?[0-9a-f]+$/i.test(text) && /\d/.test(text) ? BigInt(`0x${text.replace(/^0x/i, '')}`) : undefined;

/** The page that holds an address, as it is after loading. */
function pageOf({ segments }: ElfImage, address: bigint): DataView {
  const page = new Uint8Array(PAGE_BYTES);
  const start = address - (address % BigInt(PAGE_BYTES));
  for (const { virtualAddress, data } of segments) {
    const from = Number(start - virtualAddress);
    if (from >= data.length || from <= -PAGE_BYTES) continue;
    page.set(data.subarray(Math.max(from, 0), from + PAGE_BYTES), Math.max(-from, 0));
  }
  return new DataView(page.buffer);
}
