/** Names for addresses and addresses for names, from a kernel's symbol table. */
import type { ElfSymbol } from './elf-sections.js';
import { hex } from './hex.js';

/** Lower is better, where several symbols could name an address. */
const RANK = { function: 0, object: 1, label: 2 } as const;

/** Endings that GCC and Clang give to the clones they make of a function. */
const CLONE_SUFFIXES = /(\.(isra|constprop|part|cold|lto_priv|llvm)(\.\d+)?)+$/;

/** The name in the source of a compiler's clone of a function: `kfree` for `kfree.isra.0`. */
export const sourceName = (symbolName: string): string => symbolName.replace(CLONE_SUFFIXES, '');

/** `$x` and the like mark code and data for disassemblers (RISC-V psABI, "Mapping Symbol"); `.L…` is local to the assembler. */
const isMapping = (name: string): boolean => /^(\$[xd]|\.L)/.test(name);

/** The addresses from `start` up to `end` that a symbol names. */
interface NamedRange {
  readonly start: bigint;
  readonly end: bigint;
  readonly symbol: ElfSymbol;
}

/** A kernel's symbols. Addresses are 64-bit values; a negative one is taken as its unsigned equal. */
export class SymbolTable {
  /** In order of address; no two start at the same one. */
  private readonly ranges: readonly NamedRange[];
  private readonly byName = new Map<string, ElfSymbol>();

  constructor(symbols: readonly ElfSymbol[]) {
    const named = symbols.filter((symbol) => !isMapping(symbol.name)).sort(byAddressThenPreference);
    this.ranges = decidingRanges(named);
    for (const symbol of named) {
      const known = this.byName.get(symbol.name);
      if (known === undefined || byPreference(symbol, known) < 0) this.byName.set(symbol.name, symbol);
    }
  }

  /**
   * The address of the symbol with exactly this name; where several source files have one, the global one.
   * A clone has its own name: `kfree.isra.0` is not found as `kfree`, for its arguments may differ.
   */
  address(name: string): bigint | undefined {
    return this.byName.get(name)?.address;
  }

  /**
   * Where the code or data of this name lies: in one piece, or in several where a compiler made clones or split off a part.
   * A name that shares its place with another has that place, too.
   */
  rangesOf(name: string): { start: bigint; end: bigint }[] {
    const address = this.address(name);
    return this.ranges.flatMap(({ start, end, symbol }, index) => {
      if (sourceName(symbol.name) !== name && start !== address) return [];
      const next = this.ranges[index + 1]?.start ?? end;
      return [{ start, end: next < end ? next : end }];
    });
  }

  /** What lies at an address, by its name in the source, and how far into it the address is. */
  nameAt(address: bigint): { name: string; offset: number } | undefined {
    const unsigned = BigInt.asUintN(64, address);
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ranges[middle].start <= unsigned) low = middle + 1;
      else high = middle;
    }
    const range = this.ranges[low - 1];
    if (range === undefined || unsigned >= range.end) return undefined;
    return { name: sourceName(range.symbol.name), offset: Number(unsigned - range.start) };
  }

  /** An address as people read it: `kfree+0x12`, `kfree` at its start, or in hexadecimal where nothing is known. */
  describe(address: bigint): string {
    const found = this.nameAt(address);
    if (found === undefined) return hex(BigInt.asUintN(64, address));
    return found.offset === 0 ? found.name : `${found.name}+${hex(found.offset)}`;
  }
}

/** Negative where `a` is the better name: functions before objects before labels, global before local, sized before not. */
const byPreference = (a: ElfSymbol, b: ElfSymbol): number =>
  RANK[a.kind] - RANK[b.kind] ||
  Number(b.global) - Number(a.global) ||
  Number(b.size > 0n) - Number(a.size > 0n);

const byAddressThenPreference = (a: ElfSymbol, b: ElfSymbol): number =>
  a.address < b.address ? -1 : a.address > b.address ? 1 : byPreference(a, b);

/**
 * The symbols that name addresses, of which the last one to start at or before an address decides. A symbol names
 * as many bytes as it says; one that does not say (a label in assembly) goes on to the end of its section, and
 * names at least its own address. Left out is what begins where a better symbol does, or inside one of a better
 * kind: a label in a function is part of the function.
 */
function decidingRanges(sorted: readonly ElfSymbol[]): NamedRange[] {
  const ranges: NamedRange[] = [];
  for (const symbol of sorted) {
    const { address, size, sectionEnd, kind } = symbol;
    const last = ranges[ranges.length - 1];
    if (last !== undefined && last.start === address) continue;
    if (last !== undefined && last.end > address && RANK[last.symbol.kind] < RANK[kind]) continue;
    const end = size > 0n ? address + size : sectionEnd;
    ranges.push({ start: address, end: end > address ? end : address + 1n, symbol });
  }
  return ranges;
}
