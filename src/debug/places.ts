/** Addresses as people know them: function, file and line. */
import { readElf } from '../machine/elf.js';
import { SymbolTable } from '../machine/symbols.js';
import { LineTable } from './line-table.js';

export interface Place {
  readonly address: number;
  /** `kfree+0x12`, or the address where no symbol is known. */
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
}

export class Places {
  private readonly symbols: SymbolTable;
  private readonly lines: LineTable;

  /** `kernel` is an ELF file. Throws BadInputError for one that cannot be read. */
  constructor(kernel: Uint8Array) {
    const { symbols, sections } = readElf(kernel);
    this.symbols = new SymbolTable(symbols);
    this.lines = new LineTable(sections);
  }

  at(address: number): Place {
    return { address, name: this.symbols.describe(BigInt(address)), ...this.lines.at(address) };
  }

  /**
   * The places of a backtrace: of return addresses, the calls before them. Left out is what can be no return address:
   * one in no function, or at a function's start, where a new thread begins.
   */
  ofStack(stack: readonly number[]): Place[] {
    return stack.flatMap((address, index) => {
      if (index > 0 && !this.symbols.nameAt(BigInt(address))?.offset) return [];
      const call = index === 0 ? address : address - 1;
      return [{ address, name: this.at(address).name, ...this.lines.at(call) }];
    });
  }
}
