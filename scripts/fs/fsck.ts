/**
 * Checks a file system image the way the kernel would find it at its next mount.
 *
 *     npx tsx scripts/fs/fsck.ts IMAGE…
 *
 * Prints one line per problem; exits with 1 if there are any. The image is only read.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import {
  BLOCK_SIZE,
  DIRECT_BLOCKS,
  ENTRY_SIZE,
  INDIRECT_BLOCKS,
  Image,
  InodeType,
  MAGIC,
  MAX_FILE_SIZE,
  MAX_LOG_ENTRIES,
  ROOT_INODE,
  SUPERBLOCK,
  bitmapBlocks,
  dataStart,
  inodeBlocks,
  type Inode,
  type Superblock,
} from './format.js';

/**
 * A copy of the image with its log replayed: the blocks of a committed transaction are copied home and the log's
 * header is emptied. An image whose superblock or log header makes no sense is copied as it is.
 */
export function recover(bytes: Uint8Array): Uint8Array {
  const image = new Image(new Uint8Array(bytes)); // slice() would not copy a Buffer
  const { superblock, problems } = checkSuperblock(image);
  if (problems.length > 0 || checkLog(image, superblock).length > 0) return image.bytes;

  const { logStart } = superblock;
  const count = image.word(logStart, 0);
  for (let index = 0; index < count; index++) {
    image.block(image.word(logStart, 1 + index)).set(image.block(logStart + 1 + index));
  }
  image.setWord(logStart, 0, 0);
  return image.bytes;
}

/**
 * What is wrong with an image once its log is replayed, one sentence each; empty if it is sound.
 *
 * An inode in use without links and without an entry is no problem: it was open when the machine stopped, and the
 * kernel frees it at the next mount.
 */
export function checkImage(bytes: Uint8Array): string[] {
  const damaged = new Image(bytes);
  const { superblock, problems } = checkSuperblock(damaged);
  if (problems.length > 0) return problems;
  const logProblems = checkLog(damaged, superblock);
  if (logProblems.length > 0) return logProblems;

  const recovered = new Image(recover(bytes));
  // The replay may have overwritten the superblock; a sound kernel never logs it.
  const replayed = checkSuperblock(recovered);
  if (replayed.problems.length > 0) return replayed.problems;
  return new Checker(recovered, replayed.superblock).run();
}

function checkSuperblock(image: Image): { superblock: Superblock; problems: string[] } {
  if (image.blocks <= SUPERBLOCK) {
    const superblock = {} as Superblock;
    return { superblock, problems: [`superblock: the image ends before it, at ${image.bytes.length} bytes`] };
  }
  const superblock = image.readSuperblock();
  const problems: string[] = [];
  const expect = (condition: boolean, problem: string) => {
    if (!condition) problems.push(`superblock: ${problem}`);
  };
  const { magic, size, dataBlocks, inodes, logBlocks, logStart, inodeStart, bitmapStart } = superblock;
  expect(magic === MAGIC, `magic is 0x${magic.toString(16)}, not 0x${MAGIC.toString(16)}`);
  if (problems.length > 0) return { superblock, problems };
  expect(size <= image.blocks, `size is ${size} blocks, but the image has ${image.blocks}`);
  expect(inodes > ROOT_INODE, `${inodes} inodes leave none for the root directory`);
  expect(logStart > SUPERBLOCK && logBlocks > 1, `the log is at block ${logStart} with ${logBlocks} blocks`);
  expect(logStart + logBlocks <= inodeStart, `the log runs into the inodes at block ${inodeStart}`);
  expect(
    inodeStart + inodeBlocks(inodes) <= bitmapStart,
    `the inodes run into the bitmap at block ${bitmapStart}`,
  );
  expect(
    bitmapStart + bitmapBlocks(size) + dataBlocks === size,
    `${dataBlocks} data blocks after the bitmap at ${bitmapStart} do not make a size of ${size} blocks`,
  );
  return { superblock, problems };
}

