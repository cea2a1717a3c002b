/** The guest, as the checker reads it: memory by physical address, symbols by source name, the process that runs. */
import { rootTableOf } from '../machine/as-numbers.js';
import { type ElfSymbol } from '../machine/elf-sections.js';
import { readElf } from '../machine/elf.js';
import type { Machine } from '../machine/machine.js';
import { RAM_BASE } from '../machine/memory-map.js';
import { sourceName } from '../machine/symbols.js';
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import type { ReadableMemory } from './model/memory.js';
import { bottomOf, frameOf, isValidLeaf, SV39 } from './model/page-table.js';

/** Kernels of this family have eight `struct cpu`, and name processes in an array of as many as they can have. */
const CPUS = 8;
const NAME_BYTES = 16;

/** Who runs on a hart. */
export interface ProcessName {
  readonly pid: number;
  readonly name: string;
}

export class Guest implements ReadableMemory {
  readonly ramStart = RAM_BASE;
  readonly ramEnd: number;
  readonly symbols: readonly ElfSymbol[];
  private readonly view: DataView;
  private readonly doubles: Float64Array;
  private readonly processes: ProcessTable | undefined;

  /** `kernel` is the file that the machine runs. */
  constructor(
    readonly machine: Machine,
    kernel: Uint8Array,
  ) {
    const { memoryBytes } = machine.board;
    this.ramEnd = RAM_BASE + memoryBytes;
    const ram = machine.readMemory(BigInt(RAM_BASE), memoryBytes)!;
    this.view = new DataView(ram.buffer, ram.byteOffset, ram.length);
    this.doubles = new Float64Array(ram.buffer, ram.byteOffset, ram.length / 8);
    this.symbols = readElf(kernel).symbols;
    this.processes = ProcessTable.find(this);
  }

  isRam(address: number, bytes = 1): boolean {
    return address >= RAM_BASE && address + bytes <= this.ramEnd;
  }

  read(address: number, bytes: number): bigint | undefined {
    if (!this.isRam(address, bytes)) return undefined;
    const offset = address - RAM_BASE;
    return bytes === 4 ? BigInt(this.view.getUint32(offset, true)) : this.view.getBigUint64(offset, true);
  }

  /** The doubleword at an address in RAM as a number, which loses the low bits of one above 2^53. */
  word(address: number): number {
    return this.word32(address) + this.word32(address + 4) * 2 ** 32;
  }

  word32(address: number): number {
    return this.view.getUint32(address - RAM_BASE, true);
  }

