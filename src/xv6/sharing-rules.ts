/** What two address spaces may not have in common: pages of the tables that map user memory, and, outside fork, frames. */
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES, PTE_U } from '../sv39/pte.js';
import type { Checks } from './checks.js';
import type { FrameRules } from './frame-rules.js';
import { hex } from './model/errors.js';
import { roundDown, roundUp } from './model/memory.js';
import { descend, frameOf, isPointer, leavesOf, SV39 } from './model/page-table.js';
import type { Role } from './probes.js';
import type { RuleId } from './rules.js';
import type { EntryChange, Mapping } from './tables.js';

/** In these, a child gets what its parent has: see the rule frame-shared. */
const FORKING: readonly Role[] = ['fork', 'uvmcopy', 'mmapCopy'];

/** A frame that was mapped for the user in one table while another one did so, too. */
interface Suspicion {
  readonly change: EntryChange;
  readonly own: Mapping;
  readonly other: Mapping;
  readonly hart: number;
}

export class SharingRules {
  /** Looked at when the hart goes back to user mode: the other may just be coming to its end. */
  private suspicions: Suspicion[] = [];
  /** Whether this kernel has been seen to share frames on purpose. */
  private shares = false;

  constructor(
    private readonly checks: Checks,
    private readonly frames: () => FrameRules,
  ) {
    checks.probes.on('userReturn', { enter: (_, hart) => this.judge(hart) });
    // Listened to so that it is known when they are under way.
    for (const role of FORKING) checks.probes.on(role, { leave: () => {} });
  }

  /** Holds an entry that has just changed against the other tables. */
  checkEntry(change: EntryChange): void {
    if (change.page.level > 0 && isPointer(change.after)) this.checkTable(change);
    if ((change.after & PTE_U) !== 0n && !this.shares) this.checkFrame(change);
  }

  // ---- pages of tables ----------------------------------------------------------------------------------

  /** Tables of the kernel may share pages, as long as these map nothing of the user's. */
  private checkTable(change: EntryChange): void {
    const { guest, tables } = this.checks;
    const { after, page, address } = change;
    const frame = frameOf(after);
    const other = tables.page(frame);
    if (other === undefined || (other.root === page.root && other.base === address)) return;
    const isStillThere = descend(SV39, guest, other.root, other.base).some(
      ({ level, entry }) => level === other.level + 1 && isPointer(entry) && frameOf(entry) === frame,
    );
    if (!isStillThere) return;
    const leaves = [...leavesOf(SV39, guest, frame, () => {}, other.level, other.base)];
    if (!leaves.some(({ entry }) => (entry & PTE_U) !== 0n)) return;
    const message =
      `the entry for ${hex(address)} points to the table at ${hex(frame)}, ` +
      `which is also that for ${hex(other.base)} in the table with root ${hex(other.root)}`;
    this.report('table-shared', change, message);
  }

  // ---- frames -------------------------------------------------------------------------------------------

  /** A frame that the allocator gave to one process has no business in another, unless fork put it there. */
  private checkFrame(change: EntryChange): void {
    const { tables } = this.checks;
    const { after, before, at, page, event } = change;
    const frame = frameOf(after);
    if (event === undefined || frameOf(before) === frame || !this.frames().isAllocated(frame)) return;
    const own = tables.mappingAt(at);
    const other = tables.mappingsOf(frame).find((each) => each.root !== page.root && isUsers(each));
    if (own === undefined || other === undefined) return;
    const hart = this.checks.guest.machine.harts[event.hart];
    if (this.isForking(hart)) this.stopFor('fork shares frames between parent and child');
    else this.suspicions.push({ change, own, other, hart: hart.index });
  }

  private isForking(hart: Hart): boolean {
    for (let call = this.checks.probes.current(hart); call !== undefined; call = call.caller) {
      if (FORKING.includes(call.role)) return true;
    }
    return false;
  }

  private judge(hart: Hart): void {
    if (this.suspicions.length === 0) return;
    const { tables } = this.checks;
    const due = this.suspicions.filter((each) => each.hart === hart.index);
    this.suspicions = this.suspicions.filter((each) => each.hart !== hart.index);
    tables.update();
    const isThere = (mapping: Mapping): boolean => tables.mappingAt(mapping.at) === mapping;
    for (const { change, own, other } of due) {
      if (this.shares || !isThere(own) || !isThere(other)) continue;
      const frame = frameOf(own.entry);
      if (this.isKnownToKernel(frame)) continue;
      const message =
        `${hex(own.address)} is mapped to frame ${hex(frame)}, ` +
        `which the table with root ${hex(other.root)} maps for its process at ${hex(other.address)}`;
      this.report('frame-of-another', change, message, other);
    }
  }

  /** What is shared on purpose the kernel has to find again: its data, or a structure in a frame, holds the address. */
  private isKnownToKernel(frame: number): boolean {
    const { guest, tables } = this.checks;
    const end = roundUp(guest.address('end') ?? guest.ramStart);
    if (this.isHeldIn(roundDown(guest.address('etext') ?? end), end, frame)) return true;
    for (const each of this.frames().allocatedFrames()) {
      // What is mapped is a user's, or a kernel stack, where old values lie about.
      const isStructure = !tables.isTable(each) && tables.mappingsOf(each).length === 0;
      if (isStructure && this.isHeldIn(each, each + PAGE_BYTES, frame)) return true;
    }
    return false;
  }

  private isHeldIn(start: number, end: number, value: number): boolean {
    for (let at = start; at < end; at += 8) if (this.checks.guest.word(at) === value) return true;
    return false;
  }

  private stopFor(why: string): void {
    this.shares = true;
    this.checks.notChecked(`frames mapped by two processes: ${why}`);
  }

  private report(rule: RuleId, change: EntryChange, message: string, other?: Mapping): void {
    const { reporter, guest } = this.checks;
    const { after, before, address, page } = change;
    const frame = frameOf(after);
    const history = guest.isRam(frame) ? this.frames().history(frame) : [];
    const evidence = {
      table: page.root,
      virtualAddress: address,
      physicalAddress: frame,
      entryBefore: before,
      entryAfter: after,
      history: other?.made ? [...history, { what: 'mapped by the other', event: other.made }] : history,
    };
    const event = change.event ?? reporter.eventOf(guest.machine.harts[0], false);
    reporter.reportEvent(rule, event, message, evidence, page.root);
  }
}

const isUsers = (mapping: Mapping): boolean => (mapping.entry & PTE_U) !== 0n;
