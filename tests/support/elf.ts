/** Builds ELF files for tests: valid ones by default, and wrong in just the way a test asks for. */

export interface TestSegment {
  readonly address: bigint;
  readonly virtualAddress?: bigint;
  readonly data?: Uint8Array;
  /** Default: as long as `data`. */
  readonly memoryBytes?: bigint;
  /** `p_flags`: 4 read, 2 write, 1 execute; default 7. */
  readonly flags?: number;
  /** `p_type`; default 1, a loadable segment. */
  readonly type?: number;
}

export interface TestSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly size?: bigint;
  /** `STT_…`: 0 label (default), 1 object, 2 function, 3 section, 4 file. */
  readonly type?: number;
  readonly global?: boolean;
  /** Default 1, the section `.text`. */
  readonly section?: number;
}

export interface TestElf {
  readonly entry?: bigint;
  readonly type?: number;
  readonly machine?: number;
  readonly segments?: readonly TestSegment[];
  /** Without symbols there is no section table at all, as in a kernel stripped of everything. */
  readonly symbols?: readonly TestSymbol[];
}

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;

/** Offsets in the file header and in a program header, for tests that overwrite a field. */
export const FIELD = { class: 4, byteOrder: 5, entry: 24, programOffset: 32, sectionOffset: 40 } as const;
export const COUNT_FIELD = {
  programBytes: 54,
  programs: 56,
  sectionBytes: 58,
  sections: 60,
  names: 62,
} as const;
export const PROGRAM_FIELD = {
  offset: 64 + 8,
  address: 64 + 24,
  fileBytes: 64 + 32,
  memoryBytes: 64 + 40,
} as const;

/** One segment of sixteen bytes and sixteen zeros at 0x80000000, where it starts. */
export const MINIMAL: TestElf = {
  segments: [{ address: 0x8000_0000n, data: new Uint8Array(16).fill(0x13), memoryBytes: 32n }],
};

/** The file: header, program headers, segments, and, given symbols, `.text`, `.symtab`, `.strtab` and the section table. */
export function buildElf(elf: TestElf = MINIMAL): Uint8Array {
  const segments = elf.segments ?? [];
  const tableEnd = HEADER_BYTES + segments.length * PROGRAM_HEADER_BYTES;
  const file: number[] = new Array<number>(tableEnd).fill(0);
  const append = (bytes: Iterable<number>): number => {
    const offset = file.length;
    for (const byte of bytes) file.push(byte);
    return offset;
  };
  const offsets = segments.map((segment) => append(segment.data ?? []));
  const sections = elf.symbols === undefined ? undefined : appendSections(elf, append);

  const bytes = Uint8Array.from(file);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, elf.type ?? 2, true);
  view.setUint16(18, elf.machine ?? 243, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, elf.entry ?? segments[0]?.address ?? 0n, true);
  view.setBigUint64(32, BigInt(HEADER_BYTES), true);
  view.setBigUint64(40, BigInt(sections?.offset ?? 0), true);
  view.setUint16(52, HEADER_BYTES, true);
  view.setUint16(54, PROGRAM_HEADER_BYTES, true);
  view.setUint16(56, segments.length, true);
  view.setUint16(58, sections === undefined ? 0 : SECTION_HEADER_BYTES, true);
  view.setUint16(60, sections?.count ?? 0, true);
  view.setUint16(62, sections?.names ?? 0, true);
  segments.forEach((segment, index) => {
    const at = HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
    const fileBytes = BigInt(segment.data?.length ?? 0);
    view.setUint32(at, segment.type ?? 1, true);
    view.setUint32(at + 4, segment.flags ?? 7, true);
    view.setBigUint64(at + 8, BigInt(offsets[index]), true);
    view.setBigUint64(at + 16, segment.virtualAddress ?? segment.address, true);
    view.setBigUint64(at + 24, segment.address, true);
    view.setBigUint64(at + 32, fileBytes, true);
    view.setBigUint64(at + 40, segment.memoryBytes ?? fileBytes, true);
  });
  return bytes;
}

/** Appends the symbol table, its names and the section table; says where the last one is. */
function appendSections(
  elf: TestElf,
  append: (bytes: Iterable<number>) => number,
): { offset: number; count: number; names: number } {
  const text = elf.segments?.[0];
  const symbols = elf.symbols ?? [];
  const strings = new StringTable();
  const table = new DataView(new ArrayBuffer((symbols.length + 1) * SYMBOL_BYTES));
  symbols.forEach((symbol, index) => {
    const at = (index + 1) * SYMBOL_BYTES;
    table.setUint32(at, strings.add(symbol.name), true);
    table.setUint8(at + 4, (symbol.global === true ? 0x10 : 0) | (symbol.type ?? 0));
    table.setUint16(at + 6, symbol.section ?? 1, true);
    table.setBigUint64(at + 8, symbol.address, true);
    table.setBigUint64(at + 16, symbol.size ?? 0n, true);
  });
  const names = ['.text', '.symtab', '.strtab'].map((name) => strings.add(name));
  const symbolsOffset = append(new Uint8Array(table.buffer));
  const stringsOffset = append(strings.bytes);

  const headers = new DataView(new ArrayBuffer(4 * SECTION_HEADER_BYTES));
  const setHeader = (index: number, type: number, address: bigint, offset: number, size: bigint): void => {
    const at = index * SECTION_HEADER_BYTES;
    headers.setUint32(at, names[index - 1], true);
    headers.setUint32(at + 4, type, true);
    headers.setBigUint64(at + 16, address, true);
    headers.setBigUint64(at + 24, BigInt(offset), true);
    headers.setBigUint64(at + 32, size, true);
  };
  const textBytes = text?.memoryBytes ?? BigInt(text?.data?.length ?? 0);
  setHeader(1, 8, text?.address ?? 0n, 0, textBytes);
  setHeader(2, 2, 0n, symbolsOffset, BigInt(table.byteLength));
  setHeader(3, 3, 0n, stringsOffset, BigInt(strings.bytes.length));
  headers.setUint32(2 * SECTION_HEADER_BYTES + 40, 3, true);
  return { offset: append(new Uint8Array(headers.buffer)), count: 4, names: 3 };
}

/** Zero-terminated names, one after the other; offset 0 is the empty one. */
class StringTable {
  readonly bytes: number[] = [0];

  add(name: string): number {
    const offset = this.bytes.length;
    this.bytes.push(...new TextEncoder().encode(name), 0);
    return offset;
  }
}

/** A copy of `file` in which the fields at the given offsets are overwritten, `bytes` wide and little-endian. */
export function withField(file: Uint8Array, offset: number, value: bigint, bytes: 1 | 2 | 8): Uint8Array {
  const copy = Uint8Array.from(file);
  for (let index = 0; index < bytes; index++)
    copy[offset + index] = Number((value >> BigInt(8 * index)) & 0xffn);
  return copy;
}
