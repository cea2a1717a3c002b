/**
 * The machine: harts, RAM and devices of the `virt` board, run in slices by a seeded scheduler on virtual time.
 * Same kernel, disk, input and seed: the same run, to the bit, on every host. What it is made of, and how it is looked at,
 * stands below it, a class each: Parts and Watching.
 */
import type { Device } from '../devices/device.js';
import type { DiskRequest } from '../devices/virtio-blk.js';
import type { Uart16550 } from '../devices/uart16550.js';
import type { Hart } from '../rv64/hart.js';
import type { KeptRegions } from '../rv64/jit/kept.js';
import type { StrictState } from '../rv64/strict-mode.js';
import { buildDeviceTree } from './devicetree.js';
import { BadInputError } from './errors.js';
import { explainEndlessTrap } from './explain.js';
import type { InputEntry } from './input-log.js';
import { DEFAULT_RAM_BYTES, RAM_BASE } from './memory-map.js';
import type { MachineOptions } from './parts.js';
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
import type { Stop } from './stop.js';
import { watchToHost } from './tohost.js';
import { type Round, Turns } from './turns.js';
import { findVirtioVersion } from './virtio-version.js';
import { Watching } from './watching.js';
import { buildDevices } from './wiring.js';

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

/** A whole computer with a kernel in its memory; see `run`. */
export class Machine extends Watching {
  /** Hears of everything that is typed. */
  onInput: ((entry: InputEntry) => void) | undefined;
  /** Hears of every disk request that was served, and of the hart that asked for it. */
  onDiskRequest: ((request: DiskRequest, hart: Hart | undefined) => void) | undefined;
  private readonly devices: readonly Device[];
  private readonly uart: Uart16550;
  private readonly turns: Turns;
  private readonly afterWatchedStore: () => void;
  /** Cycles that all harts have completed. */
  private completed = 0;
  /** The round that the harts are in the middle of, while the run is paused in it. */
  private round: Round | undefined;
  private pausing = false;
  private held: readonly Hart[] = [];
  /** Instructions executed, and interrupts taken, since the machine was made or loaded. */
  private instructions = 0;
  private ended: Stop | undefined;

  /** Builds the board and loads the kernel. Throws BadInputError for a kernel or a size that cannot be used. */
  constructor(options: MachineOptions) {
    super(options);
    this.turns = new Turns(options.seed ?? 0, this.harts);
    const { devices, uart } = buildDevices({
      harts: this.harts,
      clock: this.clock,
      memory: this.dma,
      output: options.output ?? (() => {}),
      disk: options.disk,
      warn: options.warn ?? (() => {}),
      virtioVersion: () => this.virtioVersion(),
      onDiskRequest: (request) => this.onDiskRequest?.(request, this.running),
      onFinish: (code) => this.end({ kind: 'finished', code }),
      onReset: () => this.end({ kind: 'reset' }),
    });
    this.devices = devices;
    this.uart = uart;
    devices.forEach((device) => this.bus.attach(device));
    this.afterWatchedStore = watchToHost(this.symbols, this.state, this.frames, {
      onFinish: (stop) => this.end(stop),
      onStore: () => this.running?.stop(),
      onByte: options.output ?? (() => {}),
    });

    const treeAddress = this.placeDeviceTree();
    this.harts.forEach((hart) => hart.reset(this.entry, treeAddress));
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

  private beginRound(): Round {
    const round = this.turns.next(this.completed);
    this.hartOf(round).beginSlice();
    return round;
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

  /** All of the machine's state, as plain data that survives structured cloning. Disk contents: see BlockStore.state. */
  save(): Snapshot {
    const { kernel, harts = 1, memoryBytes = DEFAULT_RAM_BYTES } = this.options;
    const ram = packRam(this.state.ram, (page) => this.frames.firstFills.contentOf(page));
    return { version: SNAPSHOT_VERSION, kernel, harts, memoryBytes, ram, ...this.saveState() };
  }

  /** The same without RAM, and without what never changes. */
  saveState(): MachineState {
    return {
      completed: this.completed,
      round: this.round && { ...this.round },
      turns: this.turns.state(),
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
    this.turns.restore(state.turns);
    this.clock.restore(state.clock);
    this.devices.forEach((device, index) => device.restore(state.devices[index]));
    if (state.disk !== undefined) this.options.disk?.restore(state.disk);
    this.harts.forEach((hart, index) => hart.loadBlock(state.hartBlocks[index]));
    this.ended = state.ended;
    this.held = state.held.map((index) => this.harts[index]);
    if (state.strict !== undefined) this.strict?.restore(state.strict as StrictState<unknown>);
  }

  /** What was translated here, for another machine with as much RAM (see JitOptions.kept); undefined where that is nothing new. */
  keptCode(): KeptRegions | undefined {
    return this.jit?.kept();
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

  /** Puts the device tree at the end of RAM, aligned to eight bytes; returns its physical address. */
  private placeDeviceTree(): bigint {
    const tree = buildDeviceTree(this.board);
    const end = this.state.ramBytes - tree.length;
    const offset = end - (end % 8);
    this.frames.firstFills.settleRange(offset, tree.length);
    this.state.ram.set(tree, offset);
    return BigInt(RAM_BASE + offset);
  }
}