  text(address: number, maximum: number): string {
    let text = '';
    for (let at = address; at < address + maximum && this.isRam(at); at++) {
      const byte = this.view.getUint8(at - RAM_BASE);
      if (byte === 0) return text;
      if (byte < 0x20 || byte > 0x7e) return '';
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /**
   * Whether the doublewords of a frame from the second one on are all `value`, read as a double that equals itself only;
   * or the last of each so many.
   */
  isFilled(frame: number, value: number, step = 1): boolean {
    const start = (frame - RAM_BASE) / 8;
    for (let at = start + Math.max(step - 1, 1); at < start + PAGE_BYTES / 8; at += step) {
      if (this.doubles[at] !== value) return false;
    }
    return true;
  }

  /** The symbol of this name, clones under the name of their source; functions and global ones first. */
  symbol(name: string): ElfSymbol | undefined {
    const found = this.symbols.filter((symbol) => sourceName(symbol.name) === name);
    const rank = (symbol: ElfSymbol): number =>
      (symbol.name === name ? 0 : 4) + (symbol.global ? 0 : 2) + (symbol.kind === 'label' ? 1 : 0);
    return found.sort((a, b) => rank(a) - rank(b))[0];
  }

  address(name: string): number | undefined {
    const symbol = this.symbol(name);
    return symbol && Number(symbol.address);
  }

  /** Physical address of the root table that a hart's satp names; undefined while it translates nothing. */
  rootOf(hart: Hart): number | undefined {
    return rootTableOf(hart);
  }

  /** The physical address that a table gives a virtual one; undefined where it maps nothing. */
  translate(root: number, address: number): number | undefined {
    const { entry, level } = bottomOf(SV39, this, root, address);
    return isValidLeaf(entry) ? frameOf(entry) + (address % SV39.spans[level]) : undefined;
  }

  processOn(hart: Hart): ProcessName | undefined {
    return this.processes?.on(hart);
  }

  /** Address of the process structure of the process that runs on a hart. */
  processAddress(hart: Hart): number | undefined {
    return this.processes?.addressOn(hart);
  }

  /** Address of a hart's own structure; undefined in a kernel whose processes were not found. */
  cpuAddress(hart: Hart): number | undefined {
    return this.processes?.cpuOf(hart);
  }

  get processBytes(): number {
    return this.processes?.bytes ?? 0;
  }
}

/**
 * The kernel's processes, found without type information: `struct cpu` begins with a pointer to the process that runs
 * there, and a process's name is where the first one has "init". Where its pid is follows from their numbers.
 */
class ProcessTable {
  /** The names last read, by process, with the words that they were read from. */
  private readonly known = new Map<number, { readonly words: Uint32Array; readonly name: ProcessName }>();
  private nameOffset: number | undefined;
  private pidOffset: number | undefined;

  private constructor(
    private readonly guest: Guest,
    private readonly cpus: number,
    private readonly cpuBytes: number,
    private readonly start: number,
    readonly bytes: number,
  ) {}

  static find(guest: Guest): ProcessTable | undefined {
    const cpus = guest.symbol('cpus');
    const processes = guest.symbol('proc') ?? guest.symbol('processes');
    const size = Number(processes?.size ?? 0n);
    if (!cpus?.size || !processes || size === 0 || size % 64 !== 0) return undefined;
    const [cpusAt, start] = [Number(cpus.address), Number(processes.address)];
    return new ProcessTable(guest, cpusAt, Number(cpus.size) / CPUS, start, size / 64);
  }

  cpuOf(hart: Hart): number {
    return this.cpus + hart.index * this.cpuBytes;
  }

  addressOn(hart: Hart): number | undefined {
    const process = this.guest.word(this.cpuOf(hart));
    const offset = process - this.start;
    return offset >= 0 && offset < 64 * this.bytes && offset % this.bytes === 0 ? process : undefined;
  }

  on(hart: Hart): ProcessName | undefined {
    const process = this.addressOn(hart);
    if (process === undefined) return undefined;
    this.nameOffset ??= this.findName();
    if (this.nameOffset === undefined) return undefined;
    this.pidOffset ??= this.findPid();
    // Pids count from 1, and until there is a second process to compare with, there is but the first.
    const pid = this.pidOffset === undefined ? 1 : this.guest.word32(process + this.pidOffset);
    const at = process + this.nameOffset;
    const known = this.known.get(process);
    if (known?.name.pid === pid && this.isStillThere(known.words, at)) return known.name;
    const words = Uint32Array.from({ length: NAME_BYTES / 4 }, (_, index) =>
      this.guest.word32(at + 4 * index),
    );
    const name = { pid, name: this.guest.text(at, NAME_BYTES) };
    this.known.set(process, { words, name });
    return name;
  }

  private isStillThere(words: Uint32Array, at: number): boolean {
    for (let index = 0; index < words.length; index++) {
      if (this.guest.word32(at + 4 * index) !== words[index]) return false;
    }
    return true;
  }

  private findName(): number | undefined {
    for (let offset = this.bytes - NAME_BYTES; offset > 0; offset--) {
      if (/^init(code)?$/.test(this.guest.text(this.start + offset, NAME_BYTES))) return offset;
    }
    return undefined;
  }

  /** The first word that counts the first two processes. */
  private findPid(): number | undefined {
    const { guest, start, bytes } = this;
    for (let offset = 24; offset < bytes; offset += 4) {
      if (guest.word32(start + offset) === 1 && guest.word32(start + bytes + offset) === 2) return offset;
    }
    return undefined;
  }
}
