/**
 * The machine: harts, RAM and devices of the `virt` board, run in slices by a seeded scheduler on virtual time.
 * Same kernel, disk, input and seed: the same run, to the bit, on every host.
 */
import type { BlockStore, ByteSink, Device } from '../devices/device.js';
import type { DiskRequest } from '../devices/virtio-blk.js';
import type { Uart16550 } from '../devices/uart16550.js';
import type { Probe } from '../rv64/code-page.js';
import { Frames } from '../rv64/frames.js';
import { canTranslate } from '../rv64/jit/host-support.js';
import { Jit, type JitOptions } from '../rv64/jit/jit.js';
import { Hart, type Observer } from '../rv64/hart.js';
import { State } from '../rv64/state.js';
import { StrictMode, type StrictObserver, type StrictState } from '../rv64/strict-mode.js';
import { BoardBus, RamDma } from './board-bus.js';
import { VirtualClock } from './clock.js';
import { buildDeviceTree } from './devicetree.js';
import { checkFits, loadInto, readElf } from './elf.js';
import { BadInputError } from './errors.js';
import { describeHart, explainEndlessTrap } from './explain.js';
import type { InputEntry } from './input-log.js';
import { type Board, buildBoard, DEFAULT_RAM_BYTES, RAM_BASE } from './memory-map.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import { Random } from './random.js';
import {
  hashParts,
  hashSnapshot,
  type MachineState,
  packRam,
  type Snapshot,
  SNAPSHOT_VERSION,
  unpackRam,
} from './snapshot.js';
import { type MachineStatistics, statisticsOf } from './statistics.js';
import { SymbolTable } from './symbols.js';
import { watchToHost } from './tohost.js';
import { findVirtioVersion } from './virtio-version.js';
import { buildDevices } from './wiring.js';

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
 * Called before a store (or load) of `bytes` bytes; it may look at everything and change nothing. That happens often, so
 * the address is a plain number, as all physical ones can be.
 */
export type FrameWatcher = (physicalAddress: number, bytes: number, hart: Hart | undefined) => void;

/** Called with the number of a virtual page, and the physical address of the page where it lies. */
export type FetchListener = (page: number, place: bigint) => void;

/** Why `run` returned. */
export type Stop =
  /** The time that was asked for has passed. */
  | { readonly kind: 'budget' }
  /** Every hart waits, and goes on in so many cycles (Infinity: only when something comes from outside). */
  | { readonly kind: 'idle'; readonly cycles: number }
  /** The guest ended the run, through the finisher or through tohost. */
  | { readonly kind: 'finished'; readonly code: number; readonly message?: string }
  /** The guest asked for a reset. */
  | { readonly kind: 'reset' }
  /** A step limit was reached, or somebody called `pause`; `run` goes on from there. The message is why, if the guest got stuck. */
  | { readonly kind: 'paused'; readonly message?: string }
  /** The guest can never get on; the message says what it did. */
  | { readonly kind: 'stuck'; readonly message: string };

/** One slice for every hart, in turn. */
export interface Round {
  /** The cycle at which each slice ends. */
  readonly until: number;
  /** The hart whose slice is the first. */
  readonly first: number;
  /** Slices that are over. */
  turn: number;
}

/** How many steps (see Hart.steps) a hart may have made at most in a turn of a round; `run` pauses when it has. */
export type StepLimit = (hart: Hart, turn: number) => number;

const unlimited: StepLimit = () => Infinity;

/**
 * A moment in a run, in the order of its fields: cycles completed by all harts, then, in the middle of a round, the turn
 * (otherwise -1) and the steps that the hart whose turn it is has made (otherwise 0).
 */
export interface Moment {
  readonly completed: number;
  readonly turn: number;
  readonly steps: number;
}

/** A hart runs so many cycles before the next one's turn, and up to as many again. */
const SLICE_CYCLES = 2500;
/** The same while it is the only one that does not wait: there is nobody to take turns with. */
const SLICE_CYCLES_ALONE = 30_000;

/**
 * What a device moves takes time on the hart that asked for it, little enough that a disk answers at once, and enough
 * that a guest which asks for more and more does not stop virtual time.
 */
const DMA_BYTES_PER_CYCLE = 64;

const NO_TAIL_CALLS =
  "this host's WebAssembly has no tail calls, so everything is interpreted, which is slow; Node.js 20 and newer have them";

