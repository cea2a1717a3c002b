/** A process's address space: its size, and its mmap regions. */
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES, PTE_D, PTE_U } from '../sv39/pte.js';
import type { Checks } from './checks.js';
import { hex } from './model/errors.js';
import { TRAPFRAME } from './model/kernel-layout.js';
import { roundDown, roundUp } from './model/memory.js';
import { bottomOf, frameOf, isValidLeaf, PERMISSIONS, SV39 } from './model/page-table.js';
import { isSharedFile, permissionsOf, type Region, Regions } from './model/regions.js';
import { type Call, FAILED } from './probes.js';
import { describePermissions } from './table-rules.js';

/** What munmap, or the end of a process, has to do: frames of shared file pages that were stored to, and those written since. */
interface Unmapping {
  readonly root: number | undefined;
  readonly changed: Map<number, number>;
  readonly written: Set<number>;
}

export class ProcessRules {
  /** By the address of the process structure. */
  private readonly regions = new Map<number, Regions>();
  /** By root, the size that the last uvmalloc or uvmdealloc returned, until it was compared. */
  private readonly resized = new Map<number, number>();
  /** Where a process structure points to its own address space, by the last one looked at. */
  private rootOffset = 0;
  /** Where a process structure may hold the size, by what it held at forks; undefined before the first. */
  private sizeOffsets: number[] | undefined;

  constructor(private readonly checks: Checks) {
    const { probes, guest } = checks;
    const noteSize = (call: Call, _: Hart, result: number): void => {
      if (result > 0 && result < FAILED / 2) this.resized.set(call.arguments[0], result);
    };
    probes.on('uvmalloc', { leave: noteSize });
    probes.on('uvmdealloc', { leave: noteSize });
    probes.on('uvmcopy', { enter: (call, hart) => this.learnSize(call, hart) });
    probes.on('userReturn', { enter: (_, hart) => this.checkSize(hart) });

    // One without the other is a helper of a kernel that does it another way, with arguments of its own.
    if (!probes.has('mmap') || !probes.has('munmap')) {
      if (guest.symbols.some(({ name }) => /^sys_mmap$/.test(name)))
        checks.notChecked('mmap regions: this kernel has no functions mmap and munmap');
      return;
    }
    probes.on('mmap', { leave: (call, hart, result) => this.afterMmap(call, hart, result) });
    probes.on('munmap', {
      enter: (call, hart) => {
        const [start, length] = call.arguments;
        call.note = this.unmapping(guest.processAddress(hart), start, start + length);
      },
      leave: (call, hart, result) => this.afterMunmap(call, hart, result),
    });
    probes.on('mmapRelease', {
      enter: (call) => (call.note = this.unmapping(call.arguments[0], 0, Infinity)),
      leave: (call, hart) => {
        this.checkWrittenBack(call, hart);
        this.regions.delete(call.arguments[0]);
      },
    });
    probes.on('processFree', { enter: (call) => this.regions.delete(call.arguments[0]) });
    probes.on('mmapCopy', {
      leave: (call, _, result) => {
        const parent = this.regions.get(call.arguments[0]);
        if (result === 0 && parent) this.regions.set(call.arguments[1], parent.copy());
      },
    });
    probes.on('mappages', { leave: (call, hart, result) => this.afterMap(call, hart, result) });
    probes.on('fileWrite', { enter: (call) => this.noteWrite(call) });
  }

  // ---- size ---------------------------------------------------------------------------------------------

  /** fork copies as many bytes as the parent has: so its structure tells where the size is. */
  private learnSize(call: Call, hart: Hart): void {
    const { guest } = this.checks;
    const process = guest.processAddress(hart);
    if (process === undefined) return;
    const offsets =
      this.sizeOffsets ?? Array.from({ length: guest.processBytes / 8 }, (_, index) => 8 * index);
    this.sizeOffsets = offsets.filter((offset) => guest.word(process + offset) === call.arguments[2]);
  }

  private checkSize(hart: Hart): void {
    const { guest, reporter } = this.checks;
    const process = guest.processAddress(hart);
    if (this.resized.size === 0 || process === undefined || this.sizeOffsets?.length !== 1) return;
    const root = this.userRoot(process);
    const mapped = root === undefined ? undefined : this.resized.get(root);
    if (root === undefined || mapped === undefined) return;
    this.resized.delete(root);
    const size = guest.word(process + this.sizeOffsets[0]);
    const beyond = roundUp(size);
    if (beyond >= roundUp(mapped) || guest.translate(root, beyond) === undefined) return;
    const message = `the process has ${hex(size)} bytes, and a page mapped beyond them at ${hex(beyond)}`;
    reporter.report('beyond-size', hart, true, message, { virtualAddress: beyond });
  }

