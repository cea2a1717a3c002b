/** User programs by the ELF files that they were made from: which one a hart runs, and its symbols and lines. */
import { BadInputError } from '../machine/errors.js';
import type { ElfSection } from '../machine/elf-sections.js';
import { type ElfImage, readElf } from '../machine/elf.js';
import type { Machine } from '../machine/machine.js';
import { SymbolTable } from '../machine/symbols.js';
import type { Hart } from '../rv64/hart.js';
import { Mode } from '../rv64/trap.js';
import { physicalAddress, readVirtual, rootOf } from './address-space.js';
import { Unwinder } from './dwarf/unwinder.js';
import { Variables } from './dwarf/variables.js';
import { LineTable } from './line-table.js';

/** A file by the name that its processes go by. */
export interface ProgramFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

export class Program {
  readonly symbols: SymbolTable;
  readonly lines: LineTable;
  /** Where its code begins in memory, and enough of it to tell it by. */
  readonly start: bigint;
  readonly code: Uint8Array;
  readonly entry: bigint;
  private readonly sections: readonly ElfSection[];
  private knownVariables: Variables | undefined;
  private knownUnwinder: Unwinder | undefined;

  constructor(
    readonly name: string,
    { symbols, sections, segments, entry }: ElfImage,
  ) {
    this.sections = sections;
    this.entry = entry;
    this.symbols = new SymbolTable(symbols);
    this.lines = new LineTable(sections);
    const text = segments.find(({ flags }) => flags.execute) ?? segments[0];
    this.start = text.virtualAddress;
    this.code = text.data.subarray(0, CODE_BYTES);
  }

  /** Read when they are first asked for. */
  get variables(): Variables {
    return (this.knownVariables ??= new Variables(this.sections));
  }

  /** The same. */
  get unwinder(): Unwinder {
    return (this.knownUnwinder ??= new Unwinder(this.sections));
  }
}

/** Throws BadInputError for a file that is no program. */
export function readProgram({ name, contents }: ProgramFile): ElfImage {
  try {
    return readElf(contents);
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    throw new BadInputError(`user program ${name}: ${error.message.replace(/^the kernel('s)? /, 'it$1 ')}`);
  }
}

/** From here on up, a kernel maps itself elsewhere than in place. */
const HIGH = 1n << 32n;

/** So much of a program's code tells it from others. */
const CODE_BYTES = 512;

export class Programs {
  readonly programs: readonly Program[];
  /** What was found out by looking at memory: by root table and process name. */
  private readonly known = new Map<string, Program | undefined>();

  /** `nameOf` is the name of the process that a hart runs. Throws BadInputError for a file that is no program. */
  constructor(
    private readonly machine: Machine,
    files: readonly ProgramFile[],
    private readonly nameOf: (hart: Hart) => string | undefined,
  ) {
    this.programs = files.map((file) => new Program(file.name, readProgram(file)));
  }

  /** The program that a hart in user mode runs; undefined where no file is of it, and in the kernel. */
  on(hart: Hart): Program | undefined {
    if (hart.mode !== Mode.User || this.programs.length === 0) return undefined;
    const name = this.nameOf(hart) ?? '';
    const key = `${rootOf(hart)} ${name}`;
    if (!this.known.has(key)) this.known.set(key, this.find(hart, name));
    return this.known.get(key);
  }

  /** Where the function of this name lies in the programs that have one. */
  rangesOf(name: string): Map<Program, { start: bigint; end: bigint }[]> {
    const found = this.programs.map((program) => [program, program.symbols.rangesOf(name)] as const);
    return new Map(found.filter(([, ranges]) => ranges.length > 0));
  }

  /** An address as people read it: `kfree+0x12`, and with its program, `sh:main+0x4`, in user mode. */
  describe(hart: Hart, address: bigint): string {
    const program = this.on(hart);
    if (program?.symbols.nameAt(address)) return `${program.name}:${program.symbols.describe(address)}`;
    const place = this.kernelPlace(hart, address);
    const name = place === undefined ? undefined : this.machine.symbols.describe(place);
    return name ?? `0x${BigInt.asUintN(64, address).toString(16)}`;
  }

  /**
   * The address as the kernel's symbols have it: another one where its code is mapped elsewhere, as a trampoline is.
   * Undefined for one that is not the kernel's.
   */
  kernelPlace(hart: Hart, address: bigint): bigint | undefined {
    const { symbols } = this.machine;
    if (hart.mode !== Mode.User && symbols.nameAt(address)) return address;
    if (address < HIGH) return undefined;
    const physical = physicalAddress(this.machine, hart, address);
    return physical !== undefined && symbols.nameAt(physical) ? physical : undefined;
  }

  /** By name where what lies in memory is that program, and else by what lies there. */
  private find(hart: Hart, name: string): Program | undefined {
    const isHere = ({ start, code }: Program): boolean => {
      const found = readVirtual(this.machine, hart, start, code.length);
      return found.length > 0 && found.every((byte, index) => byte === code[index]);
    };
    // A process's name may be cut short.
    const named = this.programs.filter((program) => name !== '' && program.name.startsWith(name));
    return named.find(isHere) ?? this.programs.find(isHere);
  }
}