/** A whole computer with a kernel in its memory; see `run`. */
export class Machine {
  readonly board: Board;
  readonly symbols: SymbolTable;
  readonly harts: readonly Hart[];
  /** Hears of everything that is typed. */
  onInput: ((entry: InputEntry) => void) | undefined;
  /** Hears of every disk request that was served, and of the hart that asked for it. */
  onDiskRequest: ((request: DiskRequest, hart: Hart | undefined) => void) | undefined;
  private readonly state: State;
  private readonly frames: Frames;
  private readonly clock: VirtualClock;
  private readonly dma: RamDma;
  private readonly devices: readonly Device[];
  private readonly uart: Uart16550;
  private readonly jit: Jit | undefined;
  private readonly random: Random;
  private readonly afterWatchedStore: () => void;
  private readonly fetchListeners = new Set<FetchListener>();
  /** The hart that executes just now; undefined between slices. */
  private running: Hart | undefined;
  /** Cycles that all harts have completed. */
  private completed = 0;
  /** The round that the harts are in the middle of, while the run is paused in it. */
  private round: Round | undefined;
  private pausing = false;
  private held: readonly Hart[] = [];
  private strict: StrictMode<unknown> | undefined;
  /** Instructions executed, and interrupts taken, since the machine was made or loaded. */
  private instructions = 0;
  private ended: Stop | undefined;

  /** Builds the board and loads the kernel. Throws BadInputError for a kernel or a size that cannot be used. */
  constructor(private readonly options: MachineOptions) {
    const { kernel, disk, harts = 1, memoryBytes = DEFAULT_RAM_BYTES, seed = 0 } = options;
    this.board = buildBoard(harts, memoryBytes);
    const image = readElf(kernel);
    checkFits(image, RAM_BASE, memoryBytes);
    this.symbols = new SymbolTable(image.symbols);
    this.random = new Random(seed);

    this.state = allocate(memoryBytes);
    this.frames = new Frames(this.state);
    this.frames.onChange = () => this.running?.leave();
    this.clock = new VirtualClock(
      () => this.cycles,
      () => this.harts.forEach((hart) => hart.updateTimers()),
    );
    const bus = new BoardBus(this.board.map);
    this.harts = Array.from(
      { length: harts },
      (_, index) => new Hart(index, this.state, this.frames, bus, this.clock),
    );
    this.jit = this.buildTranslator();
    this.dma = new RamDma(this.state, this.frames, (bytes) =>
      this.running?.stall(Math.floor(bytes / DMA_BYTES_PER_CYCLE)),
    );
    const { devices, uart } = buildDevices({
      harts: this.harts,
      clock: this.clock,
      memory: this.dma,
      output: options.output ?? (() => {}),
      disk,
      warn: options.warn ?? (() => {}),
      virtioVersion: () => this.virtioVersion(),
      onDiskRequest: (request) => this.onDiskRequest?.(request, this.running),
      onFinish: (code) => this.end({ kind: 'finished', code }),
      onReset: () => this.end({ kind: 'reset' }),
    });
    this.devices = devices;
    this.uart = uart;
    devices.forEach((device) => bus.attach(device));
    this.afterWatchedStore = watchToHost(this.symbols, this.state, this.frames, {
      onFinish: (stop) => this.end(stop),
      onStore: () => this.running?.stop(),
      onByte: options.output ?? (() => {}),
    });

    loadInto(image, this.state.ram, RAM_BASE);
    const treeAddress = this.placeDeviceTree();
    this.harts.forEach((hart) => hart.reset(image.entry, treeAddress));
  }

  /** Virtual time since reset: cycles of one hart, whether it works or waits. */
  get cycles(): number {
    return this.running?.cycles ?? this.completed;
  }

  /**
   * Instructions that all harts have executed since reset, whether they retired or trapped; an interrupt taken counts as
   * one. Idle time does not count, so of two things that happen the later one has the higher count, on whichever hart.
   */
  get instructionCount(): number {
    let count = 0;
    for (const hart of this.harts) count += hart.steps;
    return count;
  }

  /** Types at the guest's serial port. Nothing is lost, however long the guest takes to read it. */
  type(input: string | Uint8Array): void {
    const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input;
    this.onInput?.({ at: this.cycles, instructions: this.instructionCount, bytes: new Uint8Array(bytes) });
    this.uart.receive(bytes);
  }

  /** Bytes typed that the guest has not read yet. */
  get pendingInput(): number {
    return this.uart.pendingInput;
  }