function checkLog(image: Image, superblock: Superblock): string[] {
  const { logStart, logBlocks, inodeStart, size } = superblock;
  const count = image.word(logStart, 0);
  const limit = Math.min(logBlocks - 1, MAX_LOG_ENTRIES);
  if (count > limit) return [`log: the header lists ${count} blocks, and the log holds ${limit}`];

  const problems: string[] = [];
  const seen = new Set<number>();
  for (let index = 0; index < count; index++) {
    const home = image.word(logStart, 1 + index);
    if (home < inodeStart || home >= size)
      problems.push(`log: entry ${index} is for block ${home}, outside the file system`);
    if (seen.has(home)) problems.push(`log: block ${home} is listed twice`);
    seen.add(home);
  }
  return problems;
}

/** A pass over all inodes, then over the tree, then over the bitmap. */
class Checker {
  private readonly problems: string[] = [];
  /** Inodes whose blocks are all in range, so that their content can be read. */
  private readonly readable = new Map<number, Inode>();
  private readonly inodes = new Map<number, Inode>();
  /** By block: who uses it. */
  private readonly owners = new Map<number, string>();
  /** By inode: entries that name it, not counting each directory's `.` and the root's `..`. */
  private readonly references = new Map<number, number>();
  /** By directory: the directory that it was found in. */
  private readonly parents = new Map<number, number>([[ROOT_INODE, ROOT_INODE]]);

  constructor(
    private readonly image: Image,
    private readonly superblock: Superblock,
  ) {}

  run(): string[] {
    for (let number = 1; number < this.superblock.inodes; number++) this.checkInode(number);
    this.checkTree();
    this.checkLinks();
    this.checkBitmap();
    return this.problems;
  }

  private report(problem: string): void {
    this.problems.push(problem);
  }

  private checkInode(number: number): void {
    const inode = this.image.readInode(this.superblock, number);
    const label = `inode ${number}`;
    if (inode.type === InodeType.Free) return;
    if (!(inode.type in InodeType)) return this.report(`${label}: type is ${inode.type}`);
    this.inodes.set(number, inode);

    if (inode.links < 0) this.report(`${label}: link count is ${inode.links}`);
    if (inode.size > MAX_FILE_SIZE)
      return this.report(`${label}: size is ${inode.size}, more than a file can have`);
    if (inode.type === InodeType.Device && inode.size !== 0)
      this.report(`${label}: a device of ${inode.size} bytes`);
    if (inode.type === InodeType.Directory && inode.size % ENTRY_SIZE !== 0) {
      this.report(`${label}: a directory of ${inode.size} bytes, not a multiple of ${ENTRY_SIZE}`);
    }
    if (this.checkBlocks(label, inode)) this.readable.set(number, inode);
  }

  /** Claims the inode's blocks. Returns whether its content can be read. */
  private checkBlocks(label: string, inode: Inode): boolean {
    const needed = Math.ceil(inode.size / BLOCK_SIZE);
    let readable = true;
    const claim = (block: number, index: number) => {
      if (block === 0) {
        if (index >= needed) return;
        this.report(`${label}: block ${index} of its content is missing`);
        readable = false;
        return;
      }
      if (index >= needed)
        this.report(`${label}: block ${block} lies beyond its size of ${inode.size} bytes`);
      if (!this.claim(block, label)) readable = false;
    };

    for (let index = 0; index < DIRECT_BLOCKS; index++) claim(inode.addresses[index], index);
    const indirect = inode.addresses[DIRECT_BLOCKS];
    if (indirect === 0) {
      if (needed <= DIRECT_BLOCKS) return readable;
      this.report(`${label}: its indirect block is missing`);
      return false;
    }
    if (needed <= DIRECT_BLOCKS) {
      this.report(`${label}: indirect block ${indirect} lies beyond its size of ${inode.size} bytes`);
    }
    if (!this.claim(indirect, `${label}'s indirect block`)) return false;
    for (let index = 0; index < INDIRECT_BLOCKS; index++) {
      claim(this.image.word(indirect, index), DIRECT_BLOCKS + index);
    }
    return readable;
  }

