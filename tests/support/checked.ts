/** The project's kernel under the checker. */
import { Backtracer } from '../../src/debug/backtrace.js';
import type { Machine } from '../../src/machine/machine.js';
import { Checker } from '../../src/xv6/checker.js';
import { bootImage, kernelElf } from './images.js';

const SLICE_CYCLES = 1_000_000;
/** How long a kernel that panicked goes on, to print what it has to say. */
const SLICES_AFTER_PANIC = 3;

export interface CheckedImage {
  readonly machine: Machine;
  readonly checker: Checker;
  readonly text: () => string;
}

/** A machine with the project's kernel, which has the fault of this number (0: none), and a checker, which knows it by `symbols`. */
export function checkedImage(
  fault: number,
  harts = 1,
  options: { strictTlb?: boolean; seed?: number; symbols?: Uint8Array } = {},
): CheckedImage {
  const { machine, text } = bootImage({ harts, seed: options.seed });
  machine.readMemory(machine.symbols.address('fault')!, 4)![0] = fault;
  const tracer = new Backtracer(machine);
  const checker = new Checker(machine, options.symbols ?? kernelElf, {
    backtrace: (hart, atEntry) => tracer.of(hart, atEntry),
    strictTlb: options.strictTlb,
  });
  return { machine, checker, text };
}

/**
 * Types commands, each at a prompt, until the prompt after the last, a panic, or what `isEnough` says. Lets the test
 * runner have its turn in between. Throws when `cycles` have passed.
 */
export async function runCommands(
  { machine, checker, text }: CheckedImage,
  commands: readonly string[],
  isEnough: () => boolean = () => false,
  cycles = 6e9,
): Promise<void> {
  const waiting = [...commands];
  let typedAt = 0;
  let panicked = 0;
  while (!isEnough() && panicked < SLICES_AFTER_PANIC) {
    machine.run(SLICE_CYCLES);
    await new Promise((resolve) => setImmediate(resolve));
    if (text().includes('panic: ')) panicked++;
    if (text().endsWith('$ ') && text().length > typedAt) {
      const command = waiting.shift();
      if (command === undefined) break;
      typedAt = text().length + 1;
      machine.type(command + '\n');
    }
    if (machine.cycles > cycles) throw new Error(`not done after ${cycles} cycles:\n${text().slice(-2000)}`);
  }
  checker.searchLostFrames();
}
