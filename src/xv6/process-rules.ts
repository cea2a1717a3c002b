/** A process's address space: its size, and where its table is. */
import type { Hart } from '../rv64/hart.js';
import type { Checks } from './checks.js';
import { hex } from './model/errors.js';
import { TRAPFRAME } from './model/kernel-layout.js';
import { roundUp } from './model/memory.js';
import { type Call, FAILED } from './probes.js';
import { RegionRules } from './region-rules.js';

export class ProcessRules {
  /** By root, the size that the last uvmalloc or uvmdealloc returned, until it was compared. */
  private readonly resized = new Map<number, number>();
  /** Where a process structure points to its own address space, by the last one looked at. */
  private rootOffset = 0;
  /** Where a process structure may hold the size, by what it held at forks; undefined before the first. */
  private sizeOffsets: number[] | undefined;

  constructor(private readonly checks: Checks) {
    const { probes } = checks;
    const noteSize = (call: Call, _: Hart, result: number): void => {
      if (result > 0 && result < FAILED / 2) this.resized.set(call.arguments[0], result);
    };
    probes.on('uvmalloc', { leave: noteSize });
    probes.on('uvmdealloc', { leave: noteSize });
    probes.on('uvmcopy', { enter: (call, hart) => this.learnSize(call, hart) });
    probes.on('userReturn', { enter: (_, hart) => this.checkSize(hart) });
    new RegionRules(checks, (process) => this.userRoot(process));
  }

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
}
