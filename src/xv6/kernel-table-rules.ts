/** The kernel's own page table, held against the model's layout when a hart first turns to it. */
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X } from '../sv39/pte.js';
import type { Checks } from './checks.js';
import { hex } from './model/errors.js';
import { type KernelRegion, memoryRegions, regionAt, TRAMPOLINE } from './model/kernel-layout.js';
import { roundDown } from './model/memory.js';
import { entryFor, frameOf, type Leaf, leavesOf, PERMISSIONS, SV39 } from './model/page-table.js';
import { describePermissions } from './table-rules.js';

/** Stacks of more pages than this without a page between them have no guard pages. */
const LONGEST_STACK_PAGES = 8;

/** Addresses from here on are not those of memory or devices: stacks and the trampoline. */
const HIGH = 2 ** 37;

export class KernelTableRules {
  private readonly checked = new Set<number>();

  constructor(private readonly checks: Checks) {
    checks.probes.on('useKernelTable', { leave: (_, hart) => this.check(hart) });
  }

  private check(hart: Hart): void {
    const { guest, tables } = this.checks;
    const root = guest.rootOf(hart);
    if (root === undefined || this.checked.has(root)) return;
    this.checked.add(root);
    tables.adopt(root);
    tables.update();
    const leaves = [...leavesOf(SV39, guest, root)];
    this.checkMemory(hart, leaves);
    this.checkStacks(hart, leaves);
  }

  /** Memory is mapped in place from the kernel's start on, each part as the layout says; so are devices. */
  private checkMemory(hart: Hart, leaves: readonly Leaf[]): void {
    const { guest } = this.checks;
    const [textEnd, trampoline] = [guest.address('etext'), guest.address('trampoline')];
    if (textEnd === undefined || trampoline === undefined) {
      return this.checks.notChecked(
        "the kernel's table against its layout: it has no symbols etext and trampoline",
      );
    }
    const inPlace = leaves.filter(
      (leaf) => frameOf(leaf.entry) === leaf.address && guest.isRam(leaf.address),
    );
    const last = inPlace.at(-1);
    if (last === undefined)
      return this.checks.notChecked("the kernel's table: memory is not mapped in place");
    const memoryEnd = last.address + SV39.spans[last.level];
    const regions = memoryRegions({
      textStart: guest.ramStart,
      textEnd: roundDown(textEnd),
      memoryEnd,
      trampoline,
    });
    let expected = guest.ramStart;
    for (const leaf of leaves) {
      if (leaf.address >= guest.ramStart && leaf.address < memoryEnd) {
        if (leaf.address !== expected) this.reportMissing(hart, expected);
        expected = leaf.address + SV39.spans[leaf.level];
      }
      this.checkLeaf(hart, leaf, regionAt(regions, leaf.address));
    }
    if (leaves.every((leaf) => leaf.address !== TRAMPOLINE)) this.reportMissing(hart, TRAMPOLINE);
  }

  private checkLeaf(hart: Hart, leaf: Leaf, region: KernelRegion | undefined): void {
    const { guest } = this.checks;
    const isDevice = region === undefined && leaf.address < HIGH && !guest.isRam(leaf.address);
    if (region === undefined && !isDevice) return;
    const wanted = region?.permissions ?? PTE_R | PTE_W;
    const physical = region ? region.physical + (leaf.address - region.start) : leaf.address;
    const found = leaf.entry & PERMISSIONS;
    // Other rules have said so already when the entry was stored.
    const isKnown = (found & PTE_U) !== 0n || ((found & PTE_W) !== 0n && (wanted & PTE_X) !== 0n);
    if (isKnown || (frameOf(leaf.entry) === physical && found === wanted)) return;
    const expected = entryFor(physical, wanted | PTE_V);
    const message =
      `the kernel's table maps ${hex(leaf.address)} (${region?.name ?? 'a device'}) ` +
      `${describePermissions(leaf.entry)} at ${hex(frameOf(leaf.entry))}, not ${describePermissions(expected)} at ${hex(physical)}`;
    this.checks.reporter.report('kernel-table-differs', hart, false, message, {
      virtualAddress: leaf.address,
      physicalAddress: physical,
      entryExpected: expected,
      entryAfter: leaf.entry,
    });
  }

  private reportMissing(hart: Hart, address: number): void {
    const message = `the kernel's table does not map ${hex(address)}`;
    this.checks.reporter.report('kernel-table-differs', hart, false, message, { virtualAddress: address });
  }

  private reportUser(hart: Hart, address: number, entry: bigint): void {
    const message = `the kernel's stack at ${hex(address)} is mapped ${describePermissions(entry)}`;
    const evidence = { virtualAddress: address, physicalAddress: frameOf(entry), entryAfter: entry };
    this.checks.reporter.report('kernel-memory-user', hart, false, message, evidence);
  }

  private checkStacks(hart: Hart, leaves: readonly Leaf[]): void {
    let pages = 0;
    let next = 0;
    for (const { address, entry } of leaves) {
      if (address < HIGH || address >= TRAMPOLINE) continue;
      if ((entry & PTE_U) !== 0n) this.reportUser(hart, address, entry);
      pages = address === next ? pages + 1 : 1;
      next = address + PAGE_BYTES;
      if (pages <= LONGEST_STACK_PAGES) continue;
      const message = `kernel stacks are mapped up to ${hex(address)} without a gap: they have no guard pages`;
      this.checks.reporter.report('guard-page-mapped', hart, false, message, {
        virtualAddress: address,
        entryAfter: entry,
      });
      return;
    }
  }
}
