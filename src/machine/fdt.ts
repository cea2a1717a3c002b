/** Writes flattened device trees (Devicetree Specification v0.4, chapter 5, "Flattened Devicetree (DTB) Format"). */

/** A property: one string, a list of strings, a list of 32-bit cells, or, for `true`, a name without a value. */
export type FdtValue = string | readonly string[] | readonly number[] | true;

export interface FdtNode {
  /** With its unit address, such as `serial@10000000`; empty for the root. */
  readonly name: string;
  readonly properties: Readonly<Record<string, FdtValue>>;
  readonly children?: readonly FdtNode[];
}

const MAGIC = 0xd00d_feed;
const VERSION = 17;
const LAST_COMPATIBLE_VERSION = 16;
const HEADER_BYTES = 40;
/** The list of reserved memory: only the pair of zeros that ends it. */
const RESERVATION_BYTES = 16;

const TOKEN_BEGIN_NODE = 1;
const TOKEN_END_NODE = 2;
const TOKEN_PROPERTY = 3;
const TOKEN_END = 9;

/** The tree as bytes: header, memory reservations, structure, and the names of properties. */
export function writeFdt(root: FdtNode): Uint8Array {
  const structure: number[] = [];
  const strings: number[] = [];
  const nameOffsets = new Map<string, number>();
  writeNode(root);
  structure.push(...cell(TOKEN_END));

  const structureOffset = HEADER_BYTES + RESERVATION_BYTES;
  const stringsOffset = structureOffset + structure.length;
  const totalBytes = stringsOffset + strings.length;
  const bootHart = 0;
  const header = [
    MAGIC,
    totalBytes,
    structureOffset,
    stringsOffset,
    HEADER_BYTES,
    VERSION,
    LAST_COMPATIBLE_VERSION,
    bootHart,
    strings.length,
    structure.length,
  ];
  const reservations = new Array<number>(RESERVATION_BYTES).fill(0);
  return Uint8Array.from([...header.flatMap(cell), ...reservations, ...structure, ...strings]);

  function writeNode(node: FdtNode): void {
    structure.push(...cell(TOKEN_BEGIN_NODE), ...padded(text(node.name)));
    for (const [name, value] of Object.entries(node.properties)) {
      const bytes = bytesOf(value);
      structure.push(
        ...cell(TOKEN_PROPERTY),
        ...cell(bytes.length),
        ...cell(nameOffset(name)),
        ...padded(bytes),
      );
    }
    node.children?.forEach(writeNode);
    structure.push(...cell(TOKEN_END_NODE));
  }

  function nameOffset(name: string): number {
    const known = nameOffsets.get(name);
    if (known !== undefined) return known;
    const offset = strings.length;
    nameOffsets.set(name, offset);
    strings.push(...text(name));
    return offset;
  }
}

/** A big-endian 32-bit number. */
const cell = (value: number): number[] => [
  value >>> 24,
  (value >>> 16) & 0xff,
  (value >>> 8) & 0xff,
  value & 0xff,
];

/** ASCII characters and a zero. */
const text = (value: string): number[] => [...value].map((character) => character.charCodeAt(0)).concat(0);

/** With zeros up to a multiple of four bytes. */
const padded = (bytes: number[]): number[] => [...bytes, ...new Array<number>(-bytes.length & 3).fill(0)];

function bytesOf(value: FdtValue): number[] {
  if (value === true) return [];
  if (typeof value === 'string') return text(value);
  return value.flatMap((item: string | number) => (typeof item === 'string' ? text(item) : cell(item)));
}
