/**
 * Frames: who has each, by the calls of kalloc and kfree, and the free list, by what these leave in memory. While the
 * kernel keeps one list, and keeps it as a stack, the model's stack says which frame comes next; a kernel that does
 * otherwise (lists per CPU, a buddy allocator) is held to the rest.
 */
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import type { Checks } from './checks.js';
import { EventLog } from './event-log.js';
import { callersOf, type Event, type Evidence } from './finding.js';
import { FreeAccessRules } from './free-access-rules.js';
import { FreedMappingRules } from './freed-mapping-rules.js';
import { FreeList } from './free-list.js';
import { FreeListLocks, type ListChange } from './free-list-locks.js';
import { FREE_JUNK } from './model/frames.js';
import { hex } from './model/errors.js';
import { roundDown } from './model/memory.js';
import type { Call } from './probes.js';
import type { RuleId } from './rules.js';

/** What is known of a frame. Until the allocator is first given it, nothing is. */
const enum Frame {
  Unknown,
  Free,
  Allocated,
}

/** To tell whether kfree has filled a frame, one doubleword of so many will do. */
const FREE_FILL_STEP = 8;
/** Eight bytes of junk, as Guest.isFilled compares them. */
const [FREE_FILL] = new Float64Array(new Uint8Array(8).fill(FREE_JUNK).buffer);

/** What a call of kalloc or kfree has done so far, as seen when it releases the allocator's lock. */
interface Progress extends ListChange {
  done: boolean;
  frame: number;
  readonly locks: number[];
  /** Of a call of kalloc, frames that it may have taken already when a call of kfree returned that was given them. */
  readonly mayHave: number[];
}

export class FrameRules {
  private readonly states: Uint8Array;
  private readonly allocated: EventLog;
  private readonly freed: EventLog;
  private readonly list: FreeList;
  private readonly listLocks: FreeListLocks;
  private readonly accesses: FreeAccessRules;
  private readonly mappings: FreedMappingRules;
  private readonly shortened = new WeakMap<readonly number[], readonly number[]>();
  /** By frame, the call of kfree that was given it last, until that returns or kalloc gives the frame out. */
  private readonly beingFreed = new Map<number, Call>();
  /** Calls of kalloc that have not returned. */
  private readonly allocating = new Set<Call>();
  private readonly firstFrame: number;

  constructor(private readonly checks: Checks) {
    const { guest, probes } = checks;
    const count = (guest.ramEnd - guest.ramStart) / PAGE_BYTES;
    this.states = new Uint8Array(count);
    this.allocated = new EventLog(count);
    this.freed = new EventLog(count);
    this.firstFrame = guest.address('end') ?? guest.ramStart;
    this.list = new FreeList(
      guest,
      this.firstFrame,
      (frame) => frame === 0 || this.isFree(frame) || this.beingFreed.has(frame),
      () => checks.notChecked('which frame comes next: this kernel keeps no single stack of free frames'),
    );
    this.listLocks = new FreeListLocks(checks, this.list);
    this.accesses = new FreeAccessRules(checks, this);
    this.mappings = new FreedMappingRules(checks, this);
    // By one of the two alone it would be wrong of every frame who has it.
    if (!probes.has('kalloc') || !probes.has('kfree')) return;
    probes.on('kalloc', {
      enter: (call, hart) => {
        this.begin(call, 0, hart);
        this.allocating.add(call);
      },
      leave: (call, hart, result) => this.afterKalloc(call, hart, result),
    });
    probes.on('kfree', {
      enter: (call, hart) => this.beforeKfree(call, hart),
      leave: (call, hart) => this.afterKfree(call, hart),
    });
    // Listened to so that it is known when they are under way.
    for (const role of ['freeRange', 'allocatorInit', 'checkFreeList'] as const)
      probes.on(role, { leave: () => {} });
    checks.locks.listen((lock, hart) => this.beforeRelease(lock, hart));
  }

  isFree(frame: number): boolean {
    return this.stateOf(frame) === Frame.Free;
  }

  isAllocated(frame: number): boolean {
    return this.stateOf(frame) === Frame.Allocated;
  }

  /** The call that got a frame; undefined for one that is not allocated. */
  allocationOf(frame: number): Event | undefined {
    return this.isAllocated(frame) ? this.allocated.at(this.indexOf(frame)) : undefined;
  }

