/** Addresses as people know them: function, file and line. */
import { type ElfImage, readElf } from '../machine/elf.js';
import { SymbolTable } from '../machine/symbols.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import { callBefore } from './instructions.js';
import { LineTable, type SourceLine } from './line-table.js';

export interface Place {
  readonly address: number;
  /** `kfree+0x12`, or the address where no symbol is known. */
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
}

/** Kernels of this family map it at the end of what Sv39 translates with the highest bit clear, for every process. */
const TRAMPOLINE = 2 ** 38 - PAGE_BYTES;

export class Places {
  private readonly symbols: SymbolTable;
  private readonly lines: LineTable;
  private readonly segments: ElfImage['segments'];

  /** `kernel` is an ELF file. Throws BadInputError for one that cannot be read. */
  constructor(kernel: Uint8Array) {
    const { symbols, sections, segments } = readElf(kernel);
    this.segments = segments;
    this.symbols = new SymbolTable(symbols);
    this.lines = new LineTable(sections);
  }

  at(address: number): Place {
    const linked = this.linkedAt(address);
    return { address, name: this.symbols.describe(BigInt(linked)), ...this.lineAt(linked) };
  }

  /** Where code was linked that is executed at an address: the trampoline is mapped once more, at the end. */
  private linkedAt(address: number): number {
    const trampoline = this.symbols.address('trampoline');
    const isThere = address >= TRAMPOLINE && address < TRAMPOLINE + PAGE_BYTES;
    return isThere && trampoline !== undefined ? Number(trampoline) + address - TRAMPOLINE : address;
  }

  /**
   * The places of a backtrace: of return addresses, the calls before them. Left out is what can be no return address:
   * one in no function, or at a function's start, where a new thread begins, unless the function before ends in a call.
   */
  ofStack(stack: readonly number[]): Place[] {
    return stack.flatMap((address, index) => {
      if (index === 0) return [this.at(address)];
      const isInside = Boolean(this.symbols.nameAt(BigInt(address))?.offset);
      const call = isInside ? address : this.callBefore(address);
      if (call === undefined) return [];
      return [{ address, name: this.at(call).name, ...this.lineAt(address - 1) }];
    });
  }

  /** Whether the file has these bytes of code at an address. Around them there may be others. */
  hasCode(address: bigint, bytes: Uint8Array): boolean {
    const segment = this.segments.find(({ virtualAddress: start, data, flags }) => {
      const isWithin = address < start + BigInt(data.length) && address + BigInt(bytes.length) > start;
      return flags.execute && isWithin;
    });
    if (segment === undefined) return false;
    const offset = Number(address - segment.virtualAddress);
    return bytes.every((byte, index) => {
      const there = segment.data[offset + index] as number | undefined;
      return there === undefined || there === byte;
    });
  }

  /** Functions that the linker has left out have lines as well, all of them from 0 on. */
  private lineAt(address: number): SourceLine | undefined {
    return this.segmentAt(BigInt(address)) && this.lines.at(address);
  }

  private segmentAt(address: bigint): ElfImage['segments'][number] | undefined {
    return this.segments.find(
      ({ virtualAddress: start, data }) => address >= start && address < start + BigInt(data.length),
    );
  }

  private callBefore(address: number): number | undefined {
    const before = BigInt(address - 4);
    const segment = this.segmentAt(before);
    if (segment === undefined) return undefined;
    const offset = Number(before - segment.virtualAddress);
    const call = callBefore(segment.data.subarray(offset, offset + 4), BigInt(address));
    return call && Number(call.address);
  }
}