  /**
   * Runs for so many cycles of virtual time, or a little longer: until the slices that have begun are over, so that
   * a run does not depend on the portions it is made in. Idle time is skipped over, or, with `return`, ends the run.
   * Neither does it depend on where it was paused.
   */
  run(cycles: number, idle: 'skip' | 'return' = 'skip', limit = unlimited): Stop {
    const until = this.completed + cycles;
    this.pausing = false;
    while (this.ended === undefined && this.completed < until) {
      const next = this.nextEvent();
      if (next <= this.completed) this.runRound(limit);
      else if (idle === 'return') return { kind: 'idle', cycles: next - this.completed };
      else if (next === Infinity && this.pendingInput === 0) return { kind: 'idle', cycles: Infinity };
      else this.passIdle(Math.min(next, until) - this.completed);
      if (this.pausing) return { kind: 'paused' };
    }
    return this.ended ?? { kind: 'budget' };
  }

  /** Lets time pass in which no hart executes anything; to be called only while all are idle. */
  passIdle(cycles: number): void {
    this.completed += cycles;
    this.harts.forEach((hart) => hart.idleUntil(this.completed));
  }

  /** Makes `run` return after the instruction being executed, or before it where a probe holds the hart. */
  pause(): void {
    this.pausing = true;
    this.running?.stop();
  }

  /** Harts that are held: their time passes, and they execute nothing. */
  get heldHarts(): readonly Hart[] {
    return this.held;
  }

  /** Holds these harts and lets all others go on. What is held is part of the machine's state. */
  hold(harts: readonly Hart[]): void {
    this.held = [...harts];
  }

  /** Where the run is. */
  get moment(): Moment {
    const { completed, round } = this;
    if (round === undefined) return { completed, turn: -1, steps: 0 };
    return { completed, turn: round.turn, steps: this.hartOf(round).steps };
  }

  /** Runs to a moment that lies ahead and that the run comes to. Needs the same input as when it was noted. */
  runTo(moment: Moment): void {
    while (this.ended === undefined && this.completed < moment.completed) {
      const stop = this.run(moment.completed - this.completed);
      if (stop.kind === 'idle') this.passIdle(moment.completed - this.completed);
    }
    if (moment.turn < 0) return;
    this.run(1, 'return', (_, turn) => (turn === moment.turn ? moment.steps : Infinity));
  }

  /** When something happens next: now, unless every hart waits. */
  private nextEvent(): number {
    if (this.round !== undefined) return this.completed;
    let next = Infinity;
    for (const hart of this.harts) {
      if (this.held.includes(hart)) continue;
      hart.lookForSpin();
      next = Math.min(next, hart.isIdle ? hart.wakeUp : this.completed);
    }
    return next;
  }

  /** Begins a round of slices, in an order and of a length that the seed decides. */
  private beginRound(): Round {
    const { harts } = this;
    const cycles = this.sliceCycles();
    const until = this.completed + cycles + this.random.below(cycles);
    const round = { until, first: this.random.below(harts.length), turn: 0 };
    this.hartOf(round).beginSlice();
    return round;
  }

  private sliceCycles(): number {
    const busy = this.harts.filter((hart) => !hart.isIdle);
    return busy.length === 1 ? SLICE_CYCLES_ALONE : SLICE_CYCLES;
  }

  /** The hart whose turn it is. */
  private hartOf({ first, turn }: Round): Hart {
    return this.harts[(first + turn) % this.harts.length];
  }

  /** Runs every hart for one slice, or what is left of a round that was paused. */
  private runRound(limit: StepLimit): void {
    const round = (this.round ??= this.beginRound());
    for (;;) {
      const hart = this.hartOf(round);
      if (this.held.includes(hart)) hart.idleUntil(round.until);
      else this.runSlice(hart, round.until, limit(hart, round.turn));
      if (this.pausing || this.ended !== undefined) return;
      if (round.turn + 1 === this.harts.length) break;
      round.turn++;
      this.hartOf(round).beginSlice();
    }
    this.completed = round.until;
    this.round = undefined;
  }

  private runSlice(hart: Hart, until: number, limit: number): void {
    this.running = hart;
    while (hart.cycles < until && this.ended === undefined && !this.pausing) {
      const before = hart.steps;
      hart.run(until, limit);
      this.instructions += hart.steps - before;
      if (hart.steps >= limit) this.pausing = true;
      this.afterWatchedStore();
      if (hart.stuck) {
        this.end({ kind: 'stuck', message: explainEndlessTrap(hart, hart.stuck, this.symbols) });
      }
    }
    this.running = undefined;
  }

