/**
 * Frames: who has each, by the calls of kalloc and kfree, and the free list, by what these leave in memory. While the
 * kernel keeps one list, and keeps it as a stack, the model's stack says which frame comes next; a kernel that does
 * otherwise (lists per CPU, a buddy allocator) is held to the rest.
 */
import type { FrameWatcher } from '../machine/machine.js';
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES, PTE_U } from '../sv39/pte.js';
import type { Checks } from './checks.js';
import type { Event } from './finding.js';
import { FREE_JUNK, FrameStack } from './model/frames.js';
import { hex } from './model/errors.js';
import { roundDown } from './model/memory.js';
import type { Call, Role } from './probes.js';
import type { Mapping } from './tables.js';

/** What is known of a frame. Until the allocator is first given it, nothing is. */
const enum Frame {
  Unknown,
  Free,
  Allocated,
}

/** Eight bytes of junk, as Guest.isFilled compares them. */
const [FREE_FILL] = new Float64Array(new Uint8Array(8).fill(FREE_JUNK).buffer);

/** In these, a store to a free frame is the allocator's own. */
const ALLOCATOR: readonly Role[] = ['kalloc', 'kfree', 'freeRange', 'allocatorInit'];

/** These may read a free frame all over. */
const READERS: readonly Role[] = [...ALLOCATOR, 'checkFreeList'];

/** The first bytes of a free frame link it to others: whoever counts free frames reads them. */
const LINK_BYTES = 16;

/** In these, a frame may be freed just before the entry that maps it is cleared. */
const UNMAPPING: readonly Role[] = [
  'uvmunmap',
  'uvmdealloc',
  'uvmalloc',
  'uvmcopy',
  'freewalk',
  'processFree',
  'munmap',
  'mmapRelease',
];

/** So many calls of kfree decide between the variables that could be the head of the free list. */
const HEAD_SEARCHES = 64;
const MOST_HEADS = 16;

/** What a call of kalloc or kfree has done so far, as seen when it releases the allocator's lock. */
interface Progress {
  done: boolean;
  frame: number;
  locks: number;
}

/** A frame that was freed while something mapped it: allowed until `until` returns. */
interface StillMapped {
  readonly frame: number;
  readonly until: Call | undefined;
  readonly hart: number;
  /** As they were then: an equal one may be made later, when both frame and table have new owners. */
  readonly mappings: readonly Mapping[];
}

export class FrameRules {
  private readonly states: Uint8Array;
  private readonly allocated: (Event | undefined)[] = [];
  private readonly freed: (Event | undefined)[] = [];
  /** The free list by the model; undefined once the kernel was seen to keep something else. */
  private stack: FrameStack | undefined;
  /** Addresses of variables that hold the frame freed last. */
  private heads: number[] = [];
  private frees = 0;
  private readonly shortened = new WeakMap<readonly number[], readonly number[]>();
  /** Calls of kalloc and kfree. */
  private underWay = 0;
  private readonly beingFreed = new Map<number, Call>();
  private stillMapped: StillMapped[] = [];
  private readonly firstFrame: number;
  private locksSeen = false;

  constructor(private readonly checks: Checks) {
    const { guest, probes } = checks;
    this.states = new Uint8Array((guest.ramEnd - guest.ramStart) / PAGE_BYTES);
    this.firstFrame = guest.address('end') ?? guest.ramStart;
    this.stack = new FrameStack(guest.ramStart, guest.ramEnd);
    probes.on('kalloc', {
      enter: (call, hart) => this.begin(call, 0, hart),
      leave: (call, hart, result) => this.afterKalloc(call, hart, result),
    });
    probes.on('kfree', {
      enter: (call, hart) => this.beforeKfree(call, hart),
      leave: (call, hart) => this.afterKfree(call, hart),
    });
    // Listened to so that it is known when they are under way.
    for (const role of ['freeRange', 'allocatorInit', 'checkFreeList'] as const)
      probes.on(role, { leave: () => {} });
    probes.on('acquire', { enter: (call) => this.noteLock(call) });
    probes.on('release', { enter: (call, hart) => this.beforeRelease(call, hart) });
    for (const role of UNMAPPING) {
      probes.on(role, { leave: (call, hart) => this.checkStillMapped(hart, (each) => each.until === call) });
    }
    probes.on('userReturn', {
      enter: (_, hart) =>
        this.checkStillMapped(hart, (each) => each.until === undefined && each.hart === hart.index),
    });
  }

