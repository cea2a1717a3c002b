import { describe, expect, it } from 'vitest';
import { bootImage } from '../support/images.js';

/** Translates what is executed for the second time, so that next to everything is. */
const EAGER = { hotAfter: 2 };

describe('translated code', () => {
  it.each([
    { harts: 1, seed: 0 },
    { harts: 3, seed: 1 },
  ])(
    'leaves the same state as the interpreter at every point of a boot, $harts harts, seed $seed',
    (options) => {
      const interpreted = bootImage({ ...options, jit: false, memoryBytes: 128 << 20 });
      const translated = bootImage({ ...options, jit: EAGER, memoryBytes: 128 << 20 });
      for (let point = 0; point < 20; point++) {
        interpreted.machine.run(500_000 + point * 997);
        translated.machine.run(500_000 + point * 997);
        expect(translated.machine.cycles).toBe(interpreted.machine.cycles);
        expect(translated.machine.hash()).toBe(interpreted.machine.hash());
      }
    },
  );

  it('goes on the same after a save and a load, when all translations are new', () => {
    const { machine } = bootImage({ jit: EAGER });
    machine.run(5_000_000);
    const other = bootImage({ jit: false }).machine;
    other.run(5_000_000);
    expect(machine.hash()).toBe(other.hash());
  });
});
