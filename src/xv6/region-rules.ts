/** The mmap regions of each process: where they lie, what their pages allow, and what becomes of these. */
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES, PTE_D, PTE_U } from '../sv39/pte.js';
import type { Checks } from './checks.js';
import { hex } from './model/errors.js';
import { MAXIMUM_ADDRESS, TRAPFRAME } from './model/kernel-layout.js';
import { roundDown, roundUp } from './model/memory.js';
import { bottomOf, frameOf, isValidLeaf, PERMISSIONS, SV39 } from './model/page-table.js';
import { isSharedFile, permissionsOf, Regions } from './model/regions.js';
import type { Call, Role } from './probes.js';
import { describePermissions } from './table-rules.js';

/** What munmap, or the end of a process, has to do: frames of shared file pages that were stored to, and those written since. */
interface Unmapping {
  readonly root: number | undefined;
  readonly start: number;
  readonly end: number;
  readonly changed: Map<number, number>;
  readonly written: Set<number>;
}

/** The regions of a process, in the table that it has had since; a program that exec begins has another, and none of them. */
interface Mapped {
  root: number | undefined;
  readonly regions: Regions;
}

/** Where a trapframe has a0, behind which the other arguments of a system call lie; it begins with the satp of the kernel. */
const TRAPFRAME_A0 = 112;

export class RegionRules {
  /** By the address of the process structure. */
  private readonly mapped = new Map<number, Mapped>();
  /** In these, shared pages are written to their files. */
  private writingBack: readonly Role[] = [];

  /** `rootOf` tells the root of a process's own address space. */
  constructor(
    private readonly checks: Checks,
    private readonly rootOf: (process: number) => number | undefined,
  ) {
    const { probes, guest } = checks;
    const areFunctions = probes.has('mmap') && probes.has('munmap');
    const areCalls = probes.has('sysMmap') && probes.has('sysMunmap');
    // One of the two without the other is a helper of a kernel that does it another way, with arguments of its own.
    if (!areFunctions && !areCalls) {
      if (guest.symbols.some(({ name }) => name === 'sys_mmap'))
        checks.notChecked(
          'mmap regions: this kernel has no functions mmap and munmap, nor sys_mmap and sys_munmap',
        );
      return;
    }
    const [map, unmap] = areFunctions ? (['mmap', 'munmap'] as const) : (['sysMmap', 'sysMunmap'] as const);
    this.writingBack = [unmap, 'mmapRelease'];
    const argumentsOf = (call: Call, hart: Hart): readonly number[] =>
      areFunctions ? call.arguments : this.systemCallArguments(hart);
    probes.on(map, {
      leave: (call, hart, result) => this.afterMmap(call, hart, argumentsOf(call, hart), result),
    });
    probes.on(unmap, {
      enter: (call, hart) => {
        const [start = 0, length = 0] = argumentsOf(call, hart);
        call.note = this.unmapping(guest.processAddress(hart), start, start + roundUp(length));
      },
      leave: (call, hart, result) => this.afterMunmap(call, hart, result),
    });
    probes.on('mmapRelease', {
      enter: (call) => (call.note = this.unmapping(call.arguments[0], 0, Infinity)),
      leave: (call, hart) => {
        this.checkWrittenBack(call, hart);
        this.mapped.delete(call.arguments[0]);
      },
    });
    probes.on('processFree', { enter: (call) => this.mapped.delete(call.arguments[0]) });
    probes.on('mmapCopy', {
      leave: (call, _, result) => {
        const [parent, child] = call.arguments;
        const regions = this.regionsOf(parent);
        if (result === 0 && regions) this.mapped.set(child, { root: undefined, regions: regions.copy() });
      },
    });
    probes.on('mappages', { leave: (call, hart, result) => this.afterMap(call, hart, result) });
    probes.on('fileWrite', { enter: (call) => this.noteWrite(call) });
  }