  /** Notes that `owner` uses a block. Returns whether the block is one that can hold data. */
  private claim(block: number, owner: string): boolean {
    if (block < dataStart(this.superblock) || block >= this.superblock.size) {
      this.report(`${owner}: block ${block} is outside the data blocks`);
      return false;
    }
    const other = this.owners.get(block);
    if (other === undefined) this.owners.set(block, owner);
    else this.report(`${owner}: block ${block} is also used by ${other}`);
    return true;
  }

  private checkTree(): void {
    const root = this.inodes.get(ROOT_INODE);
    if (root?.type !== InodeType.Directory) return this.report('inode 1: the root is not a directory');
    this.references.set(ROOT_INODE, 1); // the root has no entry in a parent, but a link count as if it had
    const pending = [ROOT_INODE];
    for (let number = pending.pop(); number !== undefined; number = pending.pop()) {
      const directory = this.readable.get(number);
      if (directory !== undefined) this.checkDirectory(number, directory, pending);
    }
  }

  private checkDirectory(number: number, directory: Inode, pending: number[]): void {
    const label = `directory ${number}`;
    const parent = this.parents.get(number);
    const names = new Set<string>();
    for (const { inode, name } of this.image.entries(directory)) {
      if (inode === 0) continue;
      if (names.has(name)) this.report(`${label}: "${name}" is there twice`);
      names.add(name);

      if (name === '.') {
        if (inode !== number) this.report(`${label}: "." is inode ${inode}`);
      } else if (name === '..') {
        if (inode !== parent) this.report(`${label}: ".." is inode ${inode}, its parent is ${parent}`);
        if (number !== ROOT_INODE) this.refer(inode);
      } else {
        this.checkEntry(number, name, inode, pending);
      }
    }
    for (const name of ['.', '..']) if (!names.has(name)) this.report(`${label}: "${name}" is missing`);
  }

  private checkEntry(directory: number, name: string, number: number, pending: number[]): void {
    const label = `directory ${directory}`;
    if (name === '' || name.includes('/')) this.report(`${label}: an entry is named "${name}"`);
    if (number >= this.superblock.inodes) {
      return this.report(`${label}: "${name}" is inode ${number}, and there are ${this.superblock.inodes}`);
    }
    const inode = this.inodes.get(number);
    if (inode === undefined) return this.report(`${label}: "${name}" is inode ${number}, which is free`);
    this.refer(number);
    if (inode.type !== InodeType.Directory) return;
    const other = this.parents.get(number);
    if (other !== undefined)
      return this.report(`directory ${number}: is in directory ${other} and in ${directory}`);
    this.parents.set(number, directory);
    pending.push(number);
  }

  private refer(number: number): void {
    this.references.set(number, (this.references.get(number) ?? 0) + 1);
  }

  private checkLinks(): void {
    for (const [number, { links }] of this.inodes) {
      const references = this.references.get(number) ?? 0;
      if (references === 0 && links > 0) {
        this.report(`inode ${number}: link count is ${links}, but no path leads to it`);
      } else if (references !== links) {
        this.report(`inode ${number}: link count is ${links}, but ${references} entries name it`);
      }
    }
  }

  private checkBitmap(): void {
    const start = dataStart(this.superblock);
    for (let block = 0; block < this.superblock.size; block++) {
      const used = block < start || this.owners.has(block);
      const allocated = this.image.isAllocated(this.superblock, block);
      if (used && !allocated)
        this.report(`bitmap: block ${block} is free, but used by ${this.owners.get(block) ?? 'the layout'}`);
      if (!used && allocated) this.report(`bitmap: block ${block} is allocated, but nothing uses it`);
    }
  }
}

function main(paths: string[]): void {
  for (const path of paths) {
    for (const problem of checkImage(readFileSync(path))) {
      console.log(`${path}: ${problem}`);
      process.exitCode = 1;
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(`fsck: ${(error as Error).message}`);
    process.exitCode = 2;
  }
}
