import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BLOCK_SIZE,
  DIRECT_BLOCKS,
  ENTRY_SIZE,
  Image,
  InodeType,
  MAX_FILE_SIZE,
  type Inode,
  type Superblock,
} from '../../../scripts/fs/format.js';
import { checkImage, recover } from '../../../scripts/fs/fsck.js';
import { makeImage } from '../../../scripts/fs/mkfs.js';

// The image that the tests damage. Blocks: root 47; "small" 48; "large" 49 to 60, indirect 62, data 61 and 63 on.
const SMALL = 2;
const LARGE = 3;
const DIRECTORY = 4;
const UNUSED_INODE = 5;
const UNUSED_BLOCK = 1000;
const ROOT_BLOCK = 47;

/** An image with a small file, one with an indirect block, and a directory that holds nothing. */
function soundImage(): Image {
  const data = (length: number) => new Uint8Array(length).fill(65);
  const image = new Image(
    makeImage([
      { name: 'small', data: data(100) },
      { name: 'large', data: data(15 * BLOCK_SIZE) },
      { name: 'directory', data: data(2 * ENTRY_SIZE) },
    ]),
  );
  change(image, DIRECTORY, (inode) => (inode.type = InodeType.Directory));
  change(image, 1, (root) => (root.links = 2));
  const [block] = image.contentBlocks(inodeOf(image, DIRECTORY));
  setEntry(image, block, 0, DIRECTORY, '.');
  setEntry(image, block, 1, 1, '..');
  return image;
}

function inodeOf(image: Image, number: number): Inode {
  return image.readInode(image.readSuperblock(), number);
}

function change(image: Image, number: number, edit: (inode: Inode) => void): void {
  const inode = inodeOf(image, number);
  edit(inode);
  image.writeInode(image.readSuperblock(), number, inode);
}

function changeSuperblock(image: Image, fields: Partial<Superblock>): void {
  image.writeSuperblock({ ...image.readSuperblock(), ...fields });
}

function setEntry(image: Image, block: number, index: number, inode: number, name: string): void {
  const entry = image.block(block).subarray(index * ENTRY_SIZE, (index + 1) * ENTRY_SIZE);
  entry.fill(0);
  entry.set([inode & 255, inode >> 8]);
  entry.set(new TextEncoder().encode(name), 2);
}

/** Puts a committed transaction in the log: new contents for blocks. */
function log(image: Image, blocks: readonly (readonly [home: number, content: Uint8Array])[]): void {
  const { logStart } = image.readSuperblock();
  image.setWord(logStart, 0, blocks.length);
  blocks.forEach(([home, content], index) => {
    image.setWord(logStart, 1 + index, home);
    image.block(logStart + 1 + index).set(content);
  });
}

