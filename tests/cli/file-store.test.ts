import * as fileSystem from 'node:fs';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileStore, type FileSystem } from '../../src/cli/file-store.js';
import { BlockStoreError, SECTOR_BYTES } from '../../src/devices/device.js';
import { BadInputError } from '../../src/machine/errors.js';

const SECTORS = 4;
let folder: string;
let path: string;
let warnings: string[];
const warn = (message: string) => warnings.push(message);
const sector = (byte: number, count = 1) => new Uint8Array(count * SECTOR_BYTES).fill(byte);
const contents = () =>
  [...Array(SECTORS).keys()].map((n) => readFileSync(path).subarray(n * 512, (n + 1) * 512));

beforeEach(() => {
  warnings = [];
  folder = mkdtempSync(join(tmpdir(), 'rvemu-'));
  path = join(folder, 'fs.img');
  writeFileSync(path, Buffer.concat([1, 2, 3, 4].map((byte) => sector(byte))));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A host that takes `budget` bytes in writes of at most `portion`, and then says that its disk is full. */
function fullHost(budget: number, portion = Infinity): FileSystem {
  return {
    ...fileSystem,
    writeSync: ((file: number, bytes: Uint8Array, offset: number, length: number, position: number) => {
      const count = Math.min(length, budget, portion);
      if (count === 0) {
        budget = Infinity; // What was allocated before can be written again.
        throw new Error('ENOSPC: no space left on device');
      }
      budget -= count;
      return fileSystem.writeSync(file, bytes, offset, count, position);
    }) as typeof fileSystem.writeSync,
  };
}

test('sectors are read and written where they lie in the file, at once', () => {
  const store = FileStore.open(path, { warn });
  expect([store.sectors, store.readOnly, warnings]).toEqual([SECTORS, false, []]);
  const two = sector(0, 2);
  store.read(1, two);
  expect(two).toEqual(new Uint8Array([...sector(2), ...sector(3)]));
  store.write(2, sector(9));
  expect(contents().map((bytes) => bytes[0])).toEqual([1, 2, 9, 4]);
  store.flush();
  store.close();
});

test('the host’s disk is waited for when the guest flushes what it wrote, and not otherwise', () => {
  let waits = 0;
  const store = FileStore.open(path, { warn, fileSystem: { ...fileSystem, fsyncSync: () => waits++ } });
  store.flush();
  expect(waits).toBe(0);
  store.write(2, sector(9));
  store.flush();
  expect(waits).toBe(1);
  store.write(2, sector(8));
  store.close();
  expect(waits).toBe(1);
  expect(contents()[2][0]).toBe(8);
});

test('a host that takes a write in small portions still gets all of it', () => {
  const store = FileStore.open(path, { warn, fileSystem: fullHost(Infinity, 100) });
  store.write(1, sector(8, 2));
  expect(contents().map((bytes) => new Set(bytes))).toEqual([1, 8, 8, 4].map((byte) => new Set([byte])));
  store.close();
});

test.each([0, 1, 511, 512, 700, 1023])(
  'a host disk full after %i bytes leaves every sector as it was',
  (budget) => {
    const before = readFileSync(path);
    const store = FileStore.open(path, { warn, fileSystem: fullHost(budget) });
    expect(() => store.write(1, sector(8, 2))).toThrow(BlockStoreError);
    expect(readFileSync(path)).toEqual(before);
    store.write(1, sector(8, 2));
    expect(contents()[1][0]).toBe(8);
    store.close();
  },
);

test('the error of a full host disk says which image, which sector and why', () => {
  const store = FileStore.open(path, { warn, fileSystem: fullHost(10) });
  expect(() => store.write(3, sector(8))).toThrow(
    `disk image ${path}: sector 3 not written: ENOSPC: no space left on device`,
  );
  store.close();
});

test('an image that may only be read is opened so, with one warning, and takes no write', () => {
  const readOnlyHost: FileSystem = {
    ...fileSystem,
    openSync: ((file: string, flags: string) => {
      if (flags !== 'r') throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
      return fileSystem.openSync(file, flags);
    }) as typeof fileSystem.openSync,
  };
  const store = FileStore.open(path, { warn, fileSystem: readOnlyHost });
  expect(store.readOnly).toBe(true);
  expect(warnings).toEqual([`disk image ${path} cannot be written; the guest's writes to it will fail`]);
  expect(() => store.write(0, sector(8))).toThrow(BlockStoreError);
  store.close();
});

test('an image that shrinks while it is used is a host error, not silence', () => {
  const store = FileStore.open(path, { warn });
  fileSystem.truncateSync(path, 700);
  expect(() => store.read(1, sector(0))).toThrow(`disk image ${path} ends before sector 1`);
  store.close();
});

test.each([
  ['of 0 bytes', () => writeFileSync(path, ''), 'is empty'],
  [
    'whose last block is partial',
    () => writeFileSync(path, 'x'.repeat(1030)),
    'its last block is partial, 6 bytes over',
  ],
  ['that does not exist', () => rmSync(path), 'no such file or directory'],
  ['that is a directory', () => (path = folder), 'is a directory'],
  ['that is a device', () => (path = '/dev/null'), 'is not a file'],
])('an image %s is refused', (_, prepare, reason) => {
  prepare();
  expect(() => FileStore.open(path, { warn })).toThrow(BadInputError);
  expect(() => FileStore.open(path, { warn })).toThrow(reason);
});
