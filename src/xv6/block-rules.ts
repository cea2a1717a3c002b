/** kmalloc and kmfree, where a kernel has them. */
import type { Hart } from '../rv64/hart.js';
import type { Checks } from './checks.js';
import type { FrameRules } from './frame-rules.js';
import { Guard } from './guard.js';
import { type Block, Blocks, LARGEST_BLOCK } from './model/blocks.js';
import { hex } from './model/errors.js';
import { roundDown } from './model/memory.js';
import type { Call } from './probes.js';

export class BlockRules {
  private readonly blocks = new Blocks();
  private readonly guard = new Guard();
  /** Frames with blocks in them. */
  private readonly watched = new Set<number>();

  constructor(
    private readonly checks: Checks,
    private readonly frames: FrameRules,
  ) {
    const { probes } = checks;
    const [allocates, frees] = [probes.has('kmalloc'), probes.has('kmfree')];
    if (allocates !== frees)
      checks.notChecked(`kernel blocks: this kernel has no function ${allocates ? 'kmfree' : 'kmalloc'}`);
    if (!allocates || !frees) return;
    probes.on('kmalloc', {
      enter: (call, hart) => {
        this.begin(call, hart);
        this.beforeKmalloc(call, hart);
      },
      leave: (call, hart, result) => {
        checks.locks.endTelling();
        this.afterKmalloc(call, hart, result);
        if (result !== 0) this.checkLock(call, hart);
      },
    });
    probes.on('kmfree', {
      enter: (call, hart) => {
        this.begin(call, hart);
        this.beforeKmfree(call, hart);
      },
      leave: (call, hart) => {
        checks.locks.endTelling();
        if (call.arguments[0] !== 0) this.checkLock(call, hart);
      },
    });
    checks.locks.listen((lock, hart) => this.noteLocks(lock, hart));
    probes.on('kfree', { enter: (call) => this.forgetFrame(call.arguments[0]) });
    probes.on('panic', { enter: (call, hart) => this.beforePanic(call, hart) });
  }

  private begin(call: Call, hart: Hart): void {
    const { locks } = this.checks;
    locks.beginTelling();
    call.note = locks.of(hart).map(({ lock }) => lock);
  }

  private noteLocks(lock: number, hart: Hart): void {
    const call = this.checks.probes.current(hart);
    if (call?.role !== 'kmalloc' && call?.role !== 'kmfree') return;
    this.checks.locks.addTo(call.note as number[], hart, lock);
  }

  private checkLock(call: Call, hart: Hart): void {
    const { reporter, locks } = this.checks;
    const names = (call.note as number[]).map((lock) => locks.nameOf(lock));
    const guard = this.guard.missingAt(call.role, names);
    if (guard === undefined) return;
    const message = `${call.role} changes its list of blocks without "${guard}", which is held elsewhere`;
    reporter.reportReturn('free-list-unlocked', hart, call, message, { sameAs: call.role });
  }

  private beforeKmalloc(call: Call, hart: Hart): void {
    const [bytes] = call.arguments;
    if (bytes <= LARGEST_BLOCK) return;
    const message = `kmalloc of ${bytes} bytes, more than the ${LARGEST_BLOCK} that a block can have`;
    this.checks.reporter.report('kmalloc-too-large', hart, true, message);
  }

  private afterKmalloc(call: Call, hart: Hart, start: number): void {
    if (start === 0) return;
    const { reporter } = this.checks;
    const block = { start, bytes: Math.max(call.arguments[0], 1) };
    const other = this.blocks.overlapping(block);
    if (other) {
      const message = `kmalloc of ${block.bytes} bytes returned ${hex(start)}, inside or over the ${other.bytes} at ${hex(other.start)}`;
      reporter.reportReturn('kmalloc-overlap', hart, call, message, { physicalAddress: start });
    }
    const frame = roundDown(start);
    if (this.frames.isFree(frame)) {
      const message = `kmalloc returned ${hex(start)}, in a frame that is free`;
      reporter.reportReturn('kmalloc-overlap', hart, call, message, {
        physicalAddress: start,
        history: this.frames.history(frame),
      });
    }
    this.blocks.put(block);
    this.watch(frame);
  }

  /** Blocks have the allocator's own words between them: it must not store to any inside one. */
  private watch(frame: number): void {
    const { guest } = this.checks;
    if (this.watched.has(frame) || !this.frames.isAllocated(frame)) return;
    this.watched.add(frame);
    guest.machine.watchFrame(frame, (address, bytes, hart) => {
      if (hart) this.beforeStore({ start: address, bytes }, hart);
    });
  }

  private beforeStore(store: Block, hart: Hart): void {
    const { probes, reporter } = this.checks;
    const role = probes.current(hart)?.role;
    if (role !== 'kmalloc' && role !== 'kmfree') return;
    const block = this.blocks.overlapping(store);
    if (block === undefined) return;
    const message = `${role} stores to ${hex(store.start)}, inside the ${block.bytes} bytes that it gave at ${hex(block.start)}`;
    reporter.report('kmalloc-overlap', hart, false, message, { physicalAddress: store.start });
  }

  private forgetFrame(frame: number): void {
    if (this.watched.delete(frame)) this.checks.guest.machine.unwatchFrame(frame);
    this.blocks.forgetFrame(frame);
  }

  private beforeKmfree(call: Call, hart: Hart): void {
    const [start] = call.arguments;
    if (start === 0) return; // nothing to free in some kernels, an error in others: see beforePanic
    if (this.blocks.get(start)) {
      this.blocks.free(start);
      return;
    }
    const twice = this.blocks.wasFreed(start);
    const why = twice ? 'which was freed already' : 'which kmalloc never gave';
    const rule = twice ? 'kmfree-twice' : 'kmfree-stranger';
    this.checks.reporter.report(rule, hart, true, `kmfree of ${hex(start)}, ${why}`, {
      physicalAddress: start,
    });
  }

  private beforePanic(call: Call, hart: Hart): void {
    for (let each = call.caller; each !== undefined; each = each.caller) {
      if (each.role !== 'kmfree' || each.arguments[0] !== 0) continue;
      this.checks.reporter.report(
        'kmfree-stranger',
        hart,
        true,
        'kmfree of 0, which this kernel does not take',
      );
    }
  }
}
