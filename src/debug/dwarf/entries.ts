/**
 * Debugging information entries (DWARF 5, section 2.1; versions 2 to 5) as a tree: what `.debug_info` says with the
 * shapes of `.debug_abbrev`. A unit that cannot be read is left out; so are those with forms that only compilers use that
 * split this information off, or keep addresses in tables.
 */
import type { ElfSection } from '../../machine/elf-sections.js';
import { ByteReader } from '../byte-reader.js';
import { ATTRIBUTE, FORM } from './constants.js';

/** An address is a bigint, for constants can stand in its place; a block or an expression is bytes. */
export type AttributeValue = bigint | number | string | Uint8Array;

/** A compilation unit. */
export interface Unit {
  readonly version: number;
  /** What addresses in its lists of ranges and locations are relative to. */
  base: number;
}

export class Entry {
  readonly children: Entry[] = [];

  constructor(
    readonly tag: number,
    readonly unit: Unit,
    private readonly attributes: ReadonlyMap<number, AttributeValue>,
    private readonly find: (offset: number) => Entry | undefined,
  ) {}

  /** What an attribute says here, or in the entry that this one is another part or a concrete case of. */
  value(attribute: number): AttributeValue | undefined {
    const own = this.attributes.get(attribute);
    if (own !== undefined) return own;
    const more = this.own(ATTRIBUTE.abstractOrigin) ?? this.own(ATTRIBUTE.specification);
    return more?.value(attribute);
  }

  /** The entry that an attribute names. */
  entry(attribute: number): Entry | undefined {
    const offset = this.value(attribute);
    return typeof offset === 'number' ? this.find(offset) : undefined;
  }

  number(attribute: number): number | undefined {
    const value = this.value(attribute);
    return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
  }

  get name(): string | undefined {
    const name = this.value(ATTRIBUTE.name);
    return typeof name === 'string' ? name : undefined;
  }

  private own(attribute: number): Entry | undefined {
    const offset = this.attributes.get(attribute);
    return typeof offset === 'number' ? this.find(offset) : undefined;
  }
}

interface Shape {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly columns: readonly { attribute: number; form: number; constant: number }[];
}

const COMPILE_UNIT = 1;

/** The entries at the top of all units: functions, types, variables. */
export function readEntries(sections: readonly ElfSection[]): Entry[] {
  const data = (name: string): Uint8Array =>
    sections.find((section) => section.name === name)?.data ?? new Uint8Array();
  const known = new Map<number, Entry>();
  const top: Entry[] = [];
  const reader = new ByteReader(data('.debug_info'));
  while (reader.left >= 4) {
    const start = reader.position;
    const bytes = reader.u32();
    if (bytes >= 0xffff_fff0 || bytes > reader.left) break;
    const end = reader.position + bytes;
    try {
      top.push(...new UnitReader(reader, start, end, data, known).read());
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
    reader.position = end;
  }
  return top;
}

class UnitReader {
  private unit: Unit = { version: 0, base: 0 };
  private shapes: ReadonlyMap<number, Shape> = new Map();

  constructor(
    private readonly reader: ByteReader,
    private readonly start: number,
    private readonly end: number,
    private readonly section: (name: string) => Uint8Array,
    private readonly known: Map<number, Entry>,
  ) {}

  read(): Entry[] {
    const { reader } = this;
    const version = reader.u16();
    if (version < 2 || version > 5) throw new RangeError(`DWARF of version ${version}`);
    if (version === 5 && reader.u8() !== COMPILE_UNIT) throw new RangeError('no compilation unit');
    if (version === 5) reader.skip(1); // size of an address
    this.shapes = readShapes(new ByteReader(this.section('.debug_abbrev'), reader.u32()));
    if (version < 5) reader.skip(1);
    this.unit = { version, base: 0 };
    const [root] = this.siblings(1);
    this.unit.base = root?.number(ATTRIBUTE.lowPc) ?? 0;
    return root?.children ?? [];
  }

  /** Reads entries up to the empty one that ends them, or to the unit's end. */
  private siblings(most = Infinity): Entry[] {
    const { reader, known } = this;
    const entries: Entry[] = [];
    while (reader.position < this.end && entries.length < most) {
      const at = reader.position;
      const code = reader.uleb();
      if (code === 0) break;
      const shape = this.shapes.get(code);
      if (shape === undefined) throw new RangeError(`an entry without a shape, ${code}`);
      const attributes = new Map<number, AttributeValue>();
      for (const { attribute, form, constant } of shape.columns) {
        attributes.set(attribute, form === FORM.implicitConstant ? constant : this.attribute(form));
      }
      const entry = new Entry(shape.tag, this.unit, attributes, (offset) => known.get(offset));
      known.set(at, entry);
      entries.push(entry);
      if (shape.hasChildren) entry.children.push(...this.siblings());
    }
    return entries;
  }

  /** Section 7.5.6. What names another entry becomes its offset in the section. */
  private attribute(form: number): AttributeValue {
    const { reader } = this;
    switch (form) {
      case FORM.address:
        return reader.u64();
      case FORM.data1:
      case FORM.flag:
        return reader.u8();
      case FORM.data2:
        return reader.u16();
      case FORM.data4:
      case FORM.sectionOffset:
        return reader.u32();
      case FORM.data8:
        return Number(BigInt.asIntN(64, reader.u64()));
      case FORM.data16:
        return reader.bytes(16);
      case FORM.sdata:
        return reader.sleb();
      case FORM.udata:
        return reader.uleb();
      case FORM.flagPresent:
        return 1;
      case FORM.string:
        return reader.string();
      case FORM.strp:
        return new ByteReader(this.section('.debug_str'), reader.u32()).string();
      case FORM.lineStrp:
        return new ByteReader(this.section('.debug_line_str'), reader.u32()).string();
      case FORM.block1:
        return reader.bytes(reader.u8());
      case FORM.block2:
        return reader.bytes(reader.u16());
      case FORM.block4:
        return reader.bytes(reader.u32());
      case FORM.block:
      case FORM.expression:
        return reader.bytes(reader.uleb());
      case FORM.refAddress:
        // Version 2 has it as long as an address.
        return this.unit.version === 2 ? Number(reader.u64()) : reader.u32();
      case FORM.ref1:
        return this.start + reader.u8();
      case FORM.ref2:
        return this.start + reader.u16();
      case FORM.ref4:
        return this.start + reader.u32();
      case FORM.ref8:
        return this.start + Number(reader.u64());
      case FORM.refUdata:
        return this.start + reader.uleb();
      default:
        throw new RangeError(`an attribute with the form ${form}`);
    }
  }
}

/** Section 7.5.3, "Abbreviations Tables". */
function readShapes(reader: ByteReader): Map<number, Shape> {
  const shapes = new Map<number, Shape>();
  for (let code = reader.uleb(); code !== 0; code = reader.uleb()) {
    const tag = reader.uleb();
    const hasChildren = reader.u8() !== 0;
    const columns: { attribute: number; form: number; constant: number }[] = [];
    for (;;) {
      const [attribute, form] = [reader.uleb(), reader.uleb()];
      const constant = form === FORM.implicitConstant ? reader.sleb() : 0;
      if (attribute === 0) break;
      columns.push({ attribute, form, constant });
    }
    shapes.set(code, { tag, hasChildren, columns });
  }
  return shapes;
}
