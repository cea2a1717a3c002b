/**
 * The file system's format on disk, as xv6-riscv documents it, and a reader of images in that format.
 *
 *     boot | superblock | log: header, data… | inodes | bitmap | data…
 *
 * Everything is little-endian, in blocks of 1024 bytes. The kernel's side of it is images/kernel/fs.h.
 */

export const BLOCK_SIZE = 1024;
export const MAGIC = 0x10203040;
export const SUPERBLOCK = 1;
export const ROOT_INODE = 1;

export const DIRECT_BLOCKS = 12;
export const INDIRECT_BLOCKS = BLOCK_SIZE / 4;
export const MAX_FILE_BLOCKS = DIRECT_BLOCKS + INDIRECT_BLOCKS;
export const MAX_FILE_SIZE = MAX_FILE_BLOCKS * BLOCK_SIZE;

export const INODE_SIZE = 64;
export const INODES_PER_BLOCK = BLOCK_SIZE / INODE_SIZE;
export const ENTRY_SIZE = 16;
export const NAME_LENGTH = ENTRY_SIZE - 2;
export const BITS_PER_BLOCK = BLOCK_SIZE * 8;

/** Blocks one transaction may hold: the most that a log header can list in xv6's kernels. */
export const MAX_LOG_ENTRIES = 30;

export enum InodeType {
  Free = 0,
  Directory = 1,
  File = 2,
  Device = 3,
}

/** Block 1. All counts are of blocks, except `inodes`. */
export interface Superblock {
  magic: number;
  size: number;
  dataBlocks: number;
  inodes: number;
  /** The log's length, its header included. */
  logBlocks: number;
  logStart: number;
  inodeStart: number;
  bitmapStart: number;
}

const SUPERBLOCK_FIELDS: readonly (keyof Superblock)[] = [
  'magic',
  'size',
  'dataBlocks',
  'inodes',
  'logBlocks',
  'logStart',
  'inodeStart',
  'bitmapStart',
];

export interface Inode {
  type: number;
  major: number;
  minor: number;
  /** Directory entries that name this inode; a directory's own `.` is not counted. */
  links: number;
  /** In bytes. */
  size: number;
  /** Twelve data blocks, then the indirect block; 0 where there is none. */
  addresses: number[];
}

export interface DirectoryEntry {
  /** 0 in a free entry. */
  inode: number;
  name: string;
}

/** An image that cannot be made or read; its message is for the person who asked. */
export class ImageError extends Error {
  override name = 'ImageError';
}

/** The number of blocks that the inodes of a file system take. One more than needed when they fill the last: so does xv6. */
export function inodeBlocks(inodes: number): number {
  return Math.floor(inodes / INODES_PER_BLOCK) + 1;
}

/** The number of blocks that the bitmap of a file system of `size` blocks takes. */
export function bitmapBlocks(size: number): number {
  return Math.floor(size / BITS_PER_BLOCK) + 1;
}

/** The first block that can hold data. */
export function dataStart(superblock: Superblock): number {
  return superblock.bitmapStart + bitmapBlocks(superblock.size);
}

export function encodeName(name: string): Uint8Array {
  return new TextEncoder().encode(name);
}

/** Typed access to an image's structures, in place. Reads nothing outside the image: callers check ranges first. */
export class Image {
  private readonly view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many whole blocks the image has. */
  get blocks(): number {
    return Math.floor(this.bytes.length / BLOCK_SIZE);
  }

  /** The bytes of a block; writing to them changes the image. */
  block(number: number): Uint8Array {
    return this.bytes.subarray(number * BLOCK_SIZE, (number + 1) * BLOCK_SIZE);
  }

  readSuperblock(): Superblock {
    const fields = SUPERBLOCK_FIELDS.map((name, index) => [name, this.word(SUPERBLOCK, index)] as const);
    return Object.fromEntries(fields) as unknown as Superblock;
  }

  writeSuperblock(superblock: Superblock): void {
    SUPERBLOCK_FIELDS.forEach((name, index) => this.setWord(SUPERBLOCK, index, superblock[name]));
  }

