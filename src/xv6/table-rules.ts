/** Page tables: what each entry may be, whoever wrote it, and what each call on a table must have done when it returns. */
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES, PTE_R, PTE_RESERVED, PTE_U, PTE_W } from '../sv39/pte.js';
import type { Checks } from './checks.js';
import type { FrameRules } from './frame-rules.js';
import { hex } from './model/errors.js';
import { TRAMPOLINE, TRAPFRAME } from './model/kernel-layout.js';
import { roundDown, roundUp } from './model/memory.js';
import {
  bottomOf,
  entryFor,
  frameOf,
  isPointer,
  isValid,
  isValidLeaf,
  leavesOf,
  PERMISSIONS,
  SV39,
} from './model/page-table.js';
import type { RuleId } from './rules.js';
import { type Call, FAILED } from './probes.js';
import type { EntryChange } from './tables.js';

/** Names of the bits that a mapping grants, as people write them. */
export function describePermissions(entry: bigint): string {
  const names = ['V', 'R', 'W', 'X', 'U'];
  return names.map((name, bit) => (entry & (1n << BigInt(bit)) ? name : '-')).join('');
}

export const describeEntry = (entry: bigint): string =>
  isValid(entry)
    ? `${hex(entry)} (${isPointer(entry) ? 'table' : describePermissions(entry)} at ${hex(frameOf(entry))})`
    : entry === 0n
      ? '0'
      : `${hex(entry)} (not valid)`;

export class TableRules {
  private readonly textEnd: number;
  private readonly imageEnd: number;
  private readonly trampoline: number | undefined;

  constructor(
    private readonly checks: Checks,
    private readonly frames: () => FrameRules,
  ) {
    const { guest, probes } = checks;
    this.textEnd = roundDown(guest.address('etext') ?? guest.ramStart);
    this.imageEnd = roundUp(guest.address('end') ?? guest.ramStart);
    this.trampoline = guest.address('trampoline');
    probes.on('walk', {
      enter: (call) => this.adopt(call.arguments[0]),
      leave: (call, hart, result) => this.checkWalk(call, hart, result),
    });
    probes.on('mappages', {
      enter: (call, hart) => this.beforeMap(call, hart),
      leave: (call, hart, result) => this.afterMap(call, hart, result),
    });
    probes.on('uvmdealloc', {
      enter: (call) => this.beforeShrink(call),
      leave: (call, hart) => this.afterShrink(call, hart),
    });
    probes.on('uvmunmap', { leave: (call, hart) => this.afterUnmap(call, hart) });
    probes.on('uvmcopy', { leave: (call, hart, result) => this.afterCopy(call, hart, result) });
    probes.on('uvmclear', { leave: (call, hart) => this.afterClear(call, hart) });
    probes.on('freewalk', { enter: (call, hart) => this.beforeFreewalk(call, hart) });
    probes.on('copyout', { leave: (call, hart, result) => this.afterCopyout(call, hart, result) });
  }

  private adopt(root: number): void {
    this.checks.tables.adopt(root);
    this.checks.tables.update();
  }

  // ---- entries ------------------------------------------------------------------------------------------

  /** Holds an entry that has just changed against what no table may contain. */
  checkEntry(change: EntryChange): void {
    const { after, address, page } = change;
    if (!isValidLeaf(after)) return;
    const { guest } = this.checks;
    const frame = frameOf(after);
    const span = SV39.spans[page.level];
    const report = (rule: RuleId, message: string): void => this.reportChange(rule, change, message);
    if ((after & PTE_RESERVED) !== 0n || ((after & PTE_W) !== 0n && (after & PTE_R) === 0n)) {
      report(
        'reserved-entry',
        `the entry for ${hex(address)} is ${describeEntry(after)}: that encoding is reserved`,
      );
    }
    if (frame % span !== 0) {
      report(
        'misaligned-superpage',
        `the superpage at ${hex(address)} is mapped to ${hex(frame)}, within one`,
      );
    }
    const isKernelMemory = !guest.isRam(frame) || frame < this.imageEnd;
    if (this.trampoline === frame) {
      if ((after & (PTE_W | PTE_U)) !== 0n) {
        report(
          'trampoline-exposed',
          `the trampoline is mapped ${describePermissions(after)} at ${hex(address)}`,
        );
      }
    } else if (isKernelMemory && (after & PTE_U) !== 0n) {
      report('kernel-memory-user', `${hex(frame)}, the kernel's, is mapped with U at ${hex(address)}`);
    } else if (address === TRAPFRAME && this.hasTrampoline(page.root) && (after & PTE_U) !== 0n) {
      report(
        'trampoline-exposed',
        `the trapframe is mapped ${describePermissions(after)}: the user may access it`,
      );
    }
    if (
      frame >= guest.ramStart &&
      frame < this.textEnd &&
      frame !== this.trampoline &&
      (after & PTE_W) !== 0n
    ) {
      report('text-writable', `kernel text at ${hex(frame)} is mapped ${describePermissions(after)}`);
    }
    if (frame !== address && this.frames().isFree(frame)) {
      report('maps-free-frame', `${hex(address)} is mapped to ${hex(frame)}, a frame that is free`);
    }
  }

