/** Readers of option values: each takes what the user wrote, or throws what commander reports in one line. */
import { InvalidArgumentError } from 'commander';

const KIB = 1024;
const UNITS: Record<string, number> = { '': 1, K: KIB, M: KIB ** 2, G: KIB ** 3 };
const MINIMUM_MEMORY_BYTES = 2 * KIB ** 2;
const MAXIMUM_MEMORY_BYTES = 3 * KIB ** 3;
const PAGE_BYTES = 4 * KIB;
const MINIMUM_BUDGET_BYTES = KIB ** 2;
const MAXIMUM_BUDGET_BYTES = 4 * KIB ** 3;

/** Bytes from `128M`, `1G`, `262144K` or a plain number of bytes. */
export function memorySize(text: string): number {
  const bytes = sizeBetween(text, MINIMUM_MEMORY_BYTES, MAXIMUM_MEMORY_BYTES, 'Memory can be 2M to 3G.');
  if (bytes % PAGE_BYTES !== 0) throw new InvalidArgumentError('Memory comes in whole pages of 4K.');
  return bytes;
}

/** Bytes that translated code may take, written in the same way. */
export function codeBudget(text: string): number {
  return sizeBetween(text, MINIMUM_BUDGET_BYTES, MAXIMUM_BUDGET_BYTES, 'Translated code can take 1M to 4G.');
}

function sizeBetween(text: string, minimum: number, maximum: number, limits: string): number {
  const [, digits, unit] = /^(\d+)([KMG]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('Write a size such as 128M or 1G.');
  const bytes = Number(digits) * UNITS[unit.toUpperCase()];
  if (bytes >= minimum && bytes <= maximum) return bytes;
  const hint = unit === '' ? ' A number without K, M or G counts bytes.' : '';
  throw new InvalidArgumentError(`${limits}${hint}`);
}

/** Bytes of memory for the past of a run; 0 for none. */
export function historySize(text: string): number {
  return text === '0' ? 0 : memorySize(text);
}

/** The number of harts. */
export function hartCount(text: string): number {
  return integerBetween(text, 1, 8);
}

/** A TCP port; 0 is any free one. */
export function portNumber(text: string): number {
  return integerBetween(text, 0, 65535);
}

export function seedValue(text: string): number {
  return integerBetween(text, 0, 2 ** 32 - 1);
}

/** The first and the last of a range of seeds, both included. */
export function seedRange(text: string): [number, number] {
  const [first, last, ...rest] = text.split('..');
  if (last === undefined || rest.length > 0) throw new InvalidArgumentError('Write a range such as 1..200.');
  const range: [number, number] = [seedValue(first), seedValue(last)];
  if (range[0] > range[1]) throw new InvalidArgumentError('The first seed of a range is the smaller one.');
  return range;
}

/** Names between commas; whether rules have them is found out later. */
export function ruleNames(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

export function seconds(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(value > 0 && Number.isFinite(value))) {
    throw new InvalidArgumentError('Write a number of seconds greater than 0.');
  }
  return value;
}

export function regularExpression(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

/** What xv6's shell prints, as a regular expression. */
export const DEFAULT_PROMPT = '^\\$ ';

/** The regular expression of a prompt: one that matches nothing at all would be seen everywhere. */
export function promptExpression(text: string): RegExp {
  const prompt = regularExpression(text);
  if (new RegExp(`^(?:${prompt.source})$`).test('')) {
    throw new InvalidArgumentError('A prompt has at least one character.');
  }
  return prompt;
}

/** For options that may be given many times. */
export function oneMore(text: string, earlier: string[] = []): string[] {
  return [...earlier, text];
}

function integerBetween(text: string, minimum: number, maximum: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= minimum && value <= maximum) return value;
  throw new InvalidArgumentError(`Write a whole number from ${minimum} to ${maximum}.`);
}