  readInode(superblock: Superblock, number: number): Inode {
    const offset = this.inodeOffset(superblock, number);
    return {
      type: this.view.getInt16(offset, true),
      major: this.view.getInt16(offset + 2, true),
      minor: this.view.getInt16(offset + 4, true),
      links: this.view.getInt16(offset + 6, true),
      size: this.view.getUint32(offset + 8, true),
      addresses: Array.from({ length: DIRECT_BLOCKS + 1 }, (_, index) =>
        this.view.getUint32(offset + 12 + 4 * index, true),
      ),
    };
  }

  writeInode(superblock: Superblock, number: number, inode: Inode): void {
    const offset = this.inodeOffset(superblock, number);
    this.view.setInt16(offset, inode.type, true);
    this.view.setInt16(offset + 2, inode.major, true);
    this.view.setInt16(offset + 4, inode.minor, true);
    this.view.setInt16(offset + 6, inode.links, true);
    this.view.setUint32(offset + 8, inode.size, true);
    inode.addresses.forEach((address, index) => this.view.setUint32(offset + 12 + 4 * index, address, true));
  }

  /** The blocks that hold the inode's bytes, in order; 0 where one is missing. The addresses must be in range. */
  contentBlocks(inode: Inode): number[] {
    const count = Math.ceil(inode.size / BLOCK_SIZE);
    const indirect = inode.addresses[DIRECT_BLOCKS];
    return Array.from({ length: count }, (_, index) => {
      if (index < DIRECT_BLOCKS) return inode.addresses[index];
      return indirect === 0 ? 0 : this.word(indirect, index - DIRECT_BLOCKS);
    });
  }

  /** A copy of the inode's bytes. The addresses must be in range. */
  content(inode: Inode): Uint8Array {
    const result = new Uint8Array(inode.size);
    this.contentBlocks(inode).forEach((block, index) => {
      const start = index * BLOCK_SIZE;
      result.set(this.block(block).subarray(0, Math.min(BLOCK_SIZE, inode.size - start)), start);
    });
    return result;
  }

  /** The entries of a directory, free ones too. The addresses must be in range. */
  entries(directory: Inode): DirectoryEntry[] {
    const content = this.content(directory);
    const view = new DataView(content.buffer);
    return Array.from({ length: Math.floor(content.length / ENTRY_SIZE) }, (_, index) => {
      const start = index * ENTRY_SIZE;
      const field = content.subarray(start + 2, start + ENTRY_SIZE);
      const end = field.indexOf(0);
      return {
        inode: view.getUint16(start, true),
        name: new TextDecoder().decode(field.subarray(0, end < 0 ? NAME_LENGTH : end)),
      };
    });
  }

  isAllocated(superblock: Superblock, block: number): boolean {
    const [byte, mask] = this.bitmapPosition(superblock, block);
    return (this.bytes[byte] & mask) !== 0;
  }

  setAllocated(superblock: Superblock, block: number, allocated: boolean): void {
    const [byte, mask] = this.bitmapPosition(superblock, block);
    if (allocated) this.bytes[byte] |= mask;
    else this.bytes[byte] &= ~mask;
  }

  /** The 32-bit word at `index` in a block: the log's header and indirect blocks are made of them. */
  word(block: number, index: number): number {
    return this.view.getUint32(block * BLOCK_SIZE + 4 * index, true);
  }

  setWord(block: number, index: number, value: number): void {
    this.view.setUint32(block * BLOCK_SIZE + 4 * index, value, true);
  }

  private inodeOffset(superblock: Superblock, number: number): number {
    return superblock.inodeStart * BLOCK_SIZE + number * INODE_SIZE;
  }

  private bitmapPosition(superblock: Superblock, block: number): [byte: number, mask: number] {
    return [superblock.bitmapStart * BLOCK_SIZE + (block >> 3), 1 << (block & 7)];
  }
}

/**
 * The content of the file at `path` (names from the root, separated by `/`), or undefined where there is none.
 * The image must be sound: see `checkImage`.
 */
export function readFile(bytes: Uint8Array, path: string): Uint8Array | undefined {
  const image = new Image(bytes);
  const superblock = image.readSuperblock();
  let inode = image.readInode(superblock, ROOT_INODE);
  for (const name of path.split('/').filter((part) => part !== '')) {
    if (inode.type !== InodeType.Directory) return undefined;
    const entry = image.entries(inode).find((candidate) => candidate.inode !== 0 && candidate.name === name);
    if (entry === undefined) return undefined;
    inode = image.readInode(superblock, entry.inode);
  }
  return inode.type === InodeType.File ? image.content(inode) : undefined;
}