const damages: [what: string, damage: (image: Image) => void, problems: (string | RegExp)[]][] = [
  [
    'a wrong magic number',
    (image) => changeSuperblock(image, { magic: 0x10203041 }),
    ['superblock: magic is 0x10203041, not 0x10203040'],
  ],
  [
    'a size beyond the end of the image',
    (image) => changeSuperblock(image, { size: 2001, dataBlocks: 1954 }),
    ['superblock: size is 2001 blocks, but the image has 2000'],
  ],
  [
    'a count of data blocks that does not fit the size',
    (image) => changeSuperblock(image, { dataBlocks: 1952 }),
    ['superblock: 1952 data blocks after the bitmap at 46 do not make a size of 2000 blocks'],
  ],
  [
    'more inodes than there is room for',
    (image) => changeSuperblock(image, { inodes: 300 }),
    ['superblock: the inodes run into the bitmap at block 46'],
  ],
  [
    'a log that runs into the inodes',
    (image) => changeSuperblock(image, { logBlocks: 32 }),
    ['superblock: the log runs into the inodes at block 33'],
  ],
  [
    'a log header that lists too much',
    (image) => image.setWord(2, 0, 31),
    ['log: the header lists 31 blocks, and the log holds 30'],
  ],
  [
    'a log entry outside the file system',
    (image) => log(image, [[2000, new Uint8Array(BLOCK_SIZE)]]),
    ['log: entry 0 is for block 2000, outside the file system'],
  ],
  [
    'a log entry for the log itself',
    (image) => log(image, [[5, new Uint8Array(BLOCK_SIZE)]]),
    ['log: entry 0 is for block 5, outside the file system'],
  ],
  [
    'a block that is in the log twice',
    (image) =>
      log(image, [
        [1500, new Uint8Array(BLOCK_SIZE)],
        [1500, new Uint8Array(BLOCK_SIZE)],
      ]),
    ['log: block 1500 is listed twice'],
  ],
  [
    'an unknown type of inode',
    (image) => change(image, SMALL, (inode) => (inode.type = 4)),
    [/^inode 2: type is 4$/],
  ],
  [
    'a size that no file can have',
    (image) => change(image, LARGE, (inode) => (inode.size = MAX_FILE_SIZE + 1)),
    [/^inode 3: size is 274433, more than a file can have$/],
  ],
  [
    'a device with bytes',
    (image) => change(image, SMALL, (inode) => (inode.type = InodeType.Device)),
    ['inode 2: a device of 100 bytes'],
  ],
  [
    'a directory that ends within an entry',
    (image) => change(image, DIRECTORY, (inode) => (inode.size = 40)),
    ['inode 4: a directory of 40 bytes, not a multiple of 16'],
  ],
  [
    'a block below the data',
    (image) => change(image, SMALL, (inode) => (inode.addresses[0] = 46)),
    [/^inode 2: block 46 is outside the data blocks$/],
  ],
  [
    'a block beyond the end',
    (image) => change(image, SMALL, (inode) => (inode.addresses[0] = 2000)),
    [/^inode 2: block 2000 is outside the data blocks$/],
  ],
  [
    'a block in the indirect block beyond the end',
    (image) => image.setWord(inodeOf(image, LARGE).addresses[DIRECT_BLOCKS], 0, 0xffffffff),
    [/^inode 3: block 4294967295 is outside the data blocks$/],
  ],
  [
    'an indirect block beyond the end',
    (image) => change(image, LARGE, (inode) => (inode.addresses[DIRECT_BLOCKS] = 5000)),
    [/^inode 3's indirect block: block 5000 is outside the data blocks$/],
  ],
  [
    'a block that two files use',
    (image) => change(image, LARGE, (inode) => (inode.addresses[3] = inodeOf(image, SMALL).addresses[0])),
    ['inode 3: block 48 is also used by inode 2', 'bitmap: block 52 is allocated, but nothing uses it'],
  ],
  [
    'a missing block',
    (image) => change(image, LARGE, (inode) => (inode.addresses[3] = 0)),
    ['inode 3: block 3 of its content is missing', 'bitmap: block 52 is allocated, but nothing uses it'],
  ],
  [
    'a missing indirect block',
    (image) => change(image, LARGE, (inode) => (inode.addresses[DIRECT_BLOCKS] = 0)),
    [/^inode 3: its indirect block is missing$/],
  ],
  [
    'a block beyond the size',
    (image) => change(image, LARGE, (inode) => (inode.size -= BLOCK_SIZE)),
    ['inode 3: block 64 lies beyond its size of 14336 bytes'],
  ],
  [
    'an indirect block beyond the size',
    (image) => change(image, LARGE, (inode) => (inode.size = 12 * BLOCK_SIZE)),
    [/^inode 3: indirect block 62 lies beyond its size of 12288 bytes$/],
  ],
  [
    'a used block that the bitmap has free',
    (image) => image.setAllocated(image.readSuperblock(), 48, false),
    ['bitmap: block 48 is free, but used by inode 2'],
  ],
  [
    'a block of the layout that the bitmap has free',
    (image) => image.setAllocated(image.readSuperblock(), 1, false),
    ['bitmap: block 1 is free, but used by the layout'],
  ],
  [
    'an allocated block that nothing uses',
    (image) => image.setAllocated(image.readSuperblock(), UNUSED_BLOCK, true),
    ['bitmap: block 1000 is allocated, but nothing uses it'],
  ],
  [
    'a link count that is too high',
    (image) => change(image, SMALL, (inode) => (inode.links = 2)),
    ['inode 2: link count is 2, but 1 entries name it'],
  ],
  [
    'a link count that is too low',
    (image) => change(image, SMALL, (inode) => (inode.links = 0)),
    ['inode 2: link count is 0, but 1 entries name it'],
  ],
  [
    "a parent's link count without its child's ..",
    (image) => change(image, 1, (inode) => (inode.links = 1)),
    ['inode 1: link count is 1, but 2 entries name it'],
  ],
  [
    'a negative link count',
    (image) => change(image, SMALL, (inode) => (inode.links = -1)),
    ['inode 2: link count is -1', 'inode 2: link count is -1, but 1 entries name it'],
  ],
  [
    'a file that no path leads to',
    (image) => setEntry(image, ROOT_BLOCK, 2, 0, ''),
    ['inode 2: link count is 1, but no path leads to it'],
  ],
  [
    'a root that is no directory',
    (image) => change(image, 1, (inode) => (inode.type = InodeType.File)),
    [/^inode 1: the root is not a directory$/],
  ],
  [
    'a directory without .',
    (image) => setEntry(image, ROOT_BLOCK, 0, 0, ''),
    ['directory 1: "." is missing'],
  ],
  [
    'a directory without ..',
    (image) => setEntry(image, ROOT_BLOCK, 1, 0, ''),
    ['directory 1: ".." is missing'],
  ],
  [
    'a . that is another directory',
    (image) => setEntry(image, ROOT_BLOCK, 0, DIRECTORY, '.'),
    ['directory 1: "." is inode 4'],
  ],
  [
    'a .. that is not the parent',
    (image) => setEntry(image, inodeOf(image, DIRECTORY).addresses[0], 1, DIRECTORY, '..'),
    [/^directory 4: "\.\." is inode 4, its parent is 1$/],
  ],
  [
    'a name that is there twice',
    (image) => setEntry(image, ROOT_BLOCK, 3, LARGE, 'small'),
    ['directory 1: "small" is there twice'],
  ],
  [
    'an entry without a name',
    (image) => setEntry(image, ROOT_BLOCK, 2, SMALL, ''),
    ['directory 1: an entry is named ""'],
  ],
  [
    'a name with a slash',
    (image) => setEntry(image, ROOT_BLOCK, 2, SMALL, 'a/b'),
    ['directory 1: an entry is named "a/b"'],
  ],
  [
    'an entry for a free inode',
    (image) => setEntry(image, ROOT_BLOCK, 2, UNUSED_INODE, 'small'),
    [/^directory 1: "small" is inode 5, which is free$/],
  ],
  [
    'an entry for an inode that there is not',
    (image) => setEntry(image, ROOT_BLOCK, 2, 200, 'small'),
    [/^directory 1: "small" is inode 200, and there are 200$/],
  ],
  [
    'a directory with two names',
    (image) => {
      setEntry(image, ROOT_BLOCK, 2, DIRECTORY, 'again');
      change(image, DIRECTORY, (inode) => (inode.links = 2));
    },
    [/^directory 4: is in directory 1 and in 1$/],
  ],
];

describe('checkImage', () => {
  test('finds nothing wrong with a sound image', () => {
    expect(checkImage(soundImage().bytes)).toEqual([]);
  });

  test.each(damages)('finds %s', (_, damage, problems) => {
    const image = soundImage();
    damage(image);
    const found = checkImage(image.bytes);
    for (const problem of problems) {
      expect(found).toContainEqual(typeof problem === 'string' ? problem : expect.stringMatching(problem));
    }
    // Damage said in full finds nothing else; a pattern is for damage that has further effects.
    if (problems.every((problem) => typeof problem === 'string')) expect(found).toEqual(problems);
  });

  test.each([0, 1024, 1500, 2047])('says that an image of %i bytes ends too early', (length) => {
    expect(checkImage(new Uint8Array(length))).toEqual([
      `superblock: the image ends before it, at ${length} bytes`,
    ]);
  });

  test('takes an inode without links and without a name for a file that was open', () => {
    const image = soundImage();
    setEntry(image, ROOT_BLOCK, 2, 0, '');
    change(image, SMALL, (inode) => (inode.links = 0));
    expect(checkImage(image.bytes)).toEqual([]);
  });

  test.each([
    ['an array', (bytes: Uint8Array) => bytes],
    ['a Buffer, whose slice() is no copy', (bytes: Uint8Array) => Buffer.from(bytes.buffer)],
  ])('does not change the image, given %s', (_, wrap) => {
    const image = soundImage();
    log(image, [[1500, new Uint8Array(BLOCK_SIZE).fill(7)]]);
    const before = image.bytes.slice();
    checkImage(wrap(image.bytes));
    expect(Buffer.compare(image.bytes, before)).toBe(0);
  });

  test('comes to an end, whatever the bytes are', () => {
    const edits = fc.array(fc.tuple(fc.integer({ min: BLOCK_SIZE, max: 64 * BLOCK_SIZE - 1 }), fc.nat(255)), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(edits, (changes) => {
        const { bytes } = soundImage();
        for (const [offset, value] of changes) bytes[offset] = value;
        expect(Array.isArray(checkImage(bytes))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('finds each flipped bit of the bitmap', () => {
    fc.assert(
      fc.property(fc.nat(1999), (block) => {
        const image = soundImage();
        const superblock = image.readSuperblock();
        image.setAllocated(superblock, block, !image.isAllocated(superblock, block));
        const [problem, ...more] = checkImage(image.bytes);
        expect(problem).toMatch(new RegExp(`^bitmap: block ${block} is `));
        expect(more).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('recover', () => {
  test('copies the blocks of a committed transaction home and empties the log', () => {
    const image = soundImage();
    const content = new Uint8Array(BLOCK_SIZE).fill(7);
    log(image, [
      [1500, content],
      [1501, content],
    ]);
    const recovered = new Image(recover(image.bytes));
    expect(recovered.block(1500)).toEqual(content);
    expect(recovered.block(1501)).toEqual(content);
    expect(recovered.word(2, 0)).toBe(0);
    expect(Buffer.compare(recover(recovered.bytes), recovered.bytes)).toBe(0);
  });

  test('leaves an image alone whose log is empty', () => {
    const image = soundImage();
    image.block(3).fill(9); // data of a transaction that was not committed
    expect(Buffer.compare(recover(image.bytes), image.bytes)).toBe(0);
  });

  test('makes damage good that the log repairs', () => {
    const image = soundImage();
    const root = image.block(ROOT_BLOCK).slice();
    image.block(ROOT_BLOCK).fill(0);
    expect(checkImage(image.bytes)).not.toEqual([]);
    log(image, [[ROOT_BLOCK, root]]);
    expect(checkImage(image.bytes)).toEqual([]);
  });

  test('copies an image as it is whose log makes no sense', () => {
    const image = soundImage();
    image.setWord(2, 0, 1000);
    expect(Buffer.compare(recover(image.bytes), image.bytes)).toBe(0);
  });
});
