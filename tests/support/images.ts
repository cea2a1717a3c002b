/** The project's own kernel and file system, and machines that run them. */
import { readFileSync } from 'node:fs';
import { MemoryStore } from '../../src/devices/block-store.js';
import { Machine } from '../../src/machine/machine.js';
import type { MachineOptions } from '../../src/machine/parts.js';

const read = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../images/${name}`, import.meta.url)));

export const kernelElf = read('kernel.elf');
export const fileSystemImage = read('fs.img');

/** A machine with the project's kernel and a fresh copy of its disk, and the text that it has printed. */
export function bootImage(options: Partial<MachineOptions> = {}): { machine: Machine; text: () => string } {
  let text = '';
  const machine = new Machine({
    kernel: kernelElf,
    disk: new MemoryStore(fileSystemImage.slice()),
    output: (byte) => (text += String.fromCharCode(byte)),
    ...options,
  });
  return { machine, text: () => text };
}

/** Runs until what is printed ends with `expected`. Throws when that has not happened after `cycles`. */
export function runUntil(machine: Machine, text: () => string, expected: string, cycles = 1e9): void {
  for (const end = machine.cycles + cycles; machine.cycles < end;) {
    const stop = machine.run(100_000);
    if (text().endsWith(expected)) return;
    if (stop.kind !== 'budget') throw new Error(`the machine stopped: ${JSON.stringify(stop)}\n${text()}`);
  }
  throw new Error(`no ${JSON.stringify(expected)} after ${cycles} cycles:\n${text()}`);
}