  /** The arguments of the system call that a hart is in, as the user gave them; none where the kernel has another trapframe. */
  private systemCallArguments(hart: Hart): number[] {
    const { guest } = this.checks;
    const process = guest.processAddress(hart);
    const root = process === undefined ? undefined : this.rootOf(process);
    const trapframe = root === undefined ? undefined : guest.translate(root, TRAPFRAME);
    const kernelRoot = guest.rootOf(hart);
    if (trapframe === undefined || kernelRoot === undefined) return [];
    if (guest.word32(trapframe) !== (kernelRoot / PAGE_BYTES) >>> 0) return [];
    return [0, 1, 2, 3].map((index) => guest.word(trapframe + TRAPFRAME_A0 + 8 * index));
  }

  private regionsOf(process: number): Regions | undefined {
    const mapped = this.mapped.get(process);
    if (mapped === undefined) return undefined;
    const root = this.rootOf(process);
    mapped.root ??= root;
    if (mapped.root === root) return mapped.regions;
    this.mapped.delete(process);
    return undefined;
  }

  private afterMmap(
    call: Call,
    hart: Hart,
    [, length = 0, protection = 0, flags = 0]: readonly number[],
    start: number,
  ): void {
    const { guest, reporter } = this.checks;
    const process = guest.processAddress(hart);
    const end = start + roundUp(length);
    if (process === undefined || end <= start || end > MAXIMUM_ADDRESS) return;
    const regions = this.regionsOf(process) ?? new Regions();
    this.mapped.set(process, { root: this.rootOf(process), regions });
    const other = regions.overlapping(start, end);
    if (other) {
      const message =
        `mmap returned ${hex(start)} to ${hex(end)}, ` +
        `over the region ${hex(other.start)} to ${hex(other.end)}`;
      reporter.reportReturn('mmap-overlap', hart, call, message, { virtualAddress: start });
      regions.remove(start, end);
    }
    regions.add({ start, end, protection, flags });
  }

  private unmapping(process: number | undefined, start: number, end: number): Unmapping {
    const { guest } = this.checks;
    const root = process === undefined ? undefined : this.rootOf(process);
    const changed = new Map<number, number>();
    for (const region of (process !== undefined && this.regionsOf(process)?.all()) || []) {
      if (root === undefined || !isSharedFile(region)) continue;
      for (let page = Math.max(region.start, start); page < Math.min(region.end, end); page += PAGE_BYTES) {
        const { entry } = bottomOf(SV39, guest, root, page);
        if (isValidLeaf(entry) && (entry & PTE_D) !== 0n) changed.set(frameOf(entry), page);
      }
    }
    return { root, start, end, changed, written: new Set() };
  }

  private noteWrite(call: Call): void {
    for (let each = call.caller; each !== undefined; each = each.caller) {
      if (this.writingBack.includes(each.role)) {
        (each.note as Unmapping).written.add(roundDown(call.arguments[2]));
      }
    }
  }

  private afterMunmap(call: Call, hart: Hart, result: number): void {
    const { guest, reporter } = this.checks;
    const process = guest.processAddress(hart);
    if (result !== 0 || process === undefined) return;
    const { root, start, end } = call.note as Unmapping;
    if (end > MAXIMUM_ADDRESS) return;
    this.regionsOf(process)?.remove(start, end);
    this.checkWrittenBack(call, hart);
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
    const regions = process === undefined ? undefined : this.regionsOf(process);
    if (result !== 0 || process === undefined || regions === undefined) return;
    const [root, address, , , permissions] = call.arguments;
    const region = regions.at(address);
    const granted = BigInt(permissions) & PERMISSIONS;
    if (region === undefined || (granted & PTE_U) === 0n) return;
    if ((granted & ~permissionsOf(region)) === 0n || root !== this.rootOf(process)) return;
    const message =
      `the page at ${hex(address)} is mapped ${describePermissions(granted)}, ` +
      `and its region allows ${describePermissions(permissionsOf(region))}`;
    reporter.report('mmap-protection', hart, false, message, { virtualAddress: address });
  }
}
