import { expect, test } from 'vitest';
import { findGuestFiles } from '../../src/cli/guest-files.js';

const inFolderWith =
  (...paths: string[]) =>
  (path: string) =>
    paths.includes(path);

test('in an xv6 tree its kernel and disk are found', () => {
  const files = findGuestFiles({}, inFolderWith('kernel/kernel', 'fs.img'));
  expect(files).toMatchObject({ kernel: 'kernel/kernel', disk: 'fs.img', keepsWritesInMemory: false });
});

test('elsewhere the own kernel is used, with its disk in memory', () => {
  const files = findGuestFiles({}, inFolderWith('fs.img'));
  expect(files.kernel).toMatch(/\/images\/kernel\.elf$/);
  expect(files.disk).toMatch(/\/images\/fs\.img$/);
  expect(files.keepsWritesInMemory).toBe(true);
});

test('the own kernel has its disk also when it is named', () => {
  const { kernel } = findGuestFiles({}, inFolderWith());
  expect(findGuestFiles({ kernel }, inFolderWith())).toEqual(findGuestFiles({}, inFolderWith()));
});

test('a disk named for the own kernel is written to', () => {
  expect(findGuestFiles({ disk: 'my.img' }, inFolderWith())).toMatchObject({
    disk: 'my.img',
    keepsWritesInMemory: false,
  });
});

test('a kernel in its xv6 tree comes with the disk of that tree, if there is one', () => {
  const kernel = '../lab/kernel/kernel';
  expect(findGuestFiles({ kernel }, inFolderWith('../lab/fs.img')).disk).toBe('../lab/fs.img');
  expect(findGuestFiles({ kernel }, inFolderWith('fs.img')).disk).toBeUndefined();
});

test('any other kernel has the disk that is named, or none', () => {
  expect(
    findGuestFiles({ kernel: 'rv64ui-p-add' }, inFolderWith('fs.img', 'kernel/kernel')).disk,
  ).toBeUndefined();
  expect(findGuestFiles({ kernel: 'k', disk: 'd' }, inFolderWith()).disk).toBe('d');
});

test('a named disk wins over the one that would be found', () => {
  expect(
    findGuestFiles({ disk: 'd', ephemeral: true }, inFolderWith('kernel/kernel', 'fs.img')),
  ).toMatchObject({
    kernel: 'kernel/kernel',
    disk: 'd',
    keepsWritesInMemory: true,
  });
});
