/**
 * Sections and symbols of an ELF64 file (System V ABI, "Sections" and "Symbol Table"). Neither is needed to
 * boot, so nothing here throws: what is damaged is left out.
 */

/** A part of the file by name, such as `.debug_line`. */
export interface ElfSection {
  readonly name: string;
  /** `sh_type`. */
  readonly type: number;
  /** Where it lies in memory; 0 where it is not loaded. */
  readonly address: bigint;
  /** Bytes in memory, or in the file where it is not loaded. */
  readonly size: bigint;
  /** `sh_link`: for a symbol table, the index of the section with the names. */
  readonly link: number;
  /** A view of the file; empty for a section that has no bytes there, or says they lie outside the file. */
  readonly data: Uint8Array;
}

/** A name for an address. */
export interface ElfSymbol {
  readonly name: string;
  readonly address: bigint;
  /** Bytes; 0 where the source does not say, as with labels in assembly. */
  readonly size: bigint;
  /** A label is a symbol without a type. */
  readonly kind: 'function' | 'object' | 'label';
  /** False for a name that only its own source file sees. */
  readonly global: boolean;
  /** End of the section that it lies in; its own address where it lies in none (an absolute symbol). */
  readonly sectionEnd: bigint;
}

const HEADER_BYTES = 64;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
/** Longer names are left out, so that many symbols sharing one endless name cannot fill the host's memory. */
const MAX_NAME_BYTES = 512;

const SECTION_WITHOUT_FILE_BYTES = 8;
const SECTION_SYMBOL_TABLE = 2;
const UNDEFINED_SECTION = 0;
const SYMBOL_KINDS: readonly (ElfSymbol['kind'] | undefined)[] = ['label', 'object', 'function'];
const BINDING_LOCAL = 0;

const NO_BYTES = new Uint8Array(0);
const latin1 = new TextDecoder('latin1');

/** The sections of an ELF64 file with a whole header; none where the section table is missing or damaged. */
export function readSections(file: Uint8Array): ElfSection[] {
  const header = viewOf(file);
  const count = header.getUint16(60, true);
  if (header.getUint16(58, true) !== SECTION_HEADER_BYTES) return [];
  const tableOffset = header.getBigUint64(40, true);
  if (tableOffset < HEADER_BYTES) return [];
  const table = slice(file, tableOffset, BigInt(count * SECTION_HEADER_BYTES));
  if (table === undefined) return [];
  const view = viewOf(table);
  const dataOf = (at: number): Uint8Array =>
    view.getUint32(at + 4, true) === SECTION_WITHOUT_FILE_BYTES
      ? NO_BYTES
      : (slice(file, view.getBigUint64(at + 24, true), view.getBigUint64(at + 32, true)) ?? NO_BYTES);
  const namesIndex = header.getUint16(62, true);
  const names = namesIndex < count ? dataOf(namesIndex * SECTION_HEADER_BYTES) : NO_BYTES;
  return Array.from({ length: count }, (_, index) => {
    const at = index * SECTION_HEADER_BYTES;
    return {
      name: nameAt(names, view.getUint32(at, true)),
      type: view.getUint32(at + 4, true),
      address: view.getBigUint64(at + 16, true),
      size: view.getBigUint64(at + 32, true),
      link: view.getUint32(at + 40, true),
      data: dataOf(at),
    };
  });
}

/** The named functions, objects and labels that the file's symbol table defines; none where it has no table. */
export function readSymbols(sections: readonly ElfSection[]): ElfSymbol[] {
  const table = sections.find((section) => section.type === SECTION_SYMBOL_TABLE);
  if (table === undefined) return [];
  const names = sections[table.link]?.data ?? NO_BYTES;
  const view = viewOf(table.data);
  const symbols: ElfSymbol[] = [];
  for (let at = 0; at + SYMBOL_BYTES <= view.byteLength; at += SYMBOL_BYTES) {
    const name = nameAt(names, view.getUint32(at, true));
    const info = view.getUint8(at + 4);
    const kind = SYMBOL_KINDS[info & 0xf];
    const sectionIndex = view.getUint16(at + 6, true);
    if (name === '' || kind === undefined || sectionIndex === UNDEFINED_SECTION) continue;
    const address = view.getBigUint64(at + 8, true);
    const section = sections[sectionIndex];
    symbols.push({
      name,
      address,
      size: view.getBigUint64(at + 16, true),
      kind,
      global: info >> 4 !== BINDING_LOCAL,
      sectionEnd: section === undefined ? address : section.address + section.size,
    });
  }
  return symbols;
}

/** The zero-terminated name at `offset` of a string table; empty where there is none. */
function nameAt(table: Uint8Array, offset: number): string {
  const bytes = table.subarray(offset, offset + MAX_NAME_BYTES);
  const end = bytes.indexOf(0);
  return end < 0 ? '' : latin1.decode(bytes.subarray(0, end));
}

/** A view of `size` bytes at `offset`, or undefined where they are not all in the file. */
function slice(file: Uint8Array, offset: bigint, size: bigint): Uint8Array | undefined {
  if (offset + size > BigInt(file.length)) return undefined;
  return file.subarray(Number(offset), Number(offset + size));
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