  private hasTrampoline(root: number): boolean {
    const { guest } = this.checks;
    return this.trampoline !== undefined && guest.translate(root, TRAMPOLINE) === this.trampoline;
  }

  private reportChange(rule: RuleId, change: EntryChange, message: string): void {
    const { reporter, guest } = this.checks;
    const frame = frameOf(change.after);
    const event = change.event ?? reporter.eventOf(guest.machine.harts[0], false);
    reporter.reportEvent(
      rule,
      event,
      message,
      {
        table: change.page.root,
        virtualAddress: change.address,
        physicalAddress: frame,
        entryBefore: change.before,
        entryAfter: change.after,
        history: this.historyOf(frame),
      },
      change.page.root,
    );
  }

  private historyOf(frame: number) {
    return this.checks.guest.isRam(frame) ? this.frames().history(frame) : [];
  }

  // ---- walk and mappages --------------------------------------------------------------------------------

  /** The entry at level 0, or a superpage's; none only where a table is missing. */
  private checkWalk(call: Call, hart: Hart, result: number): void {
    const [root, address, allocate] = call.arguments;
    const { guest, reporter, tables } = this.checks;
    tables.update(); // a table that walk made is watched before its first entry is stored
    const last = bottomOf(SV39, guest, root, address);
    const isThere = last.level === 0 || isValidLeaf(last.entry);
    if (result === last.at ? isThere : result === 0 && (!isThere || last.level > 0)) return;
    const expected = isThere ? hex(last.at) : '0, for a table is missing';
    const message = `walk for ${hex(address)} (allocate ${allocate}) returned ${hex(result)}, not ${expected}`;
    reporter.reportReturn('wrong-walk', hart, call, message, {
      table: root,
      virtualAddress: address,
      ...(guest.isRam(result, 8) ? { entryAfter: guest.read(result, 8) } : {}),
    });
  }

  private beforeMap(call: Call, hart: Hart): void {
    const [root, address, size] = call.arguments;
    this.adopt(root);
    if (size === 0 || size >= FAILED / 2) return;
    const { guest, reporter, tables } = this.checks;
    for (let page = roundDown(address); page < address + size; page += PAGE_BYTES) {
      const { entry, at, level } = bottomOf(SV39, guest, root, page);
      if (level > 0 && !isValidLeaf(entry)) page = this.lastPageUnder(page, level);
      if (!isValidLeaf(entry)) continue;
      const made = tables.mappingAt(at)?.made;
      reporter.report('remap', hart, true, `mappages of ${hex(page)}, which is mapped already`, {
        table: root,
        virtualAddress: page,
        entryBefore: entry,
        history: made ? [{ what: 'mapped', event: made }] : [],
      });
      return;
    }
  }

  /** The last page that the missing table of a level would have mapped: nothing is mapped up to there. */
  private lastPageUnder(page: number, level: number): number {
    const span = SV39.spans[level];
    return page - (page % span) + span - PAGE_BYTES;
  }

  private afterMap(call: Call, hart: Hart, result: number): void {
    const [root, address, size, physical, permissions] = call.arguments;
    if (result !== 0) return;
    const { guest, reporter } = this.checks;
    const wanted = BigInt(permissions) & PERMISSIONS;
    for (let page = roundDown(address); page < address + size; page += PAGE_BYTES) {
      const { entry, level } = bottomOf(SV39, guest, root, page);
      const frame = roundDown(physical) + (page - roundDown(address));
      const isMapped = isValidLeaf(entry);
      const mapped = isMapped ? frameOf(entry) + (page % SV39.spans[level]) : 0;
      if (isMapped && mapped === frame && (entry & PERMISSIONS) === wanted) continue;
      const expected = entryFor(frame, wanted | 1n);
      const message =
        `mappages returned 0, and the entry for ${hex(page)} is ${describeEntry(entry)}, ` +
        `not ${describePermissions(expected)} at ${hex(frame)}`;
      const evidence = {
        table: root,
        virtualAddress: page,
        physicalAddress: frame,
        entryExpected: expected,
        entryAfter: entry,
      };
      reporter.reportReturn('wrong-entry', hart, call, message, evidence);
      return;
    }
  }

  // ---- address spaces -----------------------------------------------------------------------------------

