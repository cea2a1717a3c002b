import { describe, expect, it } from 'vitest';
import { describePoison } from '../../src/debug/poison.js';

const ALLOCATED = 0x0505_0505_0505_0505n;
const FREED = 0x0101_0101_0101_0101n;

describe('poison is recognised', () => {
  it.each([
    ['as it is', ALLOCATED, /^0x0505050505050505, what kalloc/],
    ['of a frame that was freed', FREED, /^0x0101010101010101, what kfree/],
    ['as the address of a field', FREED + 24n, /^24 past 0x01010101/],
    ['rounded down to a page', ALLOCATED & ~0xfffn, /^1285 before 0x05050505/],
    ['as an int', 0x0505_0505n, /cut to 32 bits/],
    ['as the physical address in a PTE', (FREED >> 10n) << 12n, /taken for an entry of a page table/],
    ['as an index of doublewords', ALLOCATED << 3n, /shifted left by 3/],
    ['as a page number', ALLOCATED >> 12n, /shifted right by 12/],
  ])('%s', (_, value, expected) => {
    expect(describePoison(value)).toMatch(expected);
  });

  it.each([0n, 1n, 5n, 0x1000n, 0x8000_0000n, 0x87ff_f000n, 0x3f_ffff_f000n, -1n, 0x21ff_f001n])(
    'and %x is not taken for it',
    (value) => expect(describePoison(value)).toBeUndefined(),
  );
});
