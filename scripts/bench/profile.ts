/** Where a guest's time goes, by function: rvemu's time in portions, each put down to where the harts are at its end. */
import { readFileSync } from 'node:fs';
import { readElf } from '../../src/machine/elf.js';
import { SymbolTable } from '../../src/machine/symbols.js';
import { readFile } from '../fs/format.js';
import { loadLibrary } from './build.js';
import { BenchError } from './process.js';
import type { Guest } from './simulators.js';

type Library = typeof import('../../src/index.js');
type Machine = InstanceType<Library['Machine']>;

/** A command of the project's own disk that goes through much of a kernel. */
export const DEFAULT_PROFILED = 'calls exec';

/** Cycles of each hart between two looks: a few of the scheduler's slices. */
const PORTION_CYCLES = 5000;
/** The same while nothing is looked at. */
const BOOT_PORTION_CYCLES = 1_000_000;
const PROMPT = /(^|\n)\$ $/;
const USER_MODE = 0;
const MOST_SHOWN = 25;

/**
 * Runs a command at the shell's prompt, on one hart. Returns lines of shares of the time, the largest first. User code is
 * named as in the program that the command begins with; where another one runs, its names are wrong.
 */
export async function profile(guest: Guest, command: string): Promise<string[]> {
  const { Machine, MemoryStore } = await loadLibrary();
  const disk = readFileSync(guest.disk);
  let output = '';
  const machine: Machine = new Machine({
    kernel: readFileSync(guest.kernel),
    disk: new MemoryStore(disk),
    output: (byte) => (output += String.fromCharCode(byte)),
  });
  const [hart] = machine.harts;
  const userSymbols = symbolsOfProgram(disk, command.split(' ')[0]);
  const place = (): string => {
    if (hart.isIdle) return 'idle';
    const [space, symbols] = hart.mode === USER_MODE ? ['user', userSymbols] : ['kernel', machine.symbols];
    const name = symbols.nameAt(BigInt.asUintN(64, hart.pc))?.name ?? '(no symbol)';
    return `${space.padEnd(7)} ${name}`;
  };
  const runToPrompt = (portion: number, afterPortion: (milliseconds: number) => void): void => {
    output = '';
    while (!PROMPT.test(output)) {
      const started = performance.now();
      const stop = machine.run(portion);
      afterPortion(performance.now() - started);
      const panic = /^panic: .*/m.exec(output);
      if (panic) throw new BenchError(`the guest panicked: ${panic[0]}`);
      if (stop.kind !== 'budget') throw new BenchError(`the guest came to an end: ${JSON.stringify(stop)}`);
    }
  };
  runToPrompt(BOOT_PORTION_CYCLES, () => {});
  machine.type(`${command}\n`);
  const times = new Map<string, number>();
  runToPrompt(PORTION_CYCLES, (milliseconds) => {
    const name = place();
    times.set(name, (times.get(name) ?? 0) + milliseconds);
  });
  return report(times, `"${command}", ${guest.name}, 1 hart`);
}

/** The symbols of a program in the root directory; none where there is no such program, or it has been stripped. */
function symbolsOfProgram(disk: Uint8Array, name: string): SymbolTable {
  const file = readFile(disk, name);
  return new SymbolTable(file === undefined ? [] : readElf(file).symbols);
}

function report(times: ReadonlyMap<string, number>, title: string): string[] {
  const total = [...times.values()].reduce((sum, time) => sum + time, 0);
  const byTime = [...times].sort(([, a], [, b]) => b - a).slice(0, MOST_SHOWN);
  const lines = byTime.map(([name, time]) => `${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`);
  return [`${title}: ${(total / 1000).toFixed(2)} s`, ...lines];
}