  /** Whether the model's stack still predicts the kernel's choice of frames. */
  get predicts(): boolean {
    return this.stack !== undefined && this.heads.length === 1;
  }

  isFree(frame: number): boolean {
    return this.stateOf(frame) === Frame.Free;
  }

  isAllocated(frame: number): boolean {
    return this.stateOf(frame) === Frame.Allocated;
  }

  /** The call that got a frame; undefined for one that is not allocated. */
  allocationOf(frame: number): Event | undefined {
    return this.isAllocated(frame) ? this.allocated[this.indexOf(frame)] : undefined;
  }

  /** The frames that the allocator has given out, with the call that got each. */
  *allocatedFrames(): Generator<{ frame: number; allocated: Event }> {
    for (let index = 0; index < this.states.length; index++) {
      if (this.states[index] !== Frame.Allocated) continue;
      yield { frame: this.checks.guest.ramStart + index * PAGE_BYTES, allocated: this.allocated[index]! };
    }
  }

  /** What is known of a frame's past, for a finding about it. */
  history(frame: number): { what: string; event: Event }[] {
    const index = this.indexOf(frame);
    const events = [
      { what: 'allocated', event: this.allocated[index] },
      { what: 'freed', event: this.freed[index] },
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
    call.note = { done: false, frame, locks: this.checks.locksHeld(hart) } satisfies Progress;
    this.underWay++;
  }

  private noteLock(call: Call): void {
    this.locksSeen = true;
    const caller = this.allocationAround(call);
    if (caller) (caller.note as Progress).locks++;
  }

  /** The call of kalloc or kfree that another call was made in. Most are made in none. */
  private allocationAround({ caller }: Call): Call | undefined {
    if (this.underWay === 0 || caller === undefined) return undefined;
    return caller.role === 'kalloc' || caller.role === 'kfree' ? caller : undefined;
  }

  /** The order in which frames come and go is that in which the allocator's lock is held. */
  private beforeRelease(call: Call, hart: Hart): void {
    const caller = this.allocationAround(call);
    if (caller === undefined) return;
    const progress = caller.note as Progress;
    if (progress.done) return;
    if (caller.role === 'kfree') {
      if (this.isHead(progress.frame)) this.takeBack(progress, hart, true);
    } else this.foresee(progress, hart);
  }

  private isHead(frame: number): boolean {
    return this.heads.some((head) => this.checks.guest.word(head) === frame);
  }

  // ---- kalloc -------------------------------------------------------------------------------------------

  /** Pops the model's stack where the guest's list lost its first frame; checks what that brought to the front. */
  private foresee(progress: Progress, hart: Hart): void {
    if (!this.predicts || this.stack!.size === 0) return;
    const { guest, reporter } = this.checks;
    const head = guest.word(this.heads[0]);
    if (head === this.stack!.peek()) return; // not popped yet
    if (head !== this.stack!.peek(1)) return this.abandonStack();
    progress.frame = this.stack!.pop();
    progress.done = true;
    this.unwatch(progress.frame);
    const first = this.stack!.peek();
    if (first === 0) return;
    const [link, next] = [guest.word(first), this.stack!.peek(1)];
    if (link === next) return;
    const lost = link === 0 ? `: ${this.stack!.size - 1} frames behind it are lost` : '';
    reporter.report(
      'free-list-corrupt',
      hart,
      true,
      `the free list goes on from ${hex(first)} to ${hex(link)}, not to ${hex(next)}${lost}`,
      { physicalAddress: first, history: this.history(first) },
    );
    this.abandonStack();
  }

  private afterKalloc(call: Call, hart: Hart, frame: number): void {
    this.underWay--;
    const { guest, reporter } = this.checks;
    const progress = call.note as Progress;
    if (frame === 0 || !guest.isRam(frame, PAGE_BYTES)) return;
    const history = this.history(frame);
    const evidence = { physicalAddress: frame, history };
    if (progress.done && progress.frame !== frame) {
      const message = `kalloc took ${hex(progress.frame)} off the free list, and returned ${hex(frame)}`;
      reporter.report('wrong-frame', hart, false, message, evidence);
      this.abandonStack();
    } else if (!progress.done && this.stack?.peek() === frame) this.stack.pop();
    else if (!progress.done) this.abandonStack();

    this.unwatch(frame);
    if (this.stateOf(frame) === Frame.Allocated && !this.beingFreed.has(frame)) {
      const message = `kalloc returned ${hex(frame)}, which is in use: it was handed out before`;
      reporter.report('frame-handed-out-twice', hart, false, message, evidence);
    }
    if (guest.isFilled(frame, FREE_FILL)) {
      const message = `kalloc returned ${hex(frame)} as kfree left it, full of ${hex(FREE_JUNK)}`;
      reporter.report('allocated-not-filled', hart, false, message, evidence);
    }
    this.checkLock(progress, hart, false, 'kalloc');
    this.states[this.indexOf(frame)] = Frame.Allocated;
    this.allocated[this.indexOf(frame)] = reporter.eventOf(hart, false);
  }

  // ---- kfree --------------------------------------------------------------------------------------------

  private beforeKfree(call: Call, hart: Hart): void {
    const { guest, reporter, tables } = this.checks;
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
      this.abandonStack();
    }
    tables.drop(frame);
    this.beingFreed.set(frame, call);
  }

