/** The project's kernel with one of its faults (images/kernel/fault.h), as a file. */
import { readElf } from '../../src/machine/elf.js';
import { kernelElf } from './images.js';

/** A copy of the ELF file in which the variable `fault`, in initialised data, has this value. */
export function faultyKernel(fault: number): Uint8Array {
  const copy = kernelElf.slice();
  const { symbols, segments } = readElf(copy);
  const address = symbols.find((symbol) => symbol.name === 'fault')!.address;
  for (const { data, virtualAddress } of segments) {
    const offset = Number(address - virtualAddress);
    if (offset >= 0 && offset < data.length) data[offset] = fault;
  }
  return copy;
}
