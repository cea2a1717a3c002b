import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { translate } from '../../src/cli/translate.js';
import { elfOf } from '../support/programs.js';

const folder = mkdtempSync(join(tmpdir(), 'rvemu-'));
afterAll(() => rmSync(folder, { recursive: true }));
const kernel = join(folder, 'kernel');
writeFileSync(
  kernel,
  elfOf('begin: jal ra, double\n j begin\n double: add a0, a0, a0\n ret\n nothing: .word 0\n'),
);

describe('rvemu translate', () => {
  it('prints instructions and code of the region at a function', () => {
    const text = translate('double', kernel, {});
    expect(text).toMatch(
      /^double at 0x80000008: instructions 2, bytes of code \d+\n\n80000008 {2}add a0, a0, a0\n/,
    );
    expect(text).toMatch(/;; 80000008 {2}add a0, a0, a0\n +\(local\.set \$a0 \(i64\.add/);
  });

  it('takes an address as well', () => {
    expect(translate('0x80000008', kernel, {})).toBe(translate('double', kernel, {}));
  });

  it('follows calls where it is asked to', () => {
    expect(translate('begin', kernel, {})).toMatch(/instructions 1,/);
    expect(translate('begin', kernel, { followCalls: true })).toMatch(/instructions 4,/);
  });

  it.each([
    ['a function that is not there', 'duoble', /has no symbol duoble; did you mean double\?/],
    ['an odd address', '0x80000009', /is odd/],
    ['what is no instruction', 'nothing', /0x80000010 in .* holds no instruction/],
    ['an address that is not in the file', '0x1000', /0x1000 in .* holds no instruction/],
  ])('refuses %s', (_, place, message) => {
    expect(() => translate(place, kernel, {})).toThrow(message);
  });
});
