/** The code of a guest as a debugger shows it: the kernel's and its user programs', by function, file and line. */
import { readElf } from '../../machine/elf.js';
import type { Machine } from '../../machine/machine.js';
import type { Hart } from '../../rv64/hart.js';
import { Mode } from '../../rv64/trap.js';
import { readVirtual } from '../address-space.js';
import { Backtracer } from '../backtrace.js';
import { type Frame, frameOf } from '../frame.js';
import { callBefore } from '../instructions.js';
import type { SourceLine } from '../line-table.js';
import { Program, type Programs } from '../programs.js';

/** An address in a program's code, or in the kernel's. */
export interface CodeAddress {
  readonly program: Program;
  readonly address: bigint;
}

/** A function call that has not returned. */
export interface Call {
  /** Where it is, or will go on. */
  readonly address: bigint;
  /** Of the instruction that it is in: a call, but for the innermost one. */
  readonly name: string;
  readonly line: SourceLine | undefined;
}

export class Code {
  readonly kernel: Program;
  private readonly backtracer: Backtracer;

  /** `kernel` is the file that the machine runs. */
  constructor(
    private readonly machine: Machine,
    kernel: Uint8Array,
    private readonly programs: Programs,
  ) {
    this.kernel = new Program('kernel', readElf(kernel));
    this.backtracer = new Backtracer(machine);
  }

  /** What a hart executes; undefined in a user program without a file. */
  programOn(hart: Hart): Program | undefined {
    return hart.mode === Mode.User ? this.programs.on(hart) : this.kernel;
  }

  lineAt(hart: Hart, address: bigint): SourceLine | undefined {
    return this.programOn(hart)?.lines.at(Number(address));
  }

  /** Whether a hart is where the code of another line begins. */
  isAtLineStart(hart: Hart): boolean {
    return this.programOn(hart)?.lines.isStart(Number(hart.pc)) ?? false;
  }

  /** The function that an address lies in, as people read it: `kfree+0x12`, `sh:main`. */
  describe(hart: Hart, address: bigint): string {
    return this.programs.describe(hart, address);
  }

  /** The address of a name, in the program that a hart runs or in the kernel. */
  addressOf(hart: Hart, name: string): bigint | undefined {
    return this.programOn(hart)?.symbols.address(name) ?? this.kernel.symbols.address(name);
  }

  /** The innermost frame of a hart. */
  frame(hart: Hart): Frame {
    return frameOf(this.machine, hart, this.functionStart(hart, hart.pc) ?? hart.pc);
  }

  /** The beginning of the function that an address lies in. */
  functionStart(hart: Hart, address: bigint): bigint | undefined {
    const found = this.programOn(hart)?.symbols.nameAt(address);
    return found && address - BigInt(found.offset);
  }

  /** The calls that a hart is in, the innermost one first. */
  stack(hart: Hart): Call[] {
    const addresses = this.backtracer.of(hart, !this.frame(hart).stands).map(BigInt);
    // Nobody called what a program begins with; what its frame holds was there before.
    const entry = this.functionStart(hart, this.programOn(hart)?.entry ?? -1n);
    const outermost = addresses.findIndex((address) => this.functionStart(hart, address) === entry);
    const calls = outermost < 0 || entry === undefined ? addresses : addresses.slice(0, outermost + 1);
    return calls.flatMap((address, index) => {
      if (index === 0) return [this.call(hart, address, address)];
      const before = callBefore(readVirtual(this.machine, hart, address - 4n, 4), address);
      return before ? [this.call(hart, address, before.address)] : [];
    });
  }

  /** A function that goes on at `address`, and is in the instruction at `pc`. */
  private call(hart: Hart, address: bigint, pc: bigint): Call {
    return { address, name: this.describe(hart, pc), line: this.lineAt(hart, pc) };
  }

  /**
   * Where the code of a line begins in files that `isFile` takes, once in each function, and which line that is: the next
   * one that has code. Undefined where none has.
   */
  placesOfLine(
    isFile: (file: string) => boolean,
    line: number,
  ): { line: number; addresses: CodeAddress[] } | undefined {
    const found = this.all().flatMap((program) => {
      const starts = program.lines.files
        .filter(isFile)
        .flatMap((file) => program.lines.startsOf(file, line) ?? []);
      return starts.map((start) => ({ program, ...start }));
    });
    if (found.length === 0) return undefined;
    const first = Math.min(...found.map((each) => each.line));
    const addresses = found
      .filter((each) => each.line === first)
      .flatMap(({ program, addresses: all }) => onePerFunction(program, all));
    return { line: first, addresses };
  }

  /** Where functions of this name begin; of one program alone with its name before a colon, as in `sh:main`. */
  placesOfFunction(name: string): CodeAddress[] {
    const [, only, symbol] = /^(?:([^:]+):)?(.*)$/.exec(name)!;
    return this.all().flatMap((program) => {
      const address = program.symbols.address(symbol);
      return address === undefined || (only !== undefined && only !== program.name)
        ? []
        : [{ program, address }];
    });
  }

  private all(): Program[] {
    return [this.kernel, ...this.programs.programs];
  }
}

/** The lowest address in each function. */
function onePerFunction(program: Program, addresses: readonly number[]): CodeAddress[] {
  const lowest = new Map<bigint, bigint>();
  for (const address of addresses.map(BigInt)) {
    const start = address - BigInt(program.symbols.nameAt(address)?.offset ?? 0);
    if (address < (lowest.get(start) ?? address + 1n)) lowest.set(start, address);
  }
  return [...lowest.values()].map((address) => ({ program, address }));
}
