import { expect, it } from 'vitest';
import { bootImage } from '../support/images.js';

it('a fingerprint tells which parts of two machines differ', () => {
  const [one, other] = [bootImage({ harts: 2 }).machine, bootImage({ harts: 2 }).machine];
  one.run(1_000_000);
  other.run(1_000_000);
  expect(one.fingerprint()).toEqual(other.fingerprint());
  other.writeMemory(0x8123_4567n, Uint8Array.of(1));
  other.harts[1].x[5] ^= 1n;
  other.type('x');
  const before = one.fingerprint();
  const differing = [...other.fingerprint()].filter(([name, hash]) => before.get(name) !== hash);
  expect(differing.map(([name]) => name)).toEqual(['hart 1', 'plic', 'uart', 'memory from 0x81200000']);
});
