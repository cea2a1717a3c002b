/** What the checker reports, and how reports are collected: repeats are counted, not repeated. */
import type { Hart } from '../rv64/hart.js';
import type { Guest, ProcessName } from './guest.js';
import { type Descent, descend, SV39 } from './model/page-table.js';
import type { Call } from './probes.js';
import type { RuleId } from './rules.js';

/** Something that happened at an instruction of the guest. */
export interface Event {
  /** Instructions that all harts had executed: see Machine.instructionCount. */
  readonly instruction: number;
  /** Virtual time: cycles of one hart since reset, idle ones included. */
  readonly cycle: number;
  readonly hart: number;
  /** Undefined in the scheduler, and in a kernel whose processes were not found. */
  readonly process: ProcessName | undefined;
  /** The pc, then return addresses outwards. */
  readonly stack: readonly number[];
}

/** What a finding says besides its message, as far as it applies. */
export interface Evidence {
  /** The root of the table that the finding is about, with `virtualAddress`. */
  readonly table?: number;
  readonly virtualAddress?: number;
  readonly physicalAddress?: number;
  readonly entryBefore?: bigint;
  /** By what the kernel was asked for, or by its layout. */
  readonly entryExpected?: bigint;
  readonly entryAfter?: bigint;
  /** Of findings of a rule, those with the same words here are repeats of each other, wherever they were made. */
  readonly sameAs?: string;
  /** Earlier events, each with words that lead to it, such as `allocated`. */
  readonly history?: readonly { readonly what: string; readonly event: Event }[];
}

export interface Finding extends Evidence {
  readonly rule: RuleId;
  readonly message: string;
  readonly event: Event;
  /** Physical address of the root table in force; undefined where none was. */
  readonly root: number | undefined;
  /** How `table` translated the virtual address when the finding was made. */
  readonly path: readonly Descent[];
  /** How often it happened, at the same place. */
  count: number;
}

/** Whose frame a backtrace begins in: at a function's first instruction, its own does not stand yet. */
export type Backtrace = (hart: Hart, atEntry: boolean) => readonly number[];

/** Of a backtrace, so many innermost places tell two findings of a rule apart. */
const PLACES_COMPARED = 4;

/** A call is four bytes, or two: so far before the address that it returns to is within it, and on its line. */
const WITHIN_CALL = 2;

/** Within the call that returns to an address. */
export const callBefore = (returnAddress: number): number => returnAddress - WITHIN_CALL;

/** Of a backtrace that begins in a function, the part that begins with the call of that function. */
export const callersOf = ([own, returnAddress, ...rest]: readonly number[]): readonly number[] =>
  returnAddress === undefined ? [own] : [callBefore(returnAddress), ...rest];

export class Reporter {
  readonly findings: Finding[] = [];
  private readonly byPlace = new Map<string, Finding>();

  /** `isEnabled` chooses the rules that are reported; `onFinding` hears of each finding that is no repeat. */
  constructor(
    private readonly guest: Guest,
    readonly stackOf: Backtrace,
    private readonly isEnabled: (rule: RuleId) => boolean,
    private readonly onFinding: (finding: Finding) => void,
  ) {}

  eventOf(hart: Hart, atEntry: boolean): Event {
    return {
      instruction: this.guest.machine.instructionCount,
      cycle: hart.cycles,
      hart: hart.index,
      process: this.guest.processOn(hart),
      stack: this.stackOf(hart, atEntry),
    };
  }

  /** Reports what `hart` has just done, or, `atEntry`, the call that it has just made. */
  report(rule: RuleId, hart: Hart, atEntry: boolean, message: string, evidence: Evidence = {}): void {
    const event = this.eventOf(hart, atEntry);
    const stack = atEntry ? callersOf(event.stack) : event.stack;
    this.reportEvent(rule, { ...event, stack }, message, evidence, this.guest.rootOf(hart));
  }

  /** Reports what a call has done that returns on `hart`: of its function, for the pc is the caller's by now. */
  reportReturn(rule: RuleId, hart: Hart, call: Call, message: string, evidence: Evidence = {}): void {
    const event = this.eventOf(hart, false);
    const stack = [call.entry, ...event.stack];
    this.reportEvent(rule, { ...event, stack }, message, evidence, this.guest.rootOf(hart));
  }

  /** Reports something that happened earlier. */
  reportEvent(rule: RuleId, event: Event, message: string, evidence: Evidence, root?: number): void {
    if (!this.isEnabled(rule)) return;
    const { sameAs = event.stack.slice(0, PLACES_COMPARED).join(' ') } = evidence;
    const key = `${rule} ${sameAs}`;
    const known = this.byPlace.get(key);
    if (known) {
      known.count++;
      return;
    }
    const { table, virtualAddress } = evidence;
    const isWalkable = table !== undefined && virtualAddress !== undefined;
    const path = isWalkable ? descend(SV39, this.guest, table, virtualAddress) : [];
    const finding: Finding = { rule, message, event, root, path, count: 1, ...evidence };
    this.byPlace.set(key, finding);
    this.findings.push(finding);
    this.onFinding(finding);
  }
}
