/** Values of C types, as a debugger shows them and their parts. */
import { ATTRIBUTE, ENCODING, TAG } from './constants.js';
import type { Entry } from './entries.js';
import { type Hole, numberOf } from './expression.js';
import { countsOf, elementOf, membersOf, plainType, sizeOf } from './types.js';

export interface TypedValue {
  readonly name: string;
  readonly type: Entry | undefined;
  /** Undefined where nobody knows it. */
  readonly bytes: Uint8Array | undefined;
  readonly holes?: readonly Hole[];
  /** Where it lies, if that is in memory. */
  readonly address?: bigint;
}

/** What showing a value asks of the guest. */
export interface Surroundings {
  memory(address: bigint, length: number): Uint8Array;
  /** An address as people read it. */
  describe(address: bigint): string;
}

export const OPTIMIZED_OUT = '<optimized out>';
const MOST_TEXT = 64;
const MOST_ELEMENTS = 256;

export function showValue({ type, bytes, holes = [] }: TypedValue, surroundings: Surroundings): string {
  const plain = plainType(type);
  if (bytes === undefined) return OPTIMIZED_OUT;
  if (plain === undefined || bytes.length < sizeOf(plain)) return '<no memory>';
  if (plain.tag === TAG.structureType || plain.tag === TAG.unionType) return '{...}';
  if (holes.length > 0) return OPTIMIZED_OUT;
  switch (plain.tag) {
    case TAG.baseType:
      return showBase(plain, bytes);
    case TAG.enumerationType:
      return showEnumeration(plain, bytes);
    case TAG.pointerType:
      return showPointer(plain, numberOf(bytes), surroundings);
    case TAG.arrayType:
      return isText(plain) ? textOf(bytes) : `[${countsOf(plain)[0] ?? ''}]`;
    default:
      return '{...}';
  }
}

/** Members, elements, or what a pointer points to. */
export function partsOf(
  { type, bytes, holes = [], address }: TypedValue,
  { memory }: Surroundings,
): TypedValue[] {
  const plain = plainType(type);
  if (plain === undefined || bytes === undefined) return [];
  const part = (name: string, of: Entry | undefined, offset: number, length = sizeOf(of)): TypedValue => ({
    name,
    type: of,
    bytes: bytes.subarray(offset, offset + length),
    holes: holes
      .map(({ start, end }) => ({ start: Math.max(start - offset, 0), end: Math.min(end - offset, length) }))
      .filter(({ start, end }) => start < end),
    address: address === undefined ? undefined : address + BigInt(offset),
  });
  if (plain.tag === TAG.structureType || plain.tag === TAG.unionType)
    return membersOf(plain).map(({ name, type: of, offset }) => part(name, of, offset));
  const element = elementOf(plain);
  const size = sizeOf(element);
  if (size === 0) return [];
  if (plain.tag === TAG.pointerType) {
    const target = numberOf(bytes);
    return [{ name: '*', type: element, bytes: memory(target, size), address: target }];
  }
  if (plain.tag !== TAG.arrayType) return [];
  // All dimensions in a row.
  const count = Math.min(Math.floor(bytes.length / size), MOST_ELEMENTS);
  return Array.from({ length: count }, (_, index) => part(`[${index}]`, element, index * size));
}

/** An element of an array, or what a pointer points to as the first of an array. */
export function elementAt(
  value: TypedValue,
  index: number,
  surroundings: Surroundings,
): TypedValue | undefined {
  const plain = plainType(value.type);
  if (plain?.tag !== TAG.pointerType)
    return partsOf(value, surroundings).find(({ name }) => name === `[${index}]`);
  const type = elementOf(plain);
  const size = sizeOf(type);
  if (size === 0 || value.bytes === undefined || isUnknown(value)) return undefined;
  const address = numberOf(value.bytes) + BigInt(index * size);
  return { name: `[${index}]`, type, bytes: surroundings.memory(address, size), address };
}

const isUnknown = ({ holes = [] }: TypedValue): boolean => holes.length > 0;

export function hasParts(value: TypedValue): boolean {
  const plain = plainType(value.type);
  if (plain === undefined || value.bytes === undefined) return false;
  if (plain.tag === TAG.pointerType) return sizeOf(elementOf(plain)) > 0 && numberOf(value.bytes) !== 0n;
  return plain.tag === TAG.arrayType || plain.tag === TAG.structureType || plain.tag === TAG.unionType;
}

/** The number that a value of a base type, an enumeration or a pointer is; undefined for others, and where nobody knows it. */
export function integerOf(value: TypedValue): bigint | undefined {
  const plain = plainType(value.type);
  const size = sizeOf(plain);
  const isScalar =
    plain?.tag === TAG.baseType || plain?.tag === TAG.enumerationType || plain?.tag === TAG.pointerType;
  if (!isScalar || value.bytes === undefined || value.bytes.length < size || isUnknown(value))
    return undefined;
  const unsigned = numberOf(value.bytes.subarray(0, size));
  const encoding = plain.number(ATTRIBUTE.encoding);
  const isSigned = encoding === ENCODING.signed || encoding === ENCODING.signedCharacter;
  return isSigned ? BigInt.asIntN(8 * size, unsigned) : unsigned;
}

function showBase(type: Entry, bytes: Uint8Array): string {
  const size = sizeOf(type);
  const unsigned = numberOf(bytes.subarray(0, size));
  const encoding = type.number(ATTRIBUTE.encoding);
  if (encoding === ENCODING.boolean) return unsigned === 0n ? 'false' : 'true';
  const value = integerOf({ name: '', type, bytes })!;
  const isCharacter = encoding === ENCODING.signedCharacter || encoding === ENCODING.unsignedCharacter;
  const isPrintable = isCharacter && size === 1 && unsigned >= 0x20n && unsigned < 0x7fn;
  return isPrintable ? `${value} '${String.fromCharCode(Number(unsigned))}'` : String(value);
}

function showEnumeration(type: Entry, bytes: Uint8Array): string {
  const value = Number(BigInt.asIntN(32, numberOf(bytes.subarray(0, sizeOf(type)))));
  const named = type.children.find(
    (each) => each.tag === TAG.enumerator && each.number(ATTRIBUTE.constantValue) === value,
  );
  return named?.name ?? String(value);
}

function showPointer(type: Entry, address: bigint, { memory, describe }: Surroundings): string {
  const digits = `0x${address.toString(16)}`;
  if (isCharacter(elementOf(type)) && address !== 0n) {
    const bytes = memory(address, MOST_TEXT + 1);
    return bytes.length === 0 ? digits : `${digits} ${textOf(bytes)}`;
  }
  const name = describe(address);
  return name.startsWith('0x') ? digits : `${digits} <${name}>`;
}

function isCharacter(type: Entry | undefined): boolean {
  const plain = plainType(type);
  return plain?.tag === TAG.baseType && sizeOf(plain) === 1 && /char/.test(plain.name ?? '');
}

const isText = (array: Entry): boolean => countsOf(array).length === 1 && isCharacter(elementOf(array));

/** The text up to a zero byte, in quotes. */
function textOf(bytes: Uint8Array): string {
  const zero = bytes.indexOf(0);
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, zero < 0 ? bytes.length : zero));
  const isCut = text.length > MOST_TEXT;
  return JSON.stringify(text.slice(0, MOST_TEXT)) + (isCut ? '...' : '');
}
