/** Lists of address ranges and of locations (DWARF 5, sections 2.17.3 and 2.6.2), in the older form and that of version 5. */
import type { ElfSection } from '../../machine/elf-sections.js';
import { ByteReader } from '../byte-reader.js';
import { ATTRIBUTE } from './constants.js';
import type { Entry, Unit } from './entries.js';

interface Range {
  readonly start: number;
  readonly end: number;
}

/** A range in which an expression tells where something is. */
interface LocatedRange extends Range {
  readonly expression: Uint8Array;
}

/** The first of a pair that sets what the following ones are relative to, in the older form. */
const NEW_BASE = 0xffff_ffff_ffff_ffffn;

/** Kinds of items in version 5 (sections 7.25 and 7.7.3); locations have one more, which shifts those behind it. */
const ITEM = { end: 0, offsetPair: 4, baseAddress: 5, startEnd: 6, startLength: 7 } as const;
const DEFAULT_LOCATION = 5;

export class Lists {
  constructor(private readonly sections: readonly ElfSection[]) {}

  /** Whether the code of an entry has the instruction at an address. */
  covers(entry: Entry, address: number): boolean {
    const offset = entry.value(ATTRIBUTE.ranges);
    if (typeof offset === 'number')
      return this.ranges(entry.unit, offset).some((range) => isIn(range, address));
    const [low, high] = [entry.value(ATTRIBUTE.lowPc), entry.value(ATTRIBUTE.highPc)];
    if (typeof low !== 'bigint' || high === undefined) return false;
    const start = Number(low);
    // From version 4 on it may be the length.
    return isIn({ start, end: typeof high === 'bigint' ? Number(high) : start + Number(high) }, address);
  }

  /** The expression that tells where something is while an address is executed; undefined where it is nowhere. */
  expression(entry: Entry, attribute: number, address: number): Uint8Array | undefined {
    const value = entry.value(attribute);
    if (value instanceof Uint8Array) return value;
    if (typeof value !== 'number') return undefined;
    return this.locations(entry.unit, value).find((each) => isIn(each, address))?.expression;
  }

  private ranges(unit: Unit, offset: number): Range[] {
    const [old, recent] = ['.debug_ranges', '.debug_rnglists'];
    if (unit.version < 5) return [...pairs(this.reader(old, offset), unit.base, () => undefined)];
    return [...items(this.reader(recent, offset), unit.base, false)];
  }

  private locations(unit: Unit, offset: number): LocatedRange[] {
    const [old, recent] = ['.debug_loc', '.debug_loclists'];
    if (unit.version >= 5) return [...items(this.reader(recent, offset), unit.base, true)];
    const reader = this.reader(old, offset);
    return [...pairs(reader, unit.base, () => reader.bytes(reader.u16()))];
  }

  private reader(section: string, offset: number): ByteReader {
    const { data } = this.sections.find(({ name }) => name === section) ?? { data: new Uint8Array() };
    return new ByteReader(data, offset);
  }
}

const isIn = ({ start, end }: Range, address: number): boolean => address >= start && address < end;

/** The older form: pairs of addresses, each with what `rest` reads behind it, up to a pair of zeros. */
function* pairs<Rest extends Uint8Array | undefined>(
  reader: ByteReader,
  unitBase: number,
  rest: () => Rest,
): Generator<Range & { expression: Rest }> {
  let base = unitBase;
  for (;;) {
    const [first, second] = [reader.u64(), reader.u64()];
    if (first === 0n && second === 0n) return;
    if (first === NEW_BASE) base = Number(second);
    else yield { start: base + Number(first), end: base + Number(second), expression: rest() };
  }
}

/** The form of version 5. Throws RangeError for items that name addresses in a table. */
function* items(reader: ByteReader, unitBase: number, hasExpressions: boolean): Generator<LocatedRange> {
  let base = unitBase;
  for (;;) {
    const code = reader.u8();
    const isDefault = hasExpressions && code === DEFAULT_LOCATION;
    const kind = hasExpressions && code > DEFAULT_LOCATION ? code - 1 : code;
    if (kind === ITEM.end) return;
    if (kind === ITEM.baseAddress && !isDefault) {
      base = Number(reader.u64());
      continue;
    }
    const { start, end } = isDefault ? { start: 0, end: Infinity } : readRange(reader, kind, base);
    yield { start, end, expression: hasExpressions ? reader.bytes(reader.uleb()) : new Uint8Array() };
  }
}

function readRange(reader: ByteReader, kind: number, base: number): Range {
  if (kind === ITEM.offsetPair) return { start: base + reader.uleb(), end: base + reader.uleb() };
  const start = Number(reader.u64());
  if (kind === ITEM.startEnd) return { start, end: Number(reader.u64()) };
  if (kind === ITEM.startLength) return { start, end: start + reader.uleb() };
  throw new RangeError(`a list with items of kind ${kind}`);
}
