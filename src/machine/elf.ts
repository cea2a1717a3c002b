/**
 * Reads kernels: ELF64 executables for RISC-V, as the System V ABI ("ELF Header", "Program Header") and the
 * RISC-V psABI ("ELF Object Files") define them.
 *
 * The npm package elfy reads the file header and the program headers. What it gets wrong is dealt with here:
 *
 * - It checks little and knows no RISC-V. So the identification, the machine number and the bounds of every
 *   table and segment are checked in this file, most of them before elfy sees a byte.
 * - It reads 64-bit fields into doubles, exact below 2^53 only. Offsets, sizes and physical addresses from
 *   there on are refused; the entry point and virtual addresses may be that large, and are read here.
 * - It takes two fields of a section header from wrong offsets, and its parse of a whole file throws where
 *   there are no section names, as in a stripped kernel. So only its header and segment parsers are called;
 *   elf-sections.ts reads sections and symbols.
 */
import elfy from 'elfy';
import { readSections, readSymbols, type ElfSection, type ElfSymbol } from './elf-sections.js';
import { BadInputError } from './errors.js';
import { hex } from './hex.js';
import { MAX_RAM_BYTES } from './memory-map.js';

/** Bytes to be put into RAM before the first instruction. */
export interface ElfSegment {
  /** Physical address (`p_paddr`), below 2^53. */
  readonly address: bigint;
  /** Where the program believes it to be (`p_vaddr`); the same as `address` in most kernels. */
  readonly virtualAddress: bigint;
  /** The bytes that the file holds: a view of the file, at most `memoryBytes` long. */
  readonly data: Uint8Array;
  /** Bytes in memory; those past `data` are zero. Not checked against any RAM: see `checkFits`. */
  readonly memoryBytes: number;
  readonly flags: { readonly read: boolean; readonly write: boolean; readonly execute: boolean };
}

/** An executable that has been checked for what does not depend on the board. */
export interface ElfImage {
  /** Address of the first instruction. */
  readonly entry: bigint;
  /** At least one; in order of physical address, not overlapping, none empty. */
  readonly segments: readonly ElfSegment[];
  /** Empty where the file's section table is missing or damaged: such a kernel boots, without names. */
  readonly sections: readonly ElfSection[];
  /** Empty where the kernel is stripped. */
  readonly symbols: readonly ElfSymbol[];
}

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const CLASS_OFFSET = 4;
const BYTE_ORDER_OFFSET = 5;
const MACHINE_OFFSET = 18;
const ENTRY_OFFSET = 24;
/** Within a program header. */
const VIRTUAL_ADDRESS_OFFSET = 16;

const RISCV = 243;
/** Machines that a kernel may have been built for by mistake (`e_machine`). */
const MACHINE_NAMES: Readonly<Record<number, string>> = {
  3: 'x86',
  8: 'MIPS',
  20: 'PowerPC',
  21: '64-bit PowerPC',
  22: 'S/390',
  40: 'ARM',
  62: 'x86-64',
  183: 'AArch64',
  258: 'LoongArch',
};

/** Reads an executable. Throws BadInputError for a file that is none, or not for this machine. */
export function readElf(file: Uint8Array): ElfImage {
  checkIdentification(file);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const segments = readSegments(file, view);
  checkOverlaps(segments);
  const entry = view.getBigUint64(ENTRY_OFFSET, true);
  if (entry % 2n !== 0n)
    throw new BadInputError(`the kernel's entry point ${hex(entry)} is odd: no instruction starts there`);
  const sections = readSections(file);
  return {
    entry,
    segments,
    sections,
    symbols: readSymbols(sections),
  };
}

