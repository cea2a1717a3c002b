import { expect, test } from 'vitest';
import { InvalidArgumentError } from 'commander';
import * as options from '../../src/cli/options.js';

const MIB = 1024 ** 2;

test.each([
  ['128M', 128 * MIB],
  ['128m', 128 * MIB],
  ['1G', 1024 * MIB],
  ['2048K', 2 * MIB],
  ['4194304', 4 * MIB],
  ['3G', 3072 * MIB],
])('memory of %s is %i bytes', (text, bytes) => expect(options.memorySize(text)).toBe(bytes));

test('a number of bytes too small for memory reminds of the units', () => {
  expect(() => options.memorySize('128')).toThrow(
    'Memory can be 2M to 3G. A number without K, M or G counts bytes.',
  );
});

test.each([
  [options.memorySize, ['1k', '4G', '999999G', '-1M', 'M', '', '1.5G', '0x100000', '2097153', '128MB']],
  [options.hartCount, ['0', '9', '-1', '1.5', 'x', '', '1e0', '99999999999999999999']],
  [options.seedValue, ['-1', '4294967296', 'x', '', '1.5']],
  [options.seconds, ['0', '-1', 'x', '', 'Infinity', '0.0', '1e3', '9'.repeat(400)]],
  [options.regularExpression, ['(', '[', '*']],
  [options.promptExpression, ['', '.*', '(', 'a?']],
])('%o refuses what it cannot use', (read, values) => {
  for (const value of values) expect(() => read(value), value).toThrow(InvalidArgumentError);
});

test('values at the ends of their ranges are taken', () => {
  expect([options.hartCount('1'), options.hartCount('8')]).toEqual([1, 8]);
  expect([options.seedValue('0'), options.seedValue('4294967295')]).toEqual([0, 4294967295]);
  expect([options.seconds('0.5'), options.seconds('300')]).toEqual([0.5, 300]);
  expect(options.promptExpression('# $')).toEqual(/# $/);
});

test('an option given many times keeps every value in order', () => {
  expect(options.oneMore('b', options.oneMore('a'))).toEqual(['a', 'b']);
});
