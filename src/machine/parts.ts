/** What a machine is made of: board, RAM with the kernel in it, harts, and the translator. */
import type { BlockStore, ByteSink } from '../devices/device.js';
import { Frames } from '../rv64/frames.js';
import { Hart } from '../rv64/hart.js';
import { canTranslate } from '../rv64/jit/host-support.js';
import { Jit, type JitOptions } from '../rv64/jit/jit.js';
import { State } from '../rv64/state.js';
import { BoardBus, RamDma } from './board-bus.js';
import { VirtualClock } from './clock.js';
import { checkFits, type ElfImage, loadInto, readElf } from './elf.js';
import { BadInputError } from './errors.js';
import { type Board, buildBoard, DEFAULT_RAM_BYTES, RAM_BASE } from './memory-map.js';
import { SymbolTable } from './symbols.js';

export interface MachineOptions {
  /** The kernel: an ELF64 executable for RISC-V. */
  readonly kernel: Uint8Array;
  /** The disk in virtio slot 0; without one the slot is empty. */
  readonly disk?: BlockStore;
  /** 1 to 8; 1 if not given. */
  readonly harts?: number;
  /** Bytes of RAM, a multiple of 4096; 128 MiB if not given. */
  readonly memoryBytes?: number;
  /** Decides how harts are interleaved: 0 to 2^32 - 1; 0 if not given. */
  readonly seed?: number;
  /** Which virtio-mmio the disk speaks; `auto`, also if not given, finds out which one the kernel looks for. */
  readonly virtio?: 'auto' | 'legacy' | 'modern';
  /** Receives what the guest writes to its serial port. */
  readonly output?: ByteSink;
  /** Receives a sentence when the guest does what its machine cannot go along with, though it goes on. */
  readonly warn?: (sentence: string) => void;
  /** False to have everything interpreted: slower, and otherwise the same. */
  readonly jit?: boolean | JitOptions;
}

/**
 * What a device moves takes time on the hart that asked for it, little enough that a disk answers at once, and enough
 * that a guest which asks for more and more does not stop virtual time.
 */
const DMA_BYTES_PER_CYCLE = 64;

const NO_TAIL_CALLS =
  "this host's WebAssembly has no tail calls, so everything is interpreted, which is slow; Node.js 20 and newer have them";

export abstract class Parts {
  readonly board: Board;
  readonly symbols: SymbolTable;
  readonly harts: readonly Hart[];
  protected readonly state: State;
  protected readonly frames: Frames;
  protected readonly clock: VirtualClock;
  protected readonly bus: BoardBus;
  protected readonly dma: RamDma;
  protected readonly jit: Jit | undefined;
  /** Where the kernel begins. */
  protected readonly entry: bigint;
  /** The hart that executes just now; undefined between slices. */
  protected running: Hart | undefined;

  /** Builds the board and loads the kernel. Throws BadInputError for a kernel or a size that cannot be used. */
  constructor(protected readonly options: MachineOptions) {
    const { kernel, harts = 1, memoryBytes = DEFAULT_RAM_BYTES } = options;
    this.board = buildBoard(harts, memoryBytes);
    const image = readElf(kernel);
    checkFits(image, RAM_BASE, memoryBytes);
    this.symbols = new SymbolTable(image.symbols);
    this.entry = image.entry;

    this.state = allocate(memoryBytes);
    this.frames = new Frames(this.state);
    this.frames.onChange = () => this.running?.leave();
    this.clock = new VirtualClock(
      () => this.cycles,
      () => this.harts.forEach((hart) => hart.updateTimers()),
    );
    this.bus = new BoardBus(this.board.map);
    this.harts = Array.from(
      { length: harts },
      (_, index) => new Hart(index, this.state, this.frames, this.bus, this.clock),
    );
    this.jit = this.buildTranslator();
    this.dma = new RamDma(this.state, this.frames, (bytes) =>
      this.running?.stall(Math.floor(bytes / DMA_BYTES_PER_CYCLE)),
    );
    this.load(image);
  }

  /** Virtual time since reset: cycles of one hart, whether it works or waits. */
  abstract get cycles(): number;

  /** The bytes at a physical address, or undefined where they are not all in RAM. A view: it changes as the guest runs. */
  readMemory(physicalAddress: bigint, length: number): Uint8Array | undefined {
    const offset = Number(physicalAddress) - RAM_BASE;
    if (offset < 0 || offset + length > this.state.ramBytes) return undefined;
    this.frames.firstFills.settleRange(offset, length);
    return this.state.ram.subarray(offset, offset + length);
  }

  /** Stores bytes as a device would. False, and nothing stored, where they are not all in RAM. */
  writeMemory(physicalAddress: bigint, bytes: Uint8Array): boolean {
    return this.dma.write(physicalAddress, bytes);
  }

  private load(image: ElfImage): void {
    loadInto(image, this.state.ram, RAM_BASE);
    const { firstFills, count } = this.frames;
    firstFills.declareFresh(0, count);
    for (const { address, memoryBytes } of image.segments) {
      firstFills.settleRange(Number(address) - RAM_BASE, memoryBytes);
    }
  }

  private buildTranslator(): Jit | undefined {
    const { jit: choice = true } = this.options;
    if (choice === false) return undefined;
    const options = choice === true ? {} : choice;
    if (!canTranslate(options.validate)) {
      this.options.warn?.(NO_TAIL_CALLS);
      return undefined;
    }
    const jit = new Jit(this.state, this.harts, options);
    this.frames.onCodeDropped = (page) => jit.forget(page);
    this.harts.forEach((hart) => (hart.translator = jit));
    return jit;
  }
}

function allocate(memoryBytes: number): State {
  try {
    return new State(memoryBytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new BadInputError(`this host has no ${memoryBytes} bytes of memory to give to the guest`);
  }
}
