/** Kernels as a compiler or `strip` may leave them: without some of their symbols. */
import { readSections } from '../../src/machine/elf-sections.js';

const SYMBOL_TABLE = 2;
const SYMBOL_BYTES = 24;

/** A copy of an ELF file in which the symbols of these names have none, as for functions that were inlined everywhere. */
export function withoutSymbols(file: Uint8Array, names: readonly string[]): Uint8Array {
  const copy = file.slice();
  const sections = readSections(copy);
  for (const { type, link, data } of sections) {
    if (type !== SYMBOL_TABLE) continue;
    const strings = new TextDecoder('latin1').decode(sections[link].data);
    const table = new DataView(data.buffer, data.byteOffset, data.length);
    for (let at = 0; at < data.length; at += SYMBOL_BYTES) {
      const start = table.getUint32(at, true);
      if (names.includes(strings.slice(start, strings.indexOf('\0', start)))) table.setUint32(at, 0, true);
    }
  }
  return copy;
}
