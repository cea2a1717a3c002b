/**
 * Makes a file system image with the given files in its root directory.
 *
 *     npx tsx scripts/fs/mkfs.ts OUT FILES…
 *
 * The same files in the same order make the same image, byte for byte.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  BLOCK_SIZE,
  DIRECT_BLOCKS,
  ENTRY_SIZE,
  Image,
  ImageError,
  InodeType,
  MAGIC,
  MAX_FILE_SIZE,
  MAX_LOG_ENTRIES,
  NAME_LENGTH,
  ROOT_INODE,
  bitmapBlocks,
  dataStart,
  encodeName,
  inodeBlocks,
  type Superblock,
} from './format.js';

export interface ImageFile {
  /** At most 14 bytes of UTF-8, without `/`. */
  name: string;
  data: Uint8Array;
}

export interface ImageOptions {
  /** Blocks of 1024 bytes in the image. */
  blocks?: number;
  inodes?: number;
}

/**
 * An image of `blocks` times 1024 bytes (2000 blocks and 200 inodes, unless told otherwise) whose root directory
 * holds `files`. Throws ImageError if a name cannot be stored, is given twice, or the files do not fit.
 */
export function makeImage(files: readonly ImageFile[], options: ImageOptions = {}): Uint8Array {
  const superblock = layOut(options.blocks ?? 2000, options.inodes ?? 200);
  const image = new Image(new Uint8Array(superblock.size * BLOCK_SIZE));
  image.writeSuperblock(superblock);

  checkNames(files);
  if (ROOT_INODE + files.length >= superblock.inodes) {
    throw new ImageError(`${files.length} files do not fit in ${superblock.inodes} inodes`);
  }

  let nextBlock = dataStart(superblock);
  const allocate = () => {
    if (nextBlock >= superblock.size) {
      throw new ImageError(`the files do not fit in an image of ${superblock.size} blocks`);
    }
    return nextBlock++;
  };
  const add = (number: number, type: InodeType, data: Uint8Array) =>
    image.writeInode(superblock, number, {
      type,
      major: 0,
      minor: 0,
      links: 1,
      size: data.length,
      addresses: store(image, data, allocate),
    });

  const numbered = files.map((file, index) => ({ ...file, inode: ROOT_INODE + 1 + index }));
  const root = [{ name: '.', inode: ROOT_INODE }, { name: '..', inode: ROOT_INODE }, ...numbered];
  add(ROOT_INODE, InodeType.Directory, encodeDirectory(root));
  for (const file of numbered) {
    if (file.data.length > MAX_FILE_SIZE) {
      throw new ImageError(`${file.name}: ${file.data.length} bytes, and a file may have ${MAX_FILE_SIZE}`);
    }
    add(file.inode, InodeType.File, file.data);
  }

  for (let block = 0; block < nextBlock; block++) image.setAllocated(superblock, block, true);
  return image.bytes;
}

function layOut(size: number, inodes: number): Superblock {
  const logBlocks = 1 + MAX_LOG_ENTRIES;
  const logStart = 2;
  const inodeStart = logStart + logBlocks;
  const bitmapStart = inodeStart + inodeBlocks(inodes);
  const dataBlocks = size - bitmapStart - bitmapBlocks(size);
  // Entries name inodes in 16 bits.
  if (!Number.isInteger(inodes) || inodes < 2 || inodes > 0xffff) {
    throw new ImageError(`${inodes} inodes: there may be 2 to 65535`);
  }
  if (!Number.isInteger(size) || dataBlocks < 1) {
    throw new ImageError(
      `${size} blocks are too few: ${size - dataBlocks + 1} is the least with ${inodes} inodes`,
    );
  }
  return { magic: MAGIC, size, dataBlocks, inodes, logBlocks, logStart, inodeStart, bitmapStart };
}

function checkNames(files: readonly ImageFile[]): void {
  const seen = new Set(['.', '..']);
  for (const { name } of files) {
    const { length } = encodeName(name);
    if (length === 0 || length > NAME_LENGTH) {
      throw new ImageError(`"${name}": a name has 1 to ${NAME_LENGTH} bytes, this one ${length}`);
    }
    if (/[/\0]/.test(name)) throw new ImageError(`"${name}": a name holds no / and no NUL`);
    if (seen.has(name)) throw new ImageError(`"${name}" is there twice`);
    seen.add(name);
  }
}

/** Puts `data` into blocks got from `allocate` and returns the addresses for its inode. */
function store(image: Image, data: Uint8Array, allocate: () => number): number[] {
  const addresses = new Array<number>(DIRECT_BLOCKS + 1).fill(0);
  for (let index = 0; index * BLOCK_SIZE < data.length; index++) {
    const block = allocate();
    if (index < DIRECT_BLOCKS) {
      addresses[index] = block;
    } else {
      addresses[DIRECT_BLOCKS] ||= allocate();
      image.setWord(addresses[DIRECT_BLOCKS], index - DIRECT_BLOCKS, block);
    }
    image.block(block).set(data.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE));
  }
  return addresses;
}

function encodeDirectory(entries: readonly { name: string; inode: number }[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * ENTRY_SIZE);
  const view = new DataView(bytes.buffer);
  entries.forEach(({ name, inode }, index) => {
    view.setUint16(index * ENTRY_SIZE, inode, true);
    bytes.set(encodeName(name), index * ENTRY_SIZE + 2);
  });
  return bytes;
}

function main([out, ...paths]: string[]): void {
  if (out === undefined) throw new ImageError('usage: mkfs OUT FILES…');
  writeFileSync(out, makeImage(paths.map((path) => ({ name: basename(path), data: readFileSync(path) }))));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(`mkfs: ${(error as Error).message}`);
    process.exitCode = 2;
  }
}