  /** The frames that the allocator has given out. */
  *allocatedFrames(): Generator<number> {
    for (let index = 0; index < this.states.length; index++) {
      if (this.states[index] === Frame.Allocated) yield this.checks.guest.ramStart + index * PAGE_BYTES;
    }
  }

  /** What is known of a frame's past, for a finding about it. */
  history(frame: number): { what: string; event: Event }[] {
    const index = this.indexOf(frame);
    const events = [
      { what: 'allocated', event: this.allocated.at(index) },
      { what: 'freed', event: this.freed.at(index) },
    ];
    const known = events.filter((each): each is { what: string; event: Event } => each.event !== undefined);
    return known.sort((a, b) => a.event.instruction - b.event.instruction);
  }

  private indexOf(frame: number): number {
    return Math.floor((frame - this.checks.guest.ramStart) / PAGE_BYTES);
  }

  private stateOf(frame: number): Frame {
    return this.states[this.indexOf(frame)] ?? Frame.Unknown;
  }

  private begin(call: Call, frame: number, hart: Hart): void {
    const { locks } = this.checks;
    locks.beginTelling();
    const held = locks.of(hart).map(({ lock }) => lock);
    const heldBefore = held.length;
    call.note = { done: false, frame, locks: held, heldBefore, lost: [], mayHave: [] } satisfies Progress;
  }

  /** The order in which frames come and go is that in which the allocator's lock is held. */
  private beforeRelease(lock: number, hart: Hart): void {
    const { probes, locks } = this.checks;
    const caller = probes.current(hart);
    if (caller?.role !== 'kalloc' && caller?.role !== 'kfree') return;
    const progress = caller.note as Progress;
    locks.addTo(progress.locks, hart, lock);
    if (progress.done) return;
    // Before the lock goes, the list that it guards is as this call leaves it.
    this.list.noteFirsts(progress.lost);
    if (caller.role === 'kfree') {
      if (this.list.beginsWith(progress.frame)) this.takeBack(caller, hart, true);
    } else if (this.list.isGuardedBy(lock)) this.foresee(progress, hart);
  }

  // ---- kalloc -------------------------------------------------------------------------------------------

  /** Follows the guest's list where it has lost its first frame; checks what that brought to the front. */
  private foresee(progress: Progress, hart: Hart): void {
    const frame = this.list.popIfTaken();
    if (frame === 0) return;
    progress.frame = frame;
    progress.done = true;
    this.unwatch(frame);
    const found = this.list.findBreak();
    if (found === undefined) return;
    const { first, link, next, lost } = found;
    const then = lost > 0 ? `: ${lost} frames behind it are lost` : '';
    const message = `the free list goes on from ${hex(first)} to ${hex(link)}, not to ${hex(next)}${then}`;
    const evidence = { physicalAddress: first, history: this.history(first) };
    this.checks.reporter.report('free-list-corrupt', hart, true, message, evidence);
    this.list.giveUp();
  }

  private afterKalloc(call: Call, hart: Hart, frame: number): void {
    this.checks.locks.endTelling();
    this.allocating.delete(call);
    const { guest, reporter } = this.checks;
    const progress = call.note as Progress;
    if (frame === 0 || !guest.isRam(frame, PAGE_BYTES)) return;
    const evidence = (): Evidence => ({ physicalAddress: frame, history: this.history(frame) });
    if (progress.done && progress.frame !== frame) {
      const message = `kalloc took ${hex(progress.frame)} off the free list, and returned ${hex(frame)}`;
      reporter.reportReturn('wrong-frame', hart, call, message, evidence());
      this.list.giveUp();
    } else if (!progress.done) this.list.take(frame);

    this.unwatch(frame);
    const freeing = this.beingFreed.get(frame);
    if (freeing !== undefined) {
      // It has put the frame on a list, and has been interrupted before it returns.
      (freeing.note as Progress).done = true;
      this.beingFreed.delete(frame);
    } else if (this.isAllocated(frame) && !progress.mayHave.includes(frame)) {
      const message = `kalloc returned ${hex(frame)}, which is in use: it was handed out before`;
      reporter.report('frame-handed-out-twice', hart, false, message, evidence());
    }
    if (guest.isFilled(frame, FREE_FILL)) {
      const message = `kalloc returned ${hex(frame)} as kfree left it, full of ${hex(FREE_JUNK)}`;
      reporter.reportReturn('allocated-not-filled', hart, call, message, {
        ...evidence(),
        sameAs: call.role,
      });
    }
    progress.frame = frame;
    this.listLocks.check(call, progress, hart, false);
    this.states[this.indexOf(frame)] = Frame.Allocated;
    this.note(this.allocated, frame, hart, reporter.stackOf(hart, false));
  }