  /** Kernels differ in whether the third argument counts pages or bytes; the first page is unmapped in all of them. */
  private afterUnmap(call: Call, hart: Hart): void {
    const [root, address, size] = call.arguments;
    if (size === 0) return;
    const { guest, reporter, tables } = this.checks;
    const { entry, at } = bottomOf(SV39, guest, root, address);
    if (!isValidLeaf(entry)) return;
    const made = tables.mappingAt(at)?.made;
    reporter.reportReturn('still-mapped', hart, call, `uvmunmap left ${hex(address)} mapped`, {
      table: root,
      virtualAddress: address,
      physicalAddress: frameOf(entry),
      entryAfter: entry,
      history: [...this.historyOf(frameOf(entry)), ...(made ? [{ what: 'mapped', event: made }] : [])],
    });
  }

  private beforeShrink(call: Call): void {
    const [root, oldSize, newSize] = call.arguments;
    this.adopt(root);
    const page = roundDown(newSize);
    call.note = newSize < oldSize && newSize % PAGE_BYTES !== 0 && this.checks.guest.translate(root, page);
  }

  private afterShrink(call: Call, hart: Hart): void {
    const [root, oldSize, newSize] = call.arguments;
    const { guest, reporter } = this.checks;
    const page = roundDown(newSize);
    if (typeof call.note !== 'number' || guest.translate(root, page) !== undefined) return;
    const message =
      `uvmdealloc from ${hex(oldSize)} to ${hex(newSize)} unmapped the page at ${hex(page)}, ` +
      `of which ${newSize - page} bytes are still in use`;
    reporter.reportReturn('unmapped-in-use', hart, call, message, {
      table: root,
      virtualAddress: page,
      physicalAddress: call.note,
      history: this.frames().history(call.note),
    });
  }

  /** Parent and child may share a frame only while neither may write to it. */
  private afterCopy(call: Call, hart: Hart, result: number): void {
    const [from, to, size] = call.arguments;
    if (result !== 0 || from === to) return;
    const { guest, reporter } = this.checks;
    for (const { address, entry } of leavesOf(SV39, guest, to)) {
      if (address >= size || (entry & PTE_U) === 0n) continue;
      const original = bottomOf(SV39, guest, from, address).entry;
      if (!isValidLeaf(original) || frameOf(original) !== frameOf(entry)) continue;
      if (((original | entry) & PTE_W) === 0n) continue;
      const message = `uvmcopy gave the child the parent's frame for ${hex(address)}, and it is writable; the parent's entry is ${describeEntry(original)}`;
      reporter.reportReturn('frame-shared', hart, call, message, {
        table: to,
        virtualAddress: address,
        physicalAddress: frameOf(entry),
        entryAfter: entry,
        history: this.frames().history(frameOf(entry)),
      });
      return;
    }
  }

  private afterClear(call: Call, hart: Hart): void {
    const [root, address] = call.arguments;
    const { guest, reporter } = this.checks;
    const { entry } = bottomOf(SV39, guest, root, address);
    if (!isValidLeaf(entry) || (entry & PTE_U) === 0n) return;
    const message = `uvmclear left U on the guard page at ${hex(address)}: ${describeEntry(entry)}`;
    reporter.reportReturn('guard-page-open', hart, call, message, {
      table: root,
      virtualAddress: address,
      entryAfter: entry,
    });
  }

  private beforeFreewalk(call: Call, hart: Hart): void {
    const [table] = call.arguments;
    const { guest, reporter, tables } = this.checks;
    if (!guest.isRam(table, PAGE_BYTES) || call.caller?.role === 'freewalk') return;
    tables.update();
    const page = tables.page(table);
    for (const leaf of leavesOf(SV39, guest, table, () => {}, page?.level, page?.base)) {
      const made = tables.mappingAt(leaf.at)?.made;
      const message = `freewalk of table ${hex(table)}, which still maps ${hex(leaf.address)}`;
      reporter.report('leaf-left', hart, true, message, {
        virtualAddress: leaf.address,
        physicalAddress: frameOf(leaf.entry),
        entryAfter: leaf.entry,
        history: made ? [{ what: 'mapped', event: made }] : [],
      });
      return;
    }
  }

  /** What copyout stored to, the user could have stored to. */
  private afterCopyout(call: Call, hart: Hart, result: number): void {
    const [root, address, , length] = call.arguments;
    if (result !== 0 || length === 0) return;
    const { guest, reporter } = this.checks;
    for (let page = roundDown(address); page < address + length; page += PAGE_BYTES) {
      const { entry } = bottomOf(SV39, guest, root, page);
      if (isValidLeaf(entry) && (entry & (PTE_U | PTE_W)) === (PTE_U | PTE_W)) continue;
      const message = `copyout stored to ${hex(page)}, where the user may not: ${describeEntry(entry)}`;
      reporter.reportReturn('copyout-to-read-only', hart, call, message, {
        table: root,
        virtualAddress: page,
        entryAfter: entry,
      });
      return;
    }
  }
}
