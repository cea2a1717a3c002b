/** Types of C, as entries describe them: their names, sizes and parts. Without an entry a type is void. */
import { ATTRIBUTE, TAG } from './constants.js';
import type { Entry } from './entries.js';

const POINTER_BYTES = 8;

/** The words that come before a name that was given to a type. */
const KEYWORDS = new Map<number, string>([
  [TAG.structureType, 'struct'],
  [TAG.unionType, 'union'],
  [TAG.enumerationType, 'enum'],
]);
const QUALIFIERS = new Map<number, string>([
  [TAG.constType, 'const'],
  [TAG.volatileType, 'volatile'],
  [TAG.restrictType, 'restrict'],
]);

export const elementOf = (type: Entry): Entry | undefined => type.entry(ATTRIBUTE.type);

/** The type behind typedefs and qualifiers. */
export function plainType(type: Entry | undefined): Entry | undefined {
  let plain = type;
  while (plain && (plain.tag === TAG.typedef || QUALIFIERS.has(plain.tag))) plain = elementOf(plain);
  return plain;
}

export function typeName(type: Entry | undefined): string {
  if (type === undefined) return 'void';
  const qualifier = QUALIFIERS.get(type.tag);
  if (qualifier) return `${qualifier} ${typeName(elementOf(type))}`;
  if (type.tag === TAG.pointerType) return `${typeName(elementOf(type))} *`.replace(/\* \*$/, '**');
  if (type.tag === TAG.arrayType) {
    const counts = countsOf(type).map((count) => `[${count ?? ''}]`);
    return `${typeName(elementOf(type))} ${counts.join('')}`;
  }
  if (type.tag === TAG.subroutineType) return `${typeName(elementOf(type))} ()`;
  const keyword = KEYWORDS.get(type.tag);
  return [...(keyword ? [keyword] : []), type.name ?? (keyword ? '{...}' : '?')].join(' ');
}

/** Bytes that a value takes; 0 where that is not known. */
export function sizeOf(type: Entry | undefined): number {
  const plain = plainType(type);
  if (plain === undefined) return 0;
  const size = plain.number(ATTRIBUTE.byteSize);
  if (size !== undefined) return size;
  if (plain.tag === TAG.pointerType) return POINTER_BYTES;
  if (plain.tag !== TAG.arrayType) return 0;
  return countsOf(plain).reduce<number>((bytes, count) => bytes * (count ?? 0), sizeOf(elementOf(plain)));
}

/** How many elements an array has in each of its dimensions; undefined where it does not say. */
export function countsOf(array: Entry): (number | undefined)[] {
  const dimensions = array.children.filter(({ tag }) => tag === TAG.subrangeType);
  return dimensions.map((dimension) => {
    const last = dimension.number(ATTRIBUTE.upperBound);
    return dimension.number(ATTRIBUTE.count) ?? (last === undefined ? undefined : last + 1);
  });
}

export interface Member {
  readonly name: string;
  readonly type: Entry | undefined;
  /** Bytes from the beginning of the whole. */
  readonly offset: number;
}

/** Members of a structure or union. Bit fields are left out. */
export function membersOf(type: Entry): Member[] {
  return type.children
    .filter((each) => each.tag === TAG.member && each.value(ATTRIBUTE.bitSize) === undefined)
    .map((each) => ({ name: each.name ?? '', type: elementOf(each), offset: offsetOf(each) }));
}

/** Version 2 has an expression here, which adds a constant to the address of the whole. */
function offsetOf(member: Entry): number {
  const value = member.value(ATTRIBUTE.memberLocation);
  if (!(value instanceof Uint8Array)) return Number(value ?? 0);
  return value.slice(1).reduceRight((offset, byte) => offset * 128 + (byte & 0x7f), 0);
}