  // ---- kfree --------------------------------------------------------------------------------------------

  private beforeKfree(call: Call, hart: Hart): void {
    const { guest, reporter } = this.checks;
    const [frame] = call.arguments;
    this.begin(call, frame, hart);
    if (frame % PAGE_BYTES !== 0 || frame < this.firstFrame || !guest.isRam(frame, PAGE_BYTES)) {
      const message = `kfree of ${hex(frame)}, which is not the address of a frame that can be allocated`;
      const evidence = guest.isRam(frame)
        ? { physicalAddress: frame, history: this.history(roundDown(frame)) }
        : {};
      reporter.report('bad-free', hart, true, message, evidence);
      (call.note as Progress).done = true;
      return;
    }
    if (this.stateOf(frame) === Frame.Free) {
      const evidence = { physicalAddress: frame, history: this.history(frame) };
      reporter.report(
        'frame-freed-twice',
        hart,
        true,
        `kfree of ${hex(frame)}, which is free already`,
        evidence,
      );
      this.unwatch(frame);
      this.states[this.indexOf(frame)] = Frame.Unknown;
      this.list.giveUp();
    }
    this.beingFreed.set(frame, call);
  }

  private afterKfree(call: Call, hart: Hart): void {
    this.checks.locks.endTelling();
    const { guest } = this.checks;
    const progress = call.note as Progress;
    const last = this.beingFreed.get(progress.frame);
    if (last === call) this.beingFreed.delete(progress.frame);
    // Another call that has been given the frame since tells, or has told, what becomes of it.
    const isOthers = (last !== undefined && last !== call) || this.isFree(progress.frame);
    if (progress.done || isOthers) return;
    const isFilled = guest.isFilled(progress.frame, FREE_FILL);
    if (isFilled || this.list.mayBeginWith(progress.frame)) return this.takeBack(call, hart, false);
    // Otherwise the frame was not freed, for it has more users, and the kernel counts them; or it has its next one.
    for (const each of this.allocating) (each.note as Progress).mayHave.push(progress.frame);
  }

  /** kfree has put a frame on the free list. */
  private takeBack(call: Call, hart: Hart, atEntry: boolean): void {
    const { guest, reporter } = this.checks;
    const progress = call.note as Progress;
    const { frame } = progress;
    const report = (rule: RuleId, message: string, evidence: Evidence): void =>
      atEntry
        ? reporter.report(rule, hart, atEntry, message, evidence)
        : reporter.reportReturn(rule, hart, call, message, evidence);
    progress.done = true;
    if (!guest.isFilled(frame, FREE_FILL, FREE_FILL_STEP)) {
      const message = `kfree left ${hex(frame)} as it was, not full of ${hex(FREE_JUNK)}`;
      report('freed-not-filled', message, { physicalAddress: frame, sameAs: call.role });
    }
    // What maps the frame by now did so while it was in use.
    this.checks.tables.update();
    this.states[this.indexOf(frame)] = Frame.Free;
    const wrong = this.list.put(frame, hart);
    if (wrong !== undefined)
      report('free-list-corrupt', wrong, { physicalAddress: frame, history: this.history(frame) });
    this.listLocks.check(call, progress, hart, atEntry);
    const stack = reporter.stackOf(hart, atEntry);
    // At the entry of release, kfree is where the frame was freed.
    this.note(this.freed, frame, hart, atEntry ? this.callersOf(stack) : stack);
    this.accesses.watch(frame);
    this.mappings.noteFreed(frame, call, hart);
  }

  private note(log: EventLog, frame: number, hart: Hart, stack: readonly number[]): void {
    const { guest } = this.checks;
    const instruction = guest.machine.instructionCount;
    log.put(this.indexOf(frame), instruction, hart.cycles, hart.index, guest.processOn(hart), stack);
  }

  /** One array for all calls with the same stack. */
  private callersOf(stack: readonly number[]): readonly number[] {
    let rest = this.shortened.get(stack);
    if (rest === undefined) this.shortened.set(stack, (rest = callersOf(stack)));
    return rest;
  }

  private unwatch(frame: number): void {
    if (this.stateOf(frame) === Frame.Free) this.accesses.unwatch(frame);
  }
}
