/** What two address spaces may not have in common: pages of the tables that map user memory. */
import { PTE_U } from '../sv39/pte.js';
import type { Checks } from './checks.js';
import type { FrameRules } from './frame-rules.js';
import { hex } from './model/errors.js';
import { descend, frameOf, isPointer, leavesOf, SV39 } from './model/page-table.js';
import type { EntryChange } from './tables.js';

export class SharingRules {
  constructor(
    private readonly checks: Checks,
    private readonly frames: () => FrameRules,
  ) {}

  /** Holds an entry that has just changed against the other tables. */
  checkEntry(change: EntryChange): void {
    if (change.page.level > 0 && isPointer(change.after)) this.checkTable(change);
  }

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
    this.report(change, message);
  }

  private report(change: EntryChange, message: string): void {
    const { reporter, guest } = this.checks;
    const { after, before, address, page } = change;
    const frame = frameOf(after);
    const evidence = {
      table: page.root,
      virtualAddress: address,
      physicalAddress: frame,
      entryBefore: before,
      entryAfter: after,
      history: guest.isRam(frame) ? this.frames().history(frame) : [],
    };
    const event = change.event ?? reporter.eventOf(guest.machine.harts[0], false);
    reporter.reportEvent('table-shared', event, message, evidence, page.root);
  }
}