  private end(stop: Stop): void {
    this.ended ??= stop;
    this.running?.stop();
  }

  /** The bytes at a physical address, or undefined where they are not all in RAM. A view: it changes as the guest runs. */
  readMemory(physicalAddress: bigint, length: number): Uint8Array | undefined {
    const offset = Number(physicalAddress) - RAM_BASE;
    if (offset < 0 || offset + length > this.state.ramBytes) return undefined;
    return this.state.ram.subarray(offset, offset + length);
  }

  /** Stores bytes as a device would. False, and nothing stored, where they are not all in RAM. */
  writeMemory(physicalAddress: bigint, bytes: Uint8Array): boolean {
    return this.dma.write(physicalAddress, bytes);
  }

  /** Has someone watch every hart. Watching each instruction makes the machine slower, never different. */
  observe(observer: Observer): void {
    this.harts.forEach((hart) => (hart.observer = observer));
  }

  /** Has `listener` told of each exception that a hart takes in supervisor mode: pc is where. There is one at most. */
  listenToKernelExceptions(listener: (hart: Hart, cause: bigint, value: bigint) => void): void {
    this.harts.forEach((hart) => (hart.onKernelException = listener));
  }

  /**
   * Has `probe` called before the instruction at a physical address is executed. Nothing else gets slower.
   * Throws RangeError outside RAM.
   */
  setProbe(physicalAddress: bigint, probe: Probe): void {
    this.frames.setProbe(this.ramOffset(physicalAddress), probe);
  }

  clearProbe(physicalAddress: bigint): void {
    this.frames.clearProbe(this.ramOffset(physicalAddress));
  }

  /**
   * Has `listener` told of each virtual page that a hart executes, by its number, and of the physical address where it
   * lies, now and when that may have changed. Returns what ends it.
   */
  listenToFetches(listener: FetchListener): () => void {
    const { frames, fetchListeners } = this;
    fetchListeners.add(listener);
    frames.onFetch = (page, frame) => {
      for (const each of fetchListeners) each(page, BigInt(RAM_BASE + frame * PAGE_BYTES));
    };
    frames.tlb.flush();
    return () => {
      fetchListeners.delete(listener);
      if (fetchListeners.size === 0) frames.onFetch = undefined;
    };
  }

  /** Has `listener` asked before each trap of a fetch whether the hart is to stop before it. There is one at most. */
  listenToFetchFaults(listener: (hart: Hart) => boolean): void {
    this.harts.forEach((hart) => (hart.onFetchFault = listener));
  }

  /**
   * Has `watcher` called before each store to the frame at a physical address, by a hart (the one that executes just
   * now, if any) or a device. Only stores to watched frames get slower. Throws RangeError outside RAM.
   */
  watchFrame(physicalAddress: bigint, watcher: FrameWatcher): void {
    this.frames.watch(this.frameAt(physicalAddress), (offset, bytes) =>
      watcher(RAM_BASE + offset, bytes, this.running),
    );
  }

  unwatchFrame(physicalAddress: bigint): void {
    this.frames.unwatch(this.frameAt(physicalAddress));
  }

  /**
   * The same for loads of data, by harts. To be called while no hart executes. Loads from the frame get slower. Throws
   * RangeError outside RAM.
   */
  watchLoads(physicalAddress: bigint, watcher: FrameWatcher): void {
    this.frames.watchLoads(this.frameAt(physicalAddress), (offset, bytes) =>
      watcher(RAM_BASE + offset, bytes, this.running),
    );
  }

  /**
   * The same, at any time and at little cost, for loads through the mapping at that same address, as kernels have it;
   * through others they may go unseen.
   */
  watchLoadsInPlace(physicalAddress: bigint, watcher: FrameWatcher): void {
    this.frames.watchLoads(
      this.frameAt(physicalAddress),
      (offset, bytes) => watcher(RAM_BASE + offset, bytes, this.running),
      Number(BigInt.asIntN(32, physicalAddress)),
    );
  }

  unwatchLoads(physicalAddress: bigint): void {
    this.frames.unwatchLoads(this.frameAt(physicalAddress));
  }

  private frameAt(physicalAddress: bigint): number {
    return Math.floor(this.ramOffset(physicalAddress) / PAGE_BYTES);
  }

  private ramOffset(physicalAddress: bigint): number {
    const offset = Number(physicalAddress) - RAM_BASE;
    if (offset >= 0 && offset < this.state.ramBytes) return offset;
    throw new RangeError(`there is no RAM at 0x${physicalAddress.toString(16)}`);
  }

