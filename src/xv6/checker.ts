/**
 * The checker: a guest's calls and stores, held against the model. It watches a machine from before its first
 * instruction and changes nothing: the run is the same, to the bit, with it and without.
 */
import type { Machine } from '../machine/machine.js';
import { BlockRules } from './block-rules.js';
import type { Checks } from './checks.js';
import { type Backtrace, type Event, type Finding, Reporter } from './finding.js';
import { FrameRules } from './frame-rules.js';
import { Guest } from './guest.js';
import { HeldLocks } from './held-locks.js';
import { KernelTableRules } from './kernel-table-rules.js';
import { LockRules } from './lock-rules.js';
import { LostFrames } from './lost.js';
import { Probes, type Role, ROLES } from './probes.js';
import { ProcessRules } from './process-rules.js';
import type { RuleId } from './rules.js';
import { SharingRules } from './sharing-rules.js';
import { checkFences } from './stale-rules.js';
import { TableRules } from './table-rules.js';
import { Tables } from './tables.js';

export interface CheckerOptions {
  /** Return addresses of a hart's calls: see debug/backtrace.ts. */
  readonly backtrace: Backtrace;
  /** Which rules are reported; all if not given. */
  readonly isEnabled?: (rule: RuleId) => boolean;
  /** Whether harts keep old translations, to find missing fences; see stale-rules.ts. */
  readonly strictTlb?: boolean;
  /** Hears of each finding as it is made, repeats left out. */
  readonly onFinding?: (finding: Finding) => void;
}

/** What goes unchecked in a kernel that has no function for a role. Where one not named here is missing, so is what it would be checked for. */
const CHECKED_BY: Partial<Record<Role, string>> = {
  kalloc: 'frames',
  kfree: 'frames',
  walk: 'what walk returns',
  mappages: 'what mappages maps',
  useKernelTable: "the kernel's table",
  uvmdealloc: 'shrinking processes',
  uvmcopy: 'what fork copies',
  uvmclear: 'guard pages of user stacks',
  freewalk: 'leaves left in tables',
  copyout: 'what copyout stores to',
  userReturn: 'locks held on return to user mode',
  processFree: 'lost frames at the end of each process',
  schedule: 'locks held across a switch',
  contextSwitch: 'locks held across a switch',
  fileWrite: 'shared pages written back',
  acquire: 'locks',
  release: 'locks',
};

export class Checker {
  private readonly reporter: Reporter;
  private readonly lost: LostFrames;
  private readonly frames: FrameRules;
  private readonly unchecked = new Set<string>();

  /** `machine` has not run yet; `kernel` is the file that it runs. */
  constructor(
    private readonly machine: Machine,
    kernel: Uint8Array,
    { backtrace, isEnabled = () => true, onFinding = () => {}, strictTlb = false }: CheckerOptions,
  ) {
    const guest = new Guest(machine, kernel);
    const reporter = new Reporter(guest, backtrace, isEnabled, onFinding);
    const probes = new Probes(guest);
    const tables = new Tables(
      guest,
      (change) => {
        if (!seesTablesEnd) return;
        tableRules.checkEntry(change);
        sharing.checkEntry(change);
      },
      (hart) => reporter.eventOf(hart, false),
    );
    const seesTablesEnd = probes.has('kfree');
    if (!seesTablesEnd)
      this.unchecked.add(`entries of page tables: this kernel has no function ${ROLES.kfree.names[0]}`);
    probes.on('kfree', { enter: ({ arguments: [frame] }) => tables.drop(frame) });
    const checks: Checks = {
      guest,
      probes,
      reporter,
      tables,
      locks: new HeldLocks(guest, probes),
      notChecked: (what) => this.unchecked.add(what),
    };
    const tableRules = new TableRules(checks, () => frames);
    const sharing = new SharingRules(checks, () => frames);
    new LockRules(checks);
    const frames = new FrameRules(checks);
    new KernelTableRules(checks);
    new BlockRules(checks, frames);
    new ProcessRules(checks);
    this.lost = new LostFrames(checks, frames);
    this.frames = frames;
    this.reporter = reporter;
    if (strictTlb) checkFences(machine, guest, reporter, (what) => this.unchecked.add(what));
    for (const role of probes.attach()) {
      const what = CHECKED_BY[role];
      if (what) this.unchecked.add(`${what}: this kernel has no function ${ROLES[role].names.join(' or ')}`);
    }
  }

  /** What is known of the past of the frame at a physical address. */
  historyOf(physical: number): { what: string; event: Event }[] {
    return this.frames.history(physical);
  }

  get findings(): readonly Finding[] {
    return this.reporter.findings;
  }

  /** What was not checked so far, and why: one line each. */
  get notChecked(): string[] {
    return [...this.unchecked];
  }

  /** Looks for lost frames. To be called when the run is over, and whenever one wants to know. */
  searchLostFrames(): void {
    this.lost.search(this.machine.cycles);
  }
}
