/**
 * Lost frames: allocated, and pointed to by nothing. The search is conservative, as in kmemleak: whatever looks like
 * the address of a frame, as a pointer or in an entry of a page table, keeps it. It begins at the kernel's data and
 * the harts' registers and goes on through allocated frames, kernel stacks among them.
 */
import { ENTRIES_PER_TABLE, PAGE_BYTES, PTE_U } from '../sv39/pte.js';
import type { Checks } from './checks.js';
import type { FrameRules } from './frame-rules.js';
import { hex } from './model/errors.js';
import { roundDown, roundUp } from './model/memory.js';
import { frameOf, isPointer, isValidLeaf } from './model/page-table.js';
import { type Call, FAILED } from './probes.js';
import { entryAt } from './tables.js';

/**
 * Cycles between searches, at least; in a long run so much of its time. Later is no loss: a finding is about the call
 * that got the frame.
 */
const SEARCH_CYCLES = 20_000_000;
const SEARCH_SHARE = 1 / 8;
/** The age from which on a frame in nobody's hands is not just changing them. */
const MINIMUM_AGE_CYCLES = 1_000_000;

const SUPERPAGE_BYTES = ENTRIES_PER_TABLE * PAGE_BYTES;

/** A frame, and when it was allocated: by a later allocation it has another owner. */
interface Taken {
  readonly frame: number;
  readonly instruction: number;
}

export class LostFrames {
  private searched = 0;
  private readonly reported = new Set<number>();

  constructor(
    private readonly checks: Checks,
    private readonly frames: FrameRules,
  ) {
    const { probes } = checks;
    probes.on('fork', {
      enter: (call) => (call.note = []),
      leave: (call, _, result) => this.afterFork(call, result),
    });
    probes.on('kalloc', { leave: (call, _, frame) => this.noteFork(call, frame) });
    probes.on('processFree', { leave: (_, hart) => this.searchAt(hart.cycles) });
    // A frame that comes back was lost, and is no more.
    probes.on('kfree', { enter: (call) => this.reported.delete(call.arguments[0]) });
  }

  private noteFork(call: Call, frame: number): void {
    for (let each = call.caller; each !== undefined; each = each.caller) {
      const allocated = each.role === 'fork' ? this.frames.allocationOf(frame) : undefined;
      if (allocated) (each.note as Taken[]).push({ frame, instruction: allocated.instruction });
    }
  }

  /** A fork that fails leaves no child, so it may keep nothing: not even what a process structure still points to. */
  private afterFork(call: Call, result: number): void {
    if (result < FAILED / 2) return;
    for (const { frame, instruction } of call.note as Taken[]) {
      const allocated = this.frames.allocationOf(frame);
      if (allocated?.instruction !== instruction || this.reported.has(frame)) continue;
      this.reported.add(frame);
      const message = `fork failed, and kept frame ${hex(frame)}`;
      this.checks.reporter.reportEvent('frame-lost', allocated, message, { physicalAddress: frame });
    }
  }

  private searchAt(cycle: number): void {
    if (cycle - this.searched >= Math.max(SEARCH_CYCLES, cycle * SEARCH_SHARE)) this.search(cycle);
  }

  /** Searches now, at a machine's cycle. */
  search(cycle: number): void {
    this.searched = cycle;
    this.checks.tables.update();
    const reached = this.reach();
    for (const frame of this.frames.allocatedFrames()) {
      if (reached.has(frame) || this.reported.has(frame)) continue;
      const allocated = this.frames.allocationOf(frame)!;
      if (cycle - allocated.cycle < MINIMUM_AGE_CYCLES) continue;
      this.reported.add(frame);
      const message = `frame ${hex(frame)} is allocated, and nothing points to it any more`;
      this.checks.reporter.reportEvent('frame-lost', allocated, message, { physicalAddress: frame });
    }
  }

  private reach(): Set<number> {
    const { guest } = this.checks;
    const reached = new Set<number>();
    const waiting: number[] = [];
    const visit = (frame: number): void => {
      if (reached.has(frame) || !this.frames.isAllocated(frame)) return;
      reached.add(frame);
      waiting.push(frame);
    };
    const dataStart = roundDown(guest.address('etext') ?? guest.ramStart);
    this.visitWords(dataStart, roundUp(guest.address('end') ?? guest.ramStart), visit);
    for (const hart of guest.machine.harts) {
      hart.x.forEach((value) =>
        visitWord(Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)), visit),
      );
      const root = guest.rootOf(hart);
      if (root !== undefined) visit(root);
    }
    for (let frame = waiting.pop(); frame !== undefined; frame = waiting.pop()) {
      if (this.checks.tables.isTable(frame)) this.visitTable(frame, visit);
      else if (!this.isUserPage(frame)) this.visitWords(frame, frame + PAGE_BYTES, visit);
    }
    return reached;
  }

  /** What the user stores proves nothing. */
  private isUserPage(frame: number): boolean {
    return this.checks.tables.mappingsOf(frame).some((mapping) => (mapping.entry & PTE_U) !== 0n);
  }

  /** The kernel's table maps every frame at its own address: such an entry keeps none. */
  private visitTable(frame: number, visit: (frame: number) => void): void {
    const page = this.checks.tables.page(frame)!;
    const { level, entries, mappings } = page;
    for (let index = 0; index < ENTRIES_PER_TABLE; index++) {
      if (entries[2 * index] === 0) continue;
      const entry = entryAt(page, index);
      const isMapping = mappings[index] !== undefined;
      if (!isMapping && !isPointer(entry) && isValidLeaf(entry)) continue;
      visit(frameOf(entry));
      if (!isMapping || level === 0) continue;
      for (let offset = 0; offset < SUPERPAGE_BYTES; offset += PAGE_BYTES) visit(frameOf(entry) + offset);
    }
  }

  private visitWords(start: number, end: number, visit: (frame: number) => void): void {
    const { guest } = this.checks;
    for (let at = start; at + 8 <= end; at += 8) visitWord(guest.word32(at), guest.word32(at + 4), visit);
  }
}

/** Visits what a doubleword may mean: an address in a frame, or the frame in an entry of a page table. */
function visitWord(low: number, high: number, visit: (frame: number) => void): void {
  // Neither an address in RAM nor a page number of it has more bits than these; most words do.
  if ((low | high) === 0 || (high & 0x3f_fffe) !== 0) return;
  visit(roundDown(low + high * 2 ** 32));
  visit(((low >>> 10) + (high % 2 ** 22) * 2 ** 22) * PAGE_BYTES);
}