/** Refuses what is not a little-endian RISC-V ELF64 file with a whole header. */
function checkIdentification(file: Uint8Array): void {
  if (file.length === 0) throw new BadInputError('the kernel file is empty; build the kernel again');
  if (!MAGIC.every((byte, index) => file[index] === byte)) {
    const begin = [...file.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw new BadInputError(
      `the kernel is not an ELF file (it begins with ${begin}); give the file the linker wrote, such as kernel/kernel`,
    );
  }
  if (file.length < HEADER_BYTES) {
    throw new BadInputError(
      `the kernel file is truncated: an ELF header has ${HEADER_BYTES} bytes, the file ${file.length}; build the kernel again`,
    );
  }
  if (file[CLASS_OFFSET] === 1) {
    throw new BadInputError(
      'the kernel is a 32-bit ELF file; build it for RV64 (-march=rv64imac -mabi=lp64)',
    );
  }
  if (file[CLASS_OFFSET] !== 2) {
    throw new BadInputError(
      `the kernel's ELF header is damaged: its class is ${file[CLASS_OFFSET]}, not 2 (64 bits)`,
    );
  }
  if (file[BYTE_ORDER_OFFSET] === 2) {
    throw new BadInputError('the kernel is a big-endian ELF file; this machine is little-endian');
  }
  if (file[BYTE_ORDER_OFFSET] !== 1) {
    throw new BadInputError(
      `the kernel's ELF header is damaged: its byte order is ${file[BYTE_ORDER_OFFSET]}, not 1 (little-endian)`,
    );
  }
  const machine = file[MACHINE_OFFSET] | (file[MACHINE_OFFSET + 1] << 8);
  if (machine !== RISCV) {
    const name = MACHINE_NAMES[machine] ?? `machine number ${machine}`;
    throw new BadInputError(
      `the kernel is built for ${name}, not for RISC-V; build it with a cross compiler such as riscv64-unknown-elf-gcc`,
    );
  }
}

/** The segments that occupy memory, in order of physical address. */
function readSegments(file: Uint8Array, view: DataView): ElfSegment[] {
  const buffer = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const parser = new elfy.Parser();
  const header = parser.parseHeader(buffer);
  if (header.type === 'rel') {
    throw new BadInputError(
      'the kernel is an object file that has not been linked; give the file the linker wrote',
    );
  }
  if (header.type === 'dyn') {
    throw new BadInputError('the kernel is a shared object or position-independent; link it with -no-pie');
  }
  if (header.type !== 'exec') throw new BadInputError('the kernel is an ELF file, but not an executable');
  if (header.phnum > 0 && header.phentsize !== PROGRAM_HEADER_BYTES) {
    throw new BadInputError(
      `the kernel's ELF header is damaged: its program headers have ${header.phentsize} bytes, not ${PROGRAM_HEADER_BYTES}`,
    );
  }
  const tableEnd = header.phoff + header.phnum * PROGRAM_HEADER_BYTES;
  if (tableEnd > file.length) {
    throw new BadInputError(
      `the kernel file is truncated: its ${header.phnum} program headers end at byte ${tableEnd}, the file at ${file.length}`,
    );
  }
  const segments: ElfSegment[] = [];
  parser.parsePrograms(buffer, header).forEach((program, index) => {
    if (program.type !== 'load' || (program.memsz === 0 && program.filesz === 0)) return;
    checkSegment(program, index, file.length);
    const headerOffset = header.phoff + index * PROGRAM_HEADER_BYTES;
    segments.push({
      address: BigInt(program.paddr),
      virtualAddress: view.getBigUint64(headerOffset + VIRTUAL_ADDRESS_OFFSET, true),
      data: file.subarray(program.offset, program.offset + program.filesz),
      memoryBytes: program.memsz,
      flags: {
        read: program.flags.r === true,
        write: program.flags.w === true,
        execute: program.flags.x === true,
      },
    });
  });
  if (segments.length === 0) {
    throw new BadInputError('the kernel has no loadable segment: there is nothing to run in it');
  }
  return segments.sort((a, b) => Number(a.address - b.address));
}

/** Refuses a segment that is not wholly in the file, or whose fields make no sense on any board. */
function checkSegment(
  program: { offset: number; paddr: number; filesz: number; memsz: number },
  index: number,
  fileBytes: number,
): void {
  const { offset, paddr, filesz, memsz } = program;
  for (const [value, what] of [
    [offset, 'file offset'],
    [filesz, 'size in the file'],
    [memsz, 'size in memory'],
    [paddr, 'physical address'],
  ] as const) {
    if (!Number.isSafeInteger(value)) {
      throw new BadInputError(`the ${what} of the kernel's segment ${index} is absurd: about ${hex(value)}`);
    }
  }
  if (offset + filesz > fileBytes) {
    throw new BadInputError(
      `the kernel file is truncated: its segment ${index} ends at byte ${offset + filesz}, the file at ${fileBytes}; ` +
        'build the kernel again',
    );
  }
  if (filesz > memsz) {
    throw new BadInputError(
      `the kernel's segment ${index} is damaged: it has ${filesz} bytes in the file, but ${memsz} in memory`,
    );
  }
}

/** Refuses segments, given in order of address, that want the same memory. */
function checkOverlaps(segments: readonly ElfSegment[]): void {
  for (let index = 1; index < segments.length; index++) {
    const [previous, segment] = [segments[index - 1], segments[index]];
    if (endOf(previous) > segment.address) {
      throw new BadInputError(
        `two segments of the kernel overlap: ${describe(previous)} and ${describe(segment)}; check its linker script`,
      );
    }
  }
}

const endOf = (segment: ElfSegment): bigint => segment.address + BigInt(segment.memoryBytes);

const describe = (segment: ElfSegment): string => `${hex(segment.address)} to ${hex(endOf(segment))}`;

/** Throws BadInputError where a segment or the entry point lies outside `ramBytes` bytes of RAM at `ramBase`. */
export function checkFits(image: ElfImage, ramBase: number, ramBytes: number): void {
  const start = BigInt(ramBase);
  const end = start + BigInt(ramBytes);
  const largestEnd = start + BigInt(MAX_RAM_BYTES);
  const ram = `RAM is ${hex(start)} to ${hex(end)}`;
  const outside = image.segments.find((segment) => segment.address < start || endOf(segment) > largestEnd);
  if (outside !== undefined) {
    throw new BadInputError(
      `a segment of the kernel (${describe(outside)}) lies outside memory: ${ram}; link the kernel at ${hex(start)}`,
    );
  }
  const kernelEnd = endOf(image.segments[image.segments.length - 1]);
  if (kernelEnd > end) {
    const mebibytes = (kernelEnd - start + 0xf_ffffn) >> 20n;
    throw new BadInputError(
      `the kernel needs memory up to ${hex(kernelEnd)}, but ${ram}; give it more with --memory ${mebibytes}M`,
    );
  }
  if (image.entry < start || image.entry >= end) {
    throw new BadInputError(
      `the kernel's entry point ${hex(image.entry)} lies outside memory: ${ram}; check ENTRY() in its linker script`,
    );
  }
}

/**
 * Puts the segments into `ram`, whose first byte has the physical address `ramBase`, and zeroes what they have
 * beyond the file. Throws BadInputError, with nothing written, where they do not fit.
 */
export function loadInto(image: ElfImage, ram: Uint8Array, ramBase: number): void {
  checkFits(image, ramBase, ram.length);
  for (const { address, data, memoryBytes } of image.segments) {
    const offset = Number(address) - ramBase;
    ram.set(data, offset);
    ram.fill(0, offset + data.length, offset + memoryBytes);
  }
}