  private afterKfree(call: Call, hart: Hart): void {
    this.underWay--;
    const { guest } = this.checks;
    const progress = call.note as Progress;
    this.beingFreed.delete(progress.frame);
    if (progress.done) return;
    const isFilled = guest.isFilled(progress.frame, FREE_FILL);
    if (isFilled || this.heads.length === 0 || this.isHead(progress.frame))
      this.takeBack(progress, hart, false);
    // Otherwise the frame was not freed: it has more users, and the kernel counts them.
  }

  /** kfree has put a frame on the free list. */
  private takeBack(progress: Progress, hart: Hart, atEntry: boolean): void {
    const { guest, reporter, tables } = this.checks;
    const { frame } = progress;
    progress.done = true;
    const call = this.beingFreed.get(frame);
    if (!guest.isFilled(frame, FREE_FILL)) {
      const message = `kfree left ${hex(frame)} as it was, not full of ${hex(FREE_JUNK)}`;
      reporter.report('freed-not-filled', hart, atEntry, message, { physicalAddress: frame });
    }
    this.searchHead(frame, hart);
    this.checkLock(progress, hart, atEntry, 'kfree');
    this.pushOnStack(frame, hart, atEntry);
    this.states[this.indexOf(frame)] = Frame.Free;
    const { instruction, cycle, process, stack } = reporter.eventOf(hart, atEntry);
    // At the entry of release, kfree is where the frame was freed.
    const freedIn = atEntry ? this.withoutFirst(stack) : stack;
    this.freed[this.indexOf(frame)] = { instruction, cycle, hart: hart.index, process, stack: freedIn };
    guest.machine.watchFrame(BigInt(frame), this.storeToFree);
    guest.machine.watchLoadsInPlace(BigInt(frame), this.loadFromFree);
    const mappings = tables.mappingsOf(frame).filter((mapping) => !isMirror(mapping));
    if (mappings.length > 0) {
      const until = call && unmappingCall(call);
      this.stillMapped.push({ frame, until, hart: hart.index, mappings });
    }
  }

  /** One array for all calls with the same stack. */
  private withoutFirst(stack: readonly number[]): readonly number[] {
    let rest = this.shortened.get(stack);
    if (rest === undefined) this.shortened.set(stack, (rest = stack.slice(1)));
    return rest;
  }

  private pushOnStack(frame: number, hart: Hart, atEntry: boolean): void {
    if (this.stack === undefined) return;
    const { guest, reporter } = this.checks;
    const link = guest.word(frame);
    if (this.predicts && link === frame) {
      const message = `the free list has a cycle: ${hex(frame)} is linked to itself, as if freed twice`;
      reporter.report('free-list-corrupt', hart, atEntry, message, {
        physicalAddress: frame,
        history: this.history(frame),
      });
      this.abandonStack();
    } else if (this.stack.has(frame) || (this.predicts && link !== this.stack.peek())) this.abandonStack();
    else this.stack.push(frame);
  }

  /** Finds the variables that hold the frame just freed, whatever the kernel calls them. */
  private searchHead(frame: number, hart: Hart): void {
    const { guest } = this.checks;
    const isRefining = this.frees++ < HEAD_SEARCHES;
    const still = this.heads.filter((head) => guest.word(head) === frame);
    if (still.length > 0) {
      if (isRefining) this.heads = still;
    } else if (this.heads.length < MOST_HEADS)
      this.heads = [...this.heads, ...this.variablesHolding(frame, hart)];
  }

