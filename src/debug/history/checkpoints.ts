/**
 * Checkpoints of a machine: states that it can be brought back to. Each keeps the frames that were stored to since the one
 * before, so RAM at a checkpoint is, for each frame, the latest copy in it or before it. The memory for them is bounded:
 * the further back, the fewer are kept.
 */
import type { Machine, Moment } from '../../machine/machine.js';
import { RAM_BASE } from '../../machine/memory-map.js';
import type { MachineState } from '../../machine/snapshot.js';
import { PAGE_BYTES } from '../../sv39/pte.js';
import { contentOf, copyFrame, type FrameCopy, isSame, sizeOf, ZEROS } from './frame-copy.js';

/** How far the host's side of the run was. */
export interface HostState {
  /** Bytes that the guest had transmitted. */
  readonly transmitted: number;
  /** Entries of the input log that it had been handed. */
  readonly inputTaken: number;
}

export interface Checkpoint {
  readonly moment: Moment;
  /** The steps that each hart had made. */
  readonly steps: readonly number[];
  readonly host: HostState;
  /** The run before does not lead here: somebody changed the machine by hand. */
  readonly isByHand: boolean;
  readonly state: MachineState;
  /** By number. */
  readonly frames: Map<number, FrameCopy>;
}

/** More of them would help nobody, and each is looked through when RAM is brought back. */
const MOST_CHECKPOINTS = 120;

/** Negative when `a` is the earlier moment. */
export const compareMoments = (a: Moment, b: Moment): number =>
  a.completed - b.completed || a.turn - b.turn || a.steps - b.steps;

export class Checkpoints {
  private list: Checkpoint[] = [];
  /** The one that RAM is as at, apart from the frames stored to since. */
  private base: Checkpoint | undefined;
  /** What the copies of frames take. */
  bytes = 0;

  /** `budgetBytes` is how much memory the copies of frames may take. */
  constructor(
    private readonly machine: Machine,
    private readonly budgetBytes: number,
  ) {}

  get all(): readonly Checkpoint[] {
    return this.list;
  }

  get last(): Checkpoint | undefined {
    return this.list.at(-1);
  }

  /** Adds one of the machine as it is, which is later than all others. */
  take(host: HostState, isByHand: boolean): void {
    const { machine } = this;
    const frames = new Map<number, FrameCopy>();
    for (const frame of machine.takeStoredFrames()) frames.set(frame, copyFrame(this.pageAt(frame)));
    const steps = machine.harts.map((hart) => hart.steps);
    const state = machine.saveState();
    this.base = { moment: machine.moment, steps, host, isByHand, state, frames };
    this.list.push(this.base);
    this.bytes += sizeOfAll(frames);
    while (this.list.length > 2 && (this.bytes > this.budgetBytes || this.list.length > MOST_CHECKPOINTS)) {
      this.thinOut();
    }
  }

  /** Brings the machine back. */
  restore(checkpoint: Checkpoint): void {
    const target = this.list.indexOf(checkpoint);
    const base = this.list.indexOf(this.base!);
    const changed = new Set(this.machine.takeStoredFrames());
    for (let i = Math.min(base, target) + 1; i <= Math.max(base, target); i++) {
      for (const frame of this.list[i].frames.keys()) changed.add(frame);
    }
    for (const frame of changed) {
      const copy = this.copyOf(frame, target);
      // What stays the same keeps what was derived from it, such as translated code.
      if (isSame(copy, this.pageAt(frame))) continue;
      this.machine.writeMemory(BigInt(RAM_BASE + frame * PAGE_BYTES), contentOf(copy));
    }
    this.machine.restoreState(checkpoint.state);
    this.machine.takeStoredFrames();
    this.base = checkpoint;
  }

  /** Forgets those later than a moment, which is not before the machine's own base. */
  forgetAfter(moment: Moment): void {
    while (compareMoments(this.last!.moment, moment) > 0) {
      this.bytes -= sizeOfAll(this.list.pop()!.frames);
    }
  }

  /** The frame as it was at a checkpoint. */
  private copyOf(frame: number, index: number): FrameCopy {
    for (let i = index; i >= 0; i--) {
      const copy = this.list[i].frames.get(frame);
      if (copy !== undefined) return copy;
    }
    return ZEROS;
  }

  private pageAt(frame: number): Uint8Array {
    return this.machine.readMemory(BigInt(RAM_BASE + frame * PAGE_BYTES), PAGE_BYTES)!;
  }

  /**
   * Gives up the checkpoint whose neighbours are closest together for how long ago it was; the first one only when all
   * others cannot be done without.
   */
  private thinOut(): void {
    const { list } = this;
    const now = list.at(-1)!.moment.completed;
    let victim = 0;
    let least = Infinity;
    for (let i = 1; i < list.length - 1; i++) {
      if (list[i].isByHand) continue;
      const gap = list[i + 1].moment.completed - list[i - 1].moment.completed;
      const worth = gap / (1 + now - list[i].moment.completed);
      if (worth < least) [least, victim] = [worth, i];
    }
    this.bytes -= mergeInto(list[victim].frames, list[victim + 1].frames);
    list.splice(victim, 1);
  }
}

/** Moves the copies that the later checkpoint has none of its own for; returns the size of the others. */
function mergeInto(earlier: Map<number, FrameCopy>, later: Map<number, FrameCopy>): number {
  let dropped = 0;
  for (const [frame, copy] of earlier) {
    if (later.has(frame)) dropped += sizeOf(copy);
    else later.set(frame, copy);
  }
  return dropped;
}

function sizeOfAll(frames: ReadonlyMap<number, FrameCopy>): number {
  let bytes = 0;
  for (const copy of frames.values()) bytes += sizeOf(copy);
  return bytes;
}
