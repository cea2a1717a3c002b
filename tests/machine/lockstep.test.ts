/**
 * Two machines that differ in nothing but that one translates, side by side. `LOCKSTEP=full` has them run all tests of the
 * teaching kernel, too, with one and three harts under several seeds.
 */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../src/devices/block-store.js';
import { Machine } from '../../src/machine/machine.js';
import { bootImage, fileSystemImage } from '../support/images.js';

/** Translates what is executed for the second time, so that next to everything is. */
const EAGER = { hotAfter: 2 };
const PROMPT = '$ ';

/** So many points of a boot at which the harts are compared, and every how many all of the machine is. */
const POINTS = 1000;
const POINTS_FOR_ALL = 100;
/** A little more from point to point, so that they come to lie everywhere. */
const portion = (point: number): number => 4000 + (point % 997);

const isFull = process.env.LOCKSTEP === 'full';
const TESTS = ['memtest', 'kmalloctest', 'forktest', 'mmaptest', 'fstest'];
const SEEDS = [0, 1, 2, 3];
const MINUTE = 60_000;

function expectSameHarts(translated: Machine, interpreted: Machine): void {
  translated.harts.forEach((hart, index) => {
    const [found, expected] = [hart, interpreted.harts[index]].map((one) => Buffer.from(one.saveBlock()));
    // Comparing first: the blocks are long, and nearly always the same.
    if (!found.equals(expected)) expect([...found]).toEqual([...expected]);
  });
}

function expectSame(translated: Machine, interpreted: Machine): void {
  expect(translated.cycles).toBe(interpreted.cycles);
  expect(translated.fingerprint()).toEqual(interpreted.fingerprint());
}

/** Types a command, if there is one, and runs until the prompt after it; between portions vitest may have its turn. */
async function type({ machine, text }: ReturnType<typeof bootImage>, command: string): Promise<void> {
  const start = text().length;
  if (command !== '') machine.type(`${command}\n`);
  while (!text().slice(start).endsWith(`\n${PROMPT}`)) {
    machine.run(20_000_000);
    await setImmediate();
  }
}

describe('translated code', () => {
  it.each([
    { harts: 1, seed: 0 },
    { harts: 3, seed: 1 },
  ])(
    'leaves the same state as the interpreter at every point of a boot, $harts harts, seed $seed',
    (options) => {
      const interpreted = bootImage({ ...options, jit: false, memoryBytes: 128 << 20 });
      const translated = bootImage({ ...options, jit: EAGER, memoryBytes: 128 << 20 });
      for (let point = 0; point < POINTS; point++) {
        interpreted.machine.run(portion(point));
        translated.machine.run(portion(point));
        expectSameHarts(translated.machine, interpreted.machine);
        if (point % POINTS_FOR_ALL === 0) expectSame(translated.machine, interpreted.machine);
      }
      expectSame(translated.machine, interpreted.machine);
      expect(translated.machine.statistics().translator!.instructions).toBeGreaterThan(1_000_000);
    },
  );

  it('goes on the same after a save and a load, when all translations are new', () => {
    const { machine } = bootImage({ jit: EAGER });
    machine.run(3_000_000);
    const loaded = Machine.load(machine.save(), { disk: new MemoryStore(fileSystemImage.slice()) });
    const interpreted = bootImage({ jit: false }).machine;
    interpreted.run(3_000_000);
    for (const each of [machine, loaded, interpreted]) each.run(2_000_000);
    expectSame(machine, interpreted);
    expectSame(loaded, interpreted);
  });

  it.skipIf(!isFull).each([1, 3].flatMap((harts) => SEEDS.map((seed) => ({ harts, seed }))))(
    'leaves the same state as the interpreter after each test, $harts harts, seed $seed (LOCKSTEP=full)',
    async (options) => {
      const interpreted = bootImage({ ...options, jit: false });
      const translated = bootImage({ ...options, jit: EAGER });
      for (const line of ['', ...TESTS]) {
        await type(interpreted, line);
        await type(translated, line);
        expect(translated.text()).toBe(interpreted.text());
        expectSameHarts(translated.machine, interpreted.machine);
        expectSame(translated.machine, interpreted.machine);
      }
    },
    30 * MINUTE,
  );
});
