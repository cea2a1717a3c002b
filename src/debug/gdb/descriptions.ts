/** The documents that gdb asks for with qXfer: registers, memory and threads. */
import {
  type RegisterDescription,
  csrRegisters,
  floatRegisters,
  generalRegisters,
  privilegeRegister,
} from './registers.js';

const element = ({ name, number, type }: RegisterDescription): string =>
  `<reg name="${name}" bitsize="64" regnum="${number}" type="${type}"/>`;

const feature = (name: string, registers: readonly RegisterDescription[]): string =>
  `<feature name="${name}">${registers.map(element).join('')}</feature>`;

/**
 * The gdb manual, "Target Descriptions", section "RISC-V Features". Without an osabi some gdbs take the guest for a Linux
 * program, and step over system calls instead of into them.
 */
export const TARGET_DESCRIPTION =
  '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target><architecture>riscv:rv64</architecture>' +
  '<osabi>none</osabi>' +
  feature('org.gnu.gdb.riscv.cpu', generalRegisters) +
  feature('org.gnu.gdb.riscv.fpu', floatRegisters) +
  feature('org.gnu.gdb.riscv.csr', csrRegisters) +
  feature('org.gnu.gdb.riscv.virtual', [privilegeRegister]) +
  '</target>';

/**
 * gdb's addresses are virtual, so there may be memory anywhere; what is not mapped is told when it is read. In two
 * halves, because a length has 64 bits.
 */
export const MEMORY_MAP =
  '<?xml version="1.0"?><!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" ' +
  '"http://sourceware.org/gdb/gdb-memory-map.dtd"><memory-map>' +
  '<memory type="ram" start="0x0" length="0x8000000000000000"/>' +
  '<memory type="ram" start="0x8000000000000000" length="0x8000000000000000"/></memory-map>';

/** `name` and `about` (what it is doing) of each thread, by its number less one. */
export function threadList(threads: readonly { name: string; about: string }[]): string {
  const items = threads.map(({ name, about }, index) => {
    const id = (index + 1).toString(16);
    return `<thread id="${id}" core="${index}" name="${name}">${escapeXml(about)}</thread>`;
  });
  return `<?xml version="1.0"?><threads>${items.join('')}</threads>`;
}

const escapeXml = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