  /** The root of a process's own address space: of the tables it points to, the one with a trapframe. */
  private userRoot(process: number): number | undefined {
    const known = this.userRootAt(process + this.rootOffset);
    if (known !== undefined) return known;
    for (let offset = 0; offset < this.checks.guest.processBytes; offset += 8) {
      const root = this.userRootAt(process + offset);
      if (root === undefined) continue;
      this.rootOffset = offset;
      return root;
    }
    return undefined;
  }

  private userRootAt(place: number): number | undefined {
    const { guest, tables } = this.checks;
    const root = guest.word(place);
    return tables.page(root)?.root === root && guest.translate(root, TRAPFRAME) !== undefined
      ? root
      : undefined;
  }

  // ---- regions ------------------------------------------------------------------------------------------

  private afterMmap(call: Call, hart: Hart, start: number): void {
    const { guest, reporter } = this.checks;
    const process = guest.processAddress(hart);
    if (start >= FAILED / 2 || process === undefined) return;
    const [, length, protection, flags] = call.arguments;
    const region: Region = { start, end: start + roundUp(length), protection, flags };
    const regions = this.regions.get(process) ?? new Regions();
    this.regions.set(process, regions);
    const other = regions.overlapping(region.start, region.end);
    if (other) {
      const message =
        `mmap returned ${hex(region.start)} to ${hex(region.end)}, ` +
        `over the region ${hex(other.start)} to ${hex(other.end)}`;
      reporter.reportReturn('mmap-overlap', hart, call, message, { virtualAddress: start });
      regions.remove(region.start, region.end);
    }
    regions.add(region);
  }

  private unmapping(process: number | undefined, start: number, end: number): Unmapping {
    const { guest } = this.checks;
    const root = process === undefined ? undefined : this.userRoot(process);
    const changed = new Map<number, number>();
    for (const region of (process !== undefined && this.regions.get(process)?.all()) || []) {
      if (root === undefined || !isSharedFile(region)) continue;
      for (let page = Math.max(region.start, start); page < Math.min(region.end, end); page += PAGE_BYTES) {
        const { entry } = bottomOf(SV39, guest, root, page);
        if (isValidLeaf(entry) && (entry & PTE_D) !== 0n) changed.set(frameOf(entry), page);
      }
    }
    return { root, changed, written: new Set() };
  }

  private noteWrite(call: Call): void {
    for (let each = call.caller; each !== undefined; each = each.caller) {
      if (each.role === 'munmap' || each.role === 'mmapRelease') {
        (each.note as Unmapping).written.add(roundDown(call.arguments[2]));
      }
    }
  }

  private afterMunmap(call: Call, hart: Hart, result: number): void {
    const { guest, reporter } = this.checks;
    const process = guest.processAddress(hart);
    if (result !== 0 || process === undefined) return;
    const [start, length] = call.arguments;
    const end = start + roundUp(length);
    this.regions.get(process)?.remove(start, end);
    this.checkWrittenBack(call, hart);
    const { root } = call.note as Unmapping;
    for (let page = start; root !== undefined && page < end; page += PAGE_BYTES) {
      const { entry, at } = bottomOf(SV39, guest, root, page);
      if (!isValidLeaf(entry)) continue;
      const made = this.checks.tables.mappingAt(at)?.made;
      const message = `munmap of ${hex(start)} to ${hex(end)} left ${hex(page)} mapped`;
      reporter.reportReturn('munmap-leaves-page', hart, call, message, {
        virtualAddress: page,
        physicalAddress: frameOf(entry),
        entryAfter: entry,
        history: made ? [{ what: 'mapped', event: made }] : [],
      });
      return;
    }
  }

  /** A page beyond the file's end has nowhere to go; so it is told only where no page of the call was written. */
  private checkWrittenBack(call: Call, hart: Hart): void {
    if (!this.checks.probes.has('fileWrite')) return;
    const { changed, written } = call.note as Unmapping;
    const first = [...changed].find(([frame]) => !written.has(frame));
    if (first === undefined || written.size > 0) return;
    const [frame, page] = first;
    const message = `the shared page at ${hex(page)} was stored to, and was unmapped without being written to its file`;
    const evidence = { virtualAddress: page, physicalAddress: frame };
    this.checks.reporter.reportReturn('not-written-back', hart, call, message, evidence);
  }

  private afterMap(call: Call, hart: Hart, result: number): void {
    const { guest, reporter } = this.checks;
    const process = guest.processAddress(hart);
    const regions = process === undefined ? undefined : this.regions.get(process);
    if (result !== 0 || process === undefined || regions === undefined) return;
    const [root, address, , , permissions] = call.arguments;
    const region = regions.at(address);
    const granted = BigInt(permissions) & PERMISSIONS;
    if (region === undefined || (granted & PTE_U) === 0n) return;
    if ((granted & ~permissionsOf(region)) === 0n || root !== this.userRoot(process)) return;
    const message =
      `the page at ${hex(address)} is mapped ${describePermissions(granted)}, ` +
      `and its region allows ${describePermissions(permissionsOf(region))}`;
    reporter.report('mmap-protection', hart, false, message, { virtualAddress: address });
  }
}