  /** The words of the kernel's data with this value; the stack that the hart is on holds it for a while only. */
  private variablesHolding(frame: number, hart: Hart): number[] {
    const { guest } = this.checks;
    const stackPointer = Number(BigInt.asUintN(64, hart.x[2]));
    const start = roundDown(guest.address('etext') ?? guest.ramStart);
    const found: number[] = [];
    for (let at = start; at + 8 <= this.firstFrame; at += 8) {
      if (Math.abs(at - stackPointer) >= PAGE_BYTES && guest.word(at) === frame) found.push(at);
    }
    return found;
  }

  private checkLock({ locks }: Progress, hart: Hart, atEntry: boolean, name: string): void {
    if (locks > 0 || !this.locksSeen || !this.predicts) return;
    const message = `${name} changes the free list without holding a lock`;
    this.checks.reporter.report('free-list-unlocked', hart, atEntry, message);
  }

  private abandonStack(): void {
    if (this.stack === undefined) return;
    this.stack = undefined;
    this.checks.notChecked('which frame comes next: this kernel keeps no single stack of free frames');
  }

  private unwatch(frame: number): void {
    if (this.stateOf(frame) !== Frame.Free) return;
    const { machine } = this.checks.guest;
    machine.unwatchFrame(BigInt(frame));
    machine.unwatchLoads(BigInt(frame));
  }

  // ---- stores and mappings ------------------------------------------------------------------------------

  private readonly storeToFree: FrameWatcher = (address, bytes, hart) => {
    const { guest, probes, reporter } = this.checks;
    const frame = roundDown(address);
    guest.machine.unwatchFrame(BigInt(frame));
    const call = hart && probes.current(hart);
    if (call && ALLOCATOR.includes(call.role)) return;
    const who = hart ?? guest.machine.harts[0];
    const by = hart ? '' : ' by a device';
    const message = `a store${by} of ${bytes} bytes to ${hex(address)}, in a frame that is free`;
    const evidence = { physicalAddress: address, history: this.history(frame) };
    reporter.report('write-after-free', who, false, message, evidence);
  };

  /** Whether by a mistake or not, a load is told of once for each time that the frame is freed. */
  private readonly loadFromFree: FrameWatcher = (address, bytes, hart) => {
    const { guest, probes, reporter } = this.checks;
    const frame = roundDown(address);
    if (hart === undefined || address - frame < LINK_BYTES) return;
    guest.machine.unwatchLoads(BigInt(frame));
    const call = probes.current(hart);
    if (call && READERS.includes(call.role)) return;
    const value = hex(guest.read(roundDownToWord(address), 8)!);
    const message =
      `a load of ${bytes} bytes from ${hex(address)}, ${address - frame} bytes into a frame that is free; ` +
      `there is ${value}`;
    const evidence = { physicalAddress: address, history: this.history(frame) };
    reporter.report('read-after-free', hart, false, message, evidence);
  };

  private checkStillMapped(hart: Hart, isDue: (each: StillMapped) => boolean): void {
    if (this.stillMapped.length === 0) return;
    const { reporter, tables } = this.checks;
    const due = this.stillMapped.filter(isDue);
    if (due.length === 0) return;
    this.stillMapped = this.stillMapped.filter((each) => !due.includes(each));
    tables.update();
    for (const { frame, mappings } of due) {
      const left = mappings.find((mapping) => tables.mappingAt(mapping.at) === mapping);
      if (left === undefined) continue;
      const message = `frame ${hex(frame)} was freed, and is still mapped at ${hex(left.address)}`;
      reporter.report('still-mapped', hart, false, message, {
        virtualAddress: left.address,
        physicalAddress: frame,
        entryAfter: left.entry,
        history: [...this.history(frame), ...(left.made ? [{ what: 'mapped', event: left.made }] : [])],
      });
    }
  }
}

const roundDownToWord = (address: number): number => address - (address % 8);

/**
 * Whether a kernel table maps a user's page for itself, at the user's address. Such a kernel brings its mirror up to
 * date when it pleases, before it next uses it.
 */
const isMirror = ({ entry, address }: Mapping): boolean => (entry & PTE_U) === 0n && address < 2 ** 37;

/** The call by whose end a frame freed in `call` must not be mapped any more: the nearest of uvmunmap, else the outermost. */
function unmappingCall(call: Call): Call | undefined {
  let outermost: Call | undefined;
  for (let each = call.caller; each !== undefined; each = each.caller) {
    if (each.role === 'uvmunmap') return each;
    if (UNMAPPING.includes(each.role)) outermost = each;
  }
  return outermost;
}
