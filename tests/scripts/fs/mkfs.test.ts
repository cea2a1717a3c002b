import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BLOCK_SIZE,
  DIRECT_BLOCKS,
  Image,
  ImageError,
  InodeType,
  MAX_FILE_SIZE,
  readFile,
} from '../../../scripts/fs/format.js';
import { checkImage } from '../../../scripts/fs/fsck.js';
import { makeImage } from '../../../scripts/fs/mkfs.js';

/** Bytes that differ from block to block. */
function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 10)) & 0xff);
}

describe('makeImage', () => {
  test('lays an empty file system out as documented', () => {
    const image = new Image(makeImage([]));
    const superblock = image.readSuperblock();
    expect(image.bytes.length).toBe(2000 * 1024);
    expect(superblock).toEqual({
      magic: 0x10203040,
      size: 2000,
      dataBlocks: 1953,
      inodes: 200,
      logBlocks: 31,
      logStart: 2,
      inodeStart: 33,
      bitmapStart: 46,
    });
    const root = image.readInode(superblock, 1);
    expect(root).toMatchObject({ type: InodeType.Directory, links: 1, size: 32 });
    expect(image.entries(root)).toEqual([
      { inode: 1, name: '.' },
      { inode: 1, name: '..' },
    ]);
  });

  test('stores the superblock as eight little-endian words', () => {
    const block = makeImage([]).subarray(BLOCK_SIZE, BLOCK_SIZE + 32);
    const words = [0x10203040, 2000, 1953, 200, 31, 2, 33, 46];
    expect([...block]).toEqual(
      words.flatMap((word) => [word & 255, (word >> 8) & 255, (word >> 16) & 255, word >> 24]),
    );
  });

  test.each([
    0,
    1,
    BLOCK_SIZE - 1,
    BLOCK_SIZE,
    BLOCK_SIZE + 1,
    DIRECT_BLOCKS * BLOCK_SIZE,
    DIRECT_BLOCKS * BLOCK_SIZE + 1,
    MAX_FILE_SIZE,
  ])('keeps a file of %i bytes', (length) => {
    const image = makeImage([{ name: 'file', data: bytes(length) }]);
    expect(Buffer.compare(readFile(image, 'file')!, bytes(length))).toBe(0);
    expect(checkImage(image)).toEqual([]);
  });

  test('takes a name of 14 bytes', () => {
    const image = makeImage([{ name: 'fourteen-bytes', data: bytes(3) }]);
    expect(readFile(image, '/fourteen-bytes')).toEqual(bytes(3));
    expect(readFile(image, 'fourteen-byte')).toBeUndefined();
  });

  test.each([
    ['an empty name', ''],
    ['a name of 15 bytes', 'fifteen-bytes--'],
    ['a name of 8 characters and 16 bytes', 'éééééééé'],
    ['a name with a slash', 'a/b'],
    ['a name with a NUL', 'a\0b'],
    ['the name of the directory itself', '.'],
    ['the name of its parent', '..'],
  ])('refuses %s', (_, name) => {
    expect(() => makeImage([{ name, data: bytes(1) }])).toThrow(ImageError);
  });

  test('refuses a name that is there twice', () => {
    const file = { name: 'file', data: bytes(1) };
    expect(() => makeImage([file, file])).toThrow('"file" is there twice');
  });

  test('refuses a file larger than the format can hold', () => {
    expect(() => makeImage([{ name: 'large', data: bytes(MAX_FILE_SIZE + 1) }])).toThrow(
      'large: 274433 bytes, and a file may have 274432',
    );
  });

  test('refuses more than the image holds, and fills it to the last block', () => {
    const blocks = 100; // of which 53 hold data: the root directory, the file, its indirect block
    const fits = makeImage([{ name: 'file', data: bytes(51 * BLOCK_SIZE) }], { blocks });
    expect(checkImage(fits)).toEqual([]);
    expect(() => makeImage([{ name: 'file', data: bytes(51 * BLOCK_SIZE + 1) }], { blocks })).toThrow(
      'the files do not fit in an image of 100 blocks',
    );
  });

  test('refuses more files than there are inodes', () => {
    const files = Array.from({ length: 9 }, (_, index) => ({ name: `f${index}`, data: bytes(1) }));
    expect(checkImage(makeImage(files.slice(1), { inodes: 10 }))).toEqual([]);
    expect(() => makeImage(files, { inodes: 10 })).toThrow('9 files do not fit in 10 inodes');
  });

  test.each([
    [{ blocks: 47 }, '47 blocks are too few: 48 is the least with 200 inodes'],
    [{ blocks: 2000.5 }, ImageError],
    [{ inodes: 1 }, '1 inodes: there may be 2 to 65535'],
    [{ inodes: 65536 }, '65536 inodes'],
    [{ inodes: Number.NaN }, ImageError],
  ])('refuses the options %j', (options, message) => {
    expect(() => makeImage([], options)).toThrow(message);
  });

  test('makes an image whose bitmap takes several blocks', () => {
    const image = makeImage([{ name: 'file', data: bytes(5000) }], { blocks: 20000, inodes: 1000 });
    expect(checkImage(image)).toEqual([]);
    expect(readFile(image, 'file')).toEqual(bytes(5000));
  });

  test('makes sound images that keep every file, the same each time', () => {
    const name = fc.stringMatching(/^[a-z0-9_-][a-z0-9._-]{0,13}$/);
    const file = fc.record({ name, data: fc.uint8Array({ maxLength: 20000, size: 'max' }) });
    const files = fc.uniqueArray(file, { selector: (each) => each.name, maxLength: 20 });
    fc.assert(
      fc.property(files, (given) => {
        const image = makeImage(given);
        expect(checkImage(image)).toEqual([]);
        for (const each of given) expect(Buffer.compare(readFile(image, each.name)!, each.data)).toBe(0);
        expect(Buffer.compare(makeImage(given), image)).toBe(0);
      }),
      { numRuns: 30 },
    );
  });
});
