/** Machines that run a few lines of assembly from reset. */
import { Machine } from '../../src/machine/machine.js';
import type { MachineOptions } from '../../src/machine/parts.js';
import { assemble } from './assembler.js';
import { buildElf } from './elf.js';

/** An ELF file of a program at the start of RAM; its labels are functions. */
export function elfOf(source: string): Uint8Array {
  const { bytes, base, labels } = assemble(source);
  return buildElf({
    entry: base,
    segments: [{ address: base, data: bytes }],
    symbols: [...labels].map(([name, address]) => ({ name, address, type: 2, global: true })),
  });
}

export const bootProgram = (source: string, options: Partial<MachineOptions> = {}): Machine =>
  new Machine({ kernel: elfOf(source), memoryBytes: 4 << 20, ...options });
