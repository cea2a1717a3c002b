/** Translated code is kept from run to run in a folder of the user's, and nothing depends on it. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeptCode } from '../../src/cli/kept-code.js';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'rvemu-kept-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const REGIONS = { ramBytes: 4096, regions: [] };

describe('kept code', () => {
  it('is read as it was written, for the same kernel', () => {
    const keptCode = new KeptCode(join(folder, 'new/folder'), 'this build');
    keptCode.write('a/kernel', REGIONS);
    expect(keptCode.read('a/kernel')).toEqual(REGIONS);
    expect(keptCode.read('b/kernel')).toBeUndefined();
  });

  it('of another build is not read', () => {
    new KeptCode(folder, 'this build').write('kernel', REGIONS);
    expect(new KeptCode(folder, 'another').read('kernel')).toBeUndefined();
  });

  it('that is damaged is not read', () => {
    const keptCode = new KeptCode(folder, 'this build');
    keptCode.write('kernel', REGIONS);
    const file = join(folder, readdirSync(folder)[0]);
    const content = readFileSync(file);
    for (const damaged of ['', 'This is no code.', content.subarray(0, -1)]) {
      writeFileSync(file, damaged);
      expect(keptCode.read('kernel')).toBeUndefined();
    }
    for (let at = 0; at < content.length; at++) {
      writeFileSync(
        file,
        content.map((byte, index) => (index === at ? byte ^ 1 : byte)),
      );
      expect(keptCode.read('kernel')).toBeUndefined();
    }
    writeFileSync(file, content);
    expect(keptCode.read('kernel')).toEqual(REGIONS);
  });

  it('is not kept where nothing can be written', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const keptCode = new KeptCode(file, 'this build');
    keptCode.write('kernel', REGIONS);
    expect(keptCode.read('kernel')).toBeUndefined();
  });

  it('is kept of a hundred kernels, and then the oldest goes, and nothing else', () => {
    const keptCode = new KeptCode(folder, 'this build');
    for (let i = 0; i < 100; i++) keptCode.write(`kernel${i}`, REGIONS);
    for (const name of readdirSync(folder))
      utimesSync(join(folder, name), 1e9, 1e9 + (name.startsWith('kernel42-') ? 0 : 1));
    writeFileSync(join(folder, 'of somebody else'), '');
    utimesSync(join(folder, 'of somebody else'), 1, 1);
    keptCode.write('one more', REGIONS);
    expect(readdirSync(folder)).toHaveLength(101);
    expect(readdirSync(folder)).toContain('of somebody else');
    expect(keptCode.read('kernel42')).toBeUndefined();
    expect(keptCode.read('kernel41')).toEqual(REGIONS);
    expect(keptCode.read('one more')).toEqual(REGIONS);
  });

  it('is a matter of programs that are built', () => {
    expect(KeptCode.ofUser({ RVEMU_CACHE: folder })).toBeUndefined();
  });
});

describe('a boot by the command line', () => {
  const boot = (environment: NodeJS.ProcessEnv): string =>
    execFileSync(process.execPath, ['dist/cli/main.cjs', 'boot', '--run', 'echo done'], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  const filesIn = (place: string): string[] => readdirSync(join(folder, place));

  it.each([
    ['RVEMU_CACHE', '.'],
    ['XDG_CACHE_HOME', 'rvemu'],
    ['HOME', '.cache/rvemu'],
  ])('keeps its code in the folder that %s names', (variable, place) => {
    const first = boot({ [variable]: folder });
    expect(filesIn(place)).toEqual([expect.stringMatching(/^kernel\.elf-[0-9a-f]+\.rvemu-code$/)]);
    expect(boot({ [variable]: folder })).toBe(first);
  });

  it('keeps nothing where RVEMU_CACHE is empty', () => {
    boot({ RVEMU_CACHE: '', HOME: folder });
    expect(filesIn('.')).toEqual([]);
  });

  it('boots with code that is of no use', () => {
    const first = boot({ RVEMU_CACHE: folder });
    for (const name of filesIn('.')) writeFileSync(join(folder, name), 'This is no code.');
    expect(boot({ RVEMU_CACHE: folder })).toBe(first);
  });

  it('boots where nothing can be kept', () => {
    mkdirSync(join(folder, 'locked'));
    writeFileSync(join(folder, 'locked/rvemu'), '');
    expect(boot({ XDG_CACHE_HOME: join(folder, 'locked') })).toContain('done\n');
  });
});