  /**
   * Has every hart use old translations for as long as hardware may, and tells of each use: see StrictMode. To be
   * called before the machine runs. What the machine does then depends on it, if the guest leaves out a fence.
   */
  beStrict<Store>(observer: StrictObserver<Store>): void {
    const strict = new StrictMode(this.harts, this.frames, RAM_BASE, () => this.running, observer);
    this.harts.forEach((hart) => hart.beStrict(strict));
    this.strict = strict as StrictMode<unknown>;
  }

  /** Where a hart is and what trap it took last, in a few lines. */
  describeHart(index: number): string {
    return describeHart(this.harts[index], this.symbols);
  }

  /** All of the machine's state, as plain data that survives structured cloning. Disk contents: see BlockStore.state. */
  save(): Snapshot {
    const { kernel, harts = 1, memoryBytes = DEFAULT_RAM_BYTES } = this.options;
    const ram = packRam(this.state.ram);
    return { version: SNAPSHOT_VERSION, kernel, harts, memoryBytes, ram, ...this.saveState() };
  }

  /** The same without RAM, and without what never changes. */
  saveState(): MachineState {
    return {
      completed: this.completed,
      round: this.round && { ...this.round },
      random: this.random.save(),
      clock: this.clock.state(),
      hartBlocks: this.harts.map((hart) => hart.saveBlock()),
      devices: this.devices.map((device) => device.state()),
      disk: this.options.disk?.state(),
      ended: this.ended,
      held: this.held.map((hart) => hart.index),
      strict: this.strict?.save(),
    };
  }

  /**
   * A machine that goes on where `save` was called. The host's side (disk, output) is given anew; a disk that keeps
   * its own state takes it back. Throws BadInputError for a snapshot of another version.
   */
  static load(
    snapshot: Snapshot,
    host: Pick<MachineOptions, 'disk' | 'output' | 'warn' | 'virtio'> = {},
  ): Machine {
    if (snapshot.version !== SNAPSHOT_VERSION) {
      throw new BadInputError(`the snapshot has version ${snapshot.version}, this is ${SNAPSHOT_VERSION}`);
    }
    const { kernel, harts, memoryBytes } = snapshot;
    const machine = new Machine({ ...host, kernel, harts, memoryBytes });
    unpackRam(snapshot.ram, machine.state.ram);
    machine.frames.forgetAll();
    machine.restoreState(snapshot);
    return machine;
  }

  /** Takes back what `saveState` returned; RAM is for the caller to bring back, before. */
  restoreState(state: MachineState): void {
    this.completed = state.completed;
    this.round = state.round && { ...state.round };
    this.random.restore(state.random);
    this.clock.restore(state.clock);
    this.devices.forEach((device, index) => device.restore(state.devices[index]));
    if (state.disk !== undefined) this.options.disk?.restore(state.disk);
    this.harts.forEach((hart, index) => hart.loadBlock(state.hartBlocks[index]));
    this.ended = state.ended;
    this.held = state.held.map((index) => this.harts[index]);
    if (state.strict !== undefined) this.strict?.restore(state.strict as StrictState<unknown>);
  }

  /**
   * The frames of RAM stored to since the last call, by their numbers from RAM's beginning; the first call names all. Makes the
   * next store to each frame slower. To be called while no hart executes.
   */
  takeStoredFrames(): number[] {
    return this.frames.takeStored();
  }

  statistics(): MachineStatistics {
    return statisticsOf(this.harts, this.instructions, this.jit);
  }

  /** A number that two machines share when all of their state is the same. */
  hash(): string {
    return hashSnapshot(this.save());
  }

  /** The same for each part of the machine, by name, to tell which parts differ. */
  fingerprint(): Map<string, string> {
    const names = this.devices.map((device) => device.name);
    return hashParts(this.save(), names, RAM_BASE);
  }

  private virtioVersion(): 1 | 2 {
    const { virtio = 'auto' } = this.options;
    if (virtio !== 'auto') return virtio === 'legacy' ? 1 : 2;
    if (this.running === undefined) return 2;
    return findVirtioVersion(this.running, this.clock);
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

  /** Puts the device tree at the end of RAM, aligned to eight bytes; returns its physical address. */
  private placeDeviceTree(): bigint {
    const tree = buildDeviceTree(this.board);
    const end = this.state.ramBytes - tree.length;
    const offset = end - (end % 8);
    this.state.ram.set(tree, offset);
    return BigInt(RAM_BASE + offset);
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
