/** Looking at a machine while it runs: at its instructions, its frames, its traps. None of it changes what the guest does. */
import type { Probe } from '../rv64/code-page.js';
import type { EmitProbe } from '../rv64/emitter.js';
import type { AccessWatcher } from '../rv64/frames.js';
import type { Hart, Observer } from '../rv64/hart.js';
import { NOTES_START, RAM_START } from '../rv64/state.js';
import { StrictMode, type StrictObserver } from '../rv64/strict-mode.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import { describeHart } from './explain.js';
import { RAM_BASE } from './memory-map.js';
import { Parts } from './parts.js';

/**
 * Called before a store (or load) of `bytes` bytes; it may look at everything and change nothing. That happens often, so
 * the address is a plain number, as all physical ones can be.
 */
export type FrameWatcher = (physicalAddress: number, bytes: number, hart: Hart | undefined) => void;

/** Called with the number of a virtual page, and the physical address of the page where it lies. */
export type FetchListener = (page: number, place: bigint) => void;

export abstract class Watching extends Parts {
  protected strict: StrictMode<unknown> | undefined;
  /** What Frames calls for each watcher. A checker gives the same ones again and again. */
  private readonly accessWatchers = new WeakMap<FrameWatcher, AccessWatcher>();
  private readonly fetchListeners = new Set<FetchListener>();

  /** Has someone watch every hart. Watching each instruction makes the machine slower, never different. */
  observe(observer: Observer): void {
    this.harts.forEach((hart) => (hart.observer = observer));
  }

  /** Has `listener` told of each exception that a hart takes in supervisor mode: pc is where. There is one at most. */
  listenToKernelExceptions(listener: (hart: Hart, cause: bigint, value: bigint) => void): void {
    this.harts.forEach((hart) => (hart.onKernelException = listener));
  }

  /** The same for exceptions in user mode, without system calls. */
  listenToUserExceptions(listener: (hart: Hart, cause: bigint, value: bigint) => void): void {
    this.harts.forEach((hart) => (hart.onUserException = listener));
  }

  /**
   * Has `probe` called before the instruction at a physical address is executed, though not when a spare hart tries out
   * what another would do. Nothing else gets slower. With `emit`, translated code does in its place what that says. Throws
   * RangeError outside RAM.
   */
  setProbe(physicalAddress: bigint, probe: Probe, emit?: EmitProbe): void {
    const ofOurs: Probe = (hart) => (hart.index < this.harts.length ? probe(hart) : undefined);
    this.frames.setProbe(this.ramOffset(physicalAddress), ofOurs, emit);
  }

  /** Where probes keep account: the words that ProbeEmitter's notes are. */
  get notes(): Int32Array {
    return this.state.words.subarray(NOTES_START / 4, RAM_START / 4);
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
  watchFrame(physicalAddress: number | bigint, watcher: FrameWatcher): void {
    this.frames.watch(this.frameAt(physicalAddress), this.accessWatcher(watcher));
  }

  unwatchFrame(physicalAddress: number | bigint): void {
    this.frames.unwatch(this.frameAt(physicalAddress));
  }

  /**
   * The same for loads of data, by harts. To be called while no hart executes. Loads from the frame get slower. Throws
   * RangeError outside RAM.
   */
  watchLoads(physicalAddress: number | bigint, watcher: FrameWatcher): void {
    this.frames.watchLoads(this.frameAt(physicalAddress), this.accessWatcher(watcher));
  }

  /**
   * The same, at any time and at little cost, for loads through the mapping at that same address, as kernels have it;
   * through others they may go unseen.
   */
  watchLoadsInPlace(physicalAddress: number | bigint, watcher: FrameWatcher): void {
    const low = Number(physicalAddress) | 0;
    this.frames.watchLoads(this.frameAt(physicalAddress), this.accessWatcher(watcher), low);
  }

  unwatchLoads(physicalAddress: number | bigint): void {
    this.frames.unwatchLoads(this.frameAt(physicalAddress));
  }

  private accessWatcher(watcher: FrameWatcher): AccessWatcher {
    let known = this.accessWatchers.get(watcher);
    if (known === undefined) {
      known = (offset, bytes) => watcher(RAM_BASE + offset, bytes, this.running);
      this.accessWatchers.set(watcher, known);
    }
    return known;
  }

  private frameAt(physicalAddress: number | bigint): number {
    return Math.floor(this.ramOffset(physicalAddress) / PAGE_BYTES);
  }

  private ramOffset(physicalAddress: number | bigint): number {
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

  /**
   * The frames of RAM stored to since the last call, by their numbers from RAM's beginning; the first call names all. Makes the
   * next store to each frame slower. To be called while no hart executes.
   */
  takeStoredFrames(): number[] {
    return this.frames.takeStored();
  }
}
