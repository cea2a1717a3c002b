/** Stores to free frames and loads from them: nobody's but the allocator's. */
import type { FrameWatcher } from '../machine/watching.js';
import type { Checks } from './checks.js';
import type { FrameRules } from './frame-rules.js';
import { hex } from './model/errors.js';
import { roundDown } from './model/memory.js';
import type { Role } from './probes.js';

/** In these, a store to a free frame is the allocator's own. */
const ALLOCATOR: readonly Role[] = ['kalloc', 'kfree', 'freeRange', 'allocatorInit'];

/** These may read a free frame all over. */
const READERS: readonly Role[] = [...ALLOCATOR, 'checkFreeList'];

/** The first bytes of a free frame link it to others: whoever counts free frames reads them. */
const LINK_BYTES = 16;

export class FreeAccessRules {
  constructor(
    private readonly checks: Checks,
    private readonly frames: FrameRules,
  ) {}

  /** To be called when a frame has become free. */
  watch(frame: number): void {
    const { machine } = this.checks.guest;
    machine.watchFrame(frame, this.beforeStore);
    machine.watchLoadsInPlace(frame, this.beforeLoad);
  }

  unwatch(frame: number): void {
    const { machine } = this.checks.guest;
    machine.unwatchFrame(frame);
    machine.unwatchLoads(frame);
  }

  private readonly beforeStore: FrameWatcher = (address, bytes, hart) => {
    const { guest, probes, reporter } = this.checks;
    const frame = roundDown(address);
    // Where kalloc fills the frame, many more stores follow.
    this.unwatch(frame);
    const call = hart && probes.current(hart);
    if (call && ALLOCATOR.includes(call.role)) return;
    const who = hart ?? guest.machine.harts[0];
    const by = hart ? '' : ' by a device';
    const message = `a store${by} of ${bytes} bytes to ${hex(address)}, in a frame that is free`;
    const evidence = { physicalAddress: address, history: this.frames.history(frame) };
    reporter.report('write-after-free', who, false, message, evidence);
  };

  /** Whether by a mistake or not, a load is told of once for each time that the frame is freed. */
  private readonly beforeLoad: FrameWatcher = (address, bytes, hart) => {
    const { guest, probes, reporter } = this.checks;
    const frame = roundDown(address);
    if (hart === undefined || address - frame < LINK_BYTES) return;
    guest.machine.unwatchLoads(frame);
    const call = probes.current(hart);
    if (call && READERS.includes(call.role)) return;
    const value = hex(guest.read(address - (address % 8), 8)!);
    const message =
      `a load of ${bytes} bytes from ${hex(address)}, ${address - frame} bytes into a frame that is free; ` +
      `there is ${value}`;
    const evidence = { physicalAddress: address, history: this.frames.history(frame) };
    reporter.report('read-after-free', hart, false, message, evidence);
  };
}
