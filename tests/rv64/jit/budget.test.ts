/** Translated code is bounded, and what is dropped is missed by nobody. */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CodePage } from '../../../src/rv64/code-page.js';
import type { JitStatistics } from '../../../src/rv64/jit/meter.js';
import { findRegion } from '../../../src/rv64/jit/region.js';
import { Translations } from '../../../src/rv64/jit/translations.js';
import { State } from '../../../src/rv64/state.js';
import type { Machine } from '../../../src/machine/machine.js';
import { assemble } from '../../support/assembler.js';
import { bootImage, runUntil } from '../../support/images.js';
import { bootProgram } from '../../support/programs.js';

const PROMPT = '$ ';
/** Far too small: the kernel and its programs take some fifteen times as much. */
const TINY = 1 << 20;
/** What is translated at one time may go beyond the budget: sixteen regions, of which those of loops over calls are the largest. */
const BATCH_BYTES = 3 * 2 ** 20;
const MINUTE = 60_000;
/** SOAK=minutes has the long run take so long; otherwise it takes a few rounds. */
const soakMinutes = Number(process.env.SOAK ?? 0);
const ROUNDS = 5;

function command(machine: Machine, text: () => string, line: string): void {
  const start = text().length;
  machine.type(`${line}\n`);
  runUntil(machine, () => text().slice(start), `\n${PROMPT}`, 1e10);
}

/** Has V8 let go of all that nothing refers to. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** The modules' instances that are made from now on, as long as they are kept. */
function noteInstances(): WeakRef<WebAssembly.Instance>[] {
  const made: WeakRef<WebAssembly.Instance>[] = [];
  const { Instance } = WebAssembly;
  WebAssembly.Instance = class extends Instance {
    constructor(...words: ConstructorParameters<typeof Instance>) {
      super(...words);
      made.push(new WeakRef<WebAssembly.Instance>(this));
    }
  };
  onTestFinished(() => void (WebAssembly.Instance = Instance));
  return made;
}

const statisticsOf = (machine: Machine): JitStatistics => machine.statistics().translator!;

function expectBounded({ bytes, budgetBytes }: JitStatistics): void {
  expect(bytes).toBeLessThan(budgetBytes + BATCH_BYTES);
}

describe('a budget for translated code', () => {
  it('that is far too small leaves the run as it is', () => {
    const hashes = [{ hotAfter: 8, budgetBytes: TINY }, false].map((jit) => {
      const { machine, text } = bootImage({ harts: 2, jit });
      runUntil(machine, text, PROMPT);
      command(machine, text, 'ls | wc');
      command(machine, text, 'calls exec 3');
      command(machine, text, 'calls fork 3');
      if (jit) {
        expect(statisticsOf(machine).dropped).toBeGreaterThan(50);
        expectBounded(statisticsOf(machine));
      }
      return `${machine.cycles} ${machine.hash()}`;
    });
    expect(hashes[0]).toBe(hashes[1]);
  });

  it.each([true, false])('drops what has a copy of something that is dropped: $0', (hasCopy) => {
    const state = new State(1 << 20);
    const translations = new Translations(state, 100, () => {});
    const indices = translations.claimSlots(2);
    const sources = ['addi s0, s0, 1\n ret', 'jal ra, .+4096\n again: j again'];
    const [function_, caller] = sources.map((source, frame) => {
      const content = state.ram.subarray(4096 * frame, 4096 * (frame + 1));
      content.set(assemble(source).bytes);
      const callee = hasCopy ? translations.at(indices[0]) : undefined;
      const region = findRegion(new DataView(content.buffer, content.byteOffset, 4096), 0, {
        probeAt: () => undefined,
        isHot: () => false,
        calleeAt: () => callee,
      })!;
      const page = new CodePage(frame);
      return { page, ...translations.add(page, 0, region, indices[frame], 60) };
    });
    translations.trim();
    expect(translations.find(caller.page, 0)).toBeDefined();
    translations.trim();
    expect(translations.at(function_.index)).toBeUndefined();
    expect(translations.at(caller.index) === undefined).toBe(hasCopy);
  });

  it(
    'is kept however often programs are started; the table of functions stops growing, and nothing keeps what was dropped',
    async () => {
      const instances = noteInstances();
      const { machine, text } = bootImage({ jit: { budgetBytes: TINY } });
      runUntil(machine, text, PROMPT);
      const round = (): JitStatistics => {
        for (const line of ['calls exec 5', 'ls | wc', 'grep e README | wc']) {
          command(machine, text, line);
        }
        expectBounded(statisticsOf(machine));
        return statisticsOf(machine);
      };
      let warm = round();
      for (let i = 0; i < 2; i++) warm = round();
      const end = performance.now() + soakMinutes * MINUTE;
      let last = warm;
      for (let i = 0; i < ROUNDS || performance.now() < end; i++) {
        last = round();
        await setImmediate();
      }
      expect(last.dropped).toBeGreaterThan(warm.dropped);
      expect(last.tableSlots).toBeLessThan(100);
      collectGarbage();
      const alive = instances.filter((instance) => instance.deref() !== undefined).length;
      expect(instances.length).toBeGreaterThan(300);
      expect(alive).toBeLessThan(100);
    },
    (soakMinutes + 1) * MINUTE,
  );
});

describe('code that is translated without what it calls first', () => {
  it('is translated anew when there is much of it, and the run stays as it is', () => {
    const [translated, interpreted] = [{ hotAfter: 2, plainFirst: 60 }, false].map((jit) =>
      bootImage({ jit }),
    );
    runUntil(translated.machine, translated.text, PROMPT);
    runUntil(interpreted.machine, interpreted.text, PROMPT);
    expect(translated.machine.hash()).toBe(interpreted.machine.hash());
    const { dropped, translated: made } = statisticsOf(translated.machine);
    expect(dropped).toBeGreaterThanOrEqual(60);
    expect(dropped).toBeLessThan(100);
    expect(made).toBeGreaterThan(2 * dropped);
  });

  it('is translated anew in a long run, though there is little of it', () => {
    const machine = bootProgram('again: addi s0, s0, 1\n jal ra, called\n j again\n called: ret');
    machine.run(400_000_000);
    expect(statisticsOf(machine).dropped).toBe(0);
    const { translated } = statisticsOf(machine);
    machine.run(200_000_000);
    expect(statisticsOf(machine).dropped).toBe(translated);
    expect(statisticsOf(machine).translated).toBeGreaterThan(translated);
  });
});
