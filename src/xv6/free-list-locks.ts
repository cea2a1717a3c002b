/** The locks of free lists: every change of one is made with the lock that guards it elsewhere. */
import type { Hart } from '../rv64/hart.js';
import type { Checks } from './checks.js';
import type { FreeList } from './free-list.js';
import { Guard, type Habit, missingIn, newHabit } from './guard.js';
import type { Call } from './probes.js';

/** What a call of kalloc or kfree has done so far, to the list that has or had `frame`. */
export interface ListChange {
  readonly frame: number;
  /** Held when the call began, then those taken and given back since. */
  readonly locks: readonly number[];
  /** How many were held when it began. */
  readonly heldBefore: number;
  /** See FreeList.noteFirsts. */
  readonly lost: number[];
}

export class FreeListLocks {
  /** By function, with the names of locks. */
  private readonly byFunction = new Guard();
  /** By where a list begins, with the addresses of locks that were taken for it. */
  private readonly byList = new Map<number, Habit<number>>();

  constructor(
    private readonly checks: Checks,
    private readonly list: FreeList,
  ) {}

  /** Holds what a call of kalloc or kfree has done, which is about to release a lock (`atEntry`) or has returned, against the calls before. */
  check(call: Call, change: ListChange, hart: Hart, atEntry: boolean): void {
    this.list.noteFirsts(change.lost);
    if (!this.checks.locks.areSeen || isWithinInitialisation(call)) return;
    this.list.noteLocks(change.locks);
    const lacking = this.lackingForList(call, change) ?? this.lackingForFunction(call, change);
    if (lacking === undefined) return;
    const { reporter } = this.checks;
    const message = `${call.role} changes a free list without ${lacking}`;
    const evidence = { sameAs: message };
    if (atEntry) reporter.report('free-list-unlocked', hart, atEntry, message, evidence);
    else reporter.reportReturn('free-list-unlocked', hart, call, message, evidence);
  }

  /** Where there are several lists, one per CPU mostly, each has a lock of its own. */
  private lackingForList(call: Call, change: ListChange): string | undefined {
    const { frame, locks, heldBefore, lost } = change;
    const head = call.role === 'kalloc' ? headThatLost(frame, lost) : this.list.headWith(frame);
    if (head === undefined) return undefined;
    let habit = this.byList.get(head);
    if (habit === undefined) this.byList.set(head, (habit = newHabit()));
    const lock = missingIn(habit, locks.slice(heldBefore));
    return lock === undefined
      ? lock
      : `"${this.checks.locks.nameOf(lock)}", which was taken for each change of this list before`;
  }

  private lackingForFunction(call: Call, { locks }: ListChange): string | undefined {
    const guard = this.byFunction.missingAt(
      call.role,
      locks.map((lock) => this.checks.locks.nameOf(lock)),
    );
    if (guard !== undefined) return `"${guard}", which is held elsewhere`;
    return locks.length === 0 && this.list.predicts ? 'holding a lock' : undefined;
  }
}

function headThatLost(frame: number, lost: readonly number[]): number | undefined {
  for (let index = 0; index < lost.length; index += 2) if (lost[index] === frame) return lost[index + 1];
  return undefined;
}

/** While the allocator is set up nobody else is there to be locked out. */
function isWithinInitialisation({ caller }: Call): boolean {
  for (let each = caller; each !== undefined; each = each.caller) {
    if (each.role === 'allocatorInit' || each.role === 'freeRange') return true;
  }
  return false;
}
