/** The benchmark's programs for the bare machine, images/bench/*.elf, as files that can be changed and run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readElf } from '../../src/machine/elf.js';
import { loadLibrary } from './build.js';
import { BenchError } from './process.js';
import { IMAGES } from './simulators.js';

export const readBareProgram = (name: string): Uint8Array => readFileSync(join(IMAGES, `bench/${name}.elf`));

/** A copy of a bare program that runs so many rounds: the variable `rounds` of images/bench/bare.c is patched. */
export function withRounds(elf: Uint8Array, rounds: number): Uint8Array {
  const copy = Uint8Array.from(elf);
  const { segments, symbols } = readElf(copy);
  const variable = symbols.find((symbol) => symbol.name === 'rounds');
  if (variable === undefined) throw new BenchError('a bare program has no variable "rounds"');
  for (const { virtualAddress, data } of segments) {
    const offset = Number(variable.address - virtualAddress);
    if (offset < 0 || offset + 4 > data.length) continue;
    // The segment's bytes are a view of the copy.
    new DataView(data.buffer, data.byteOffset).setUint32(offset, rounds, true);
    return copy;
  }
  throw new BenchError('the variable "rounds" has no bytes in its file');
}

/** Runs a bare program to its end in this process, without the translator, and counts its instructions. */
export async function interpreterRun(elf: Uint8Array): Promise<{ instructions: number; seconds: number }> {
  const { Machine } = await loadLibrary();
  const machine = new Machine({ kernel: elf, jit: false });
  const started = performance.now();
  const stop = machine.run(Infinity);
  const seconds = (performance.now() - started) / 1000;
  if (stop.kind !== 'finished' || stop.code !== 0) {
    throw new BenchError(`a bare program ended with ${JSON.stringify(stop)}`);
  }
  return { instructions: machine.cycles, seconds };
}
