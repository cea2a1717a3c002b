/**
 * Which lock guards a list that several functions change, such as kalloc and kfree. Nothing is known of the kernel's
 * source, so it is learned from the locks that are held (as in S. Savage et al., "Eraser: a dynamic data race detector", 1997):
 * for each function the locks that it held at every change. Locks of one name, numbers aside, count as one: lists per CPU
 * have such.
 */

/** After so many changes with a lock held, or without, that is no coincidence. */
const SETTLED = 16;

/** Which locks were held at changes of one kind. */
export interface Habit<Lock> {
  changes: number;
  /** Held at every change; undefined before the first. */
  always: readonly Lock[] | undefined;
}

export const newHabit = <Lock>(): Habit<Lock> => ({ changes: 0, always: undefined });

/** Takes note of a change with these locks; or returns one that is always held, where that is settled and none of those is. */
export function missingIn<Lock>(habit: Habit<Lock>, held: readonly Lock[]): Lock | undefined {
  const always = habit.always?.filter((lock) => held.includes(lock)) ?? held;
  if (always.length === 0 && habit.changes >= SETTLED && habit.always![0] !== undefined)
    return habit.always![0];
  habit.changes++;
  if (always.length !== habit.always?.length) habit.always = always;
  return undefined;
}

interface FunctionHabit extends Habit<string> {
  /** Held at some change. */
  readonly ever: Set<string>;
}

export class Guard {
  private readonly habits = new Map<string, FunctionHabit>();
  /** Names that count as one, by each of them. */
  private readonly classes = new Map<string, string>();

  /**
   * Takes note of a change by a function that holds locks of these names. Returns the name of one that this function, or
   * another one that changes the list, always holds, and this call does not.
   */
  missingAt(changer: string, names: readonly string[]): string | undefined {
    const held = names.map((name) => this.classOf(name));
    let own = this.habits.get(changer);
    if (own === undefined) this.habits.set(changer, (own = { ...newHabit<string>(), ever: new Set() }));
    const missing = missingIn(own, held);
    if (missing !== undefined) return missing;
    held.forEach((name) => own.ever.add(name));
    return own.changes > SETTLED ? this.neverHeldBy(own) : undefined;
  }

  /** A lock that another function always holds, none of whose locks this one ever held. */
  private neverHeldBy(own: FunctionHabit): string | undefined {
    for (const other of this.habits.values()) {
      const { always = [], changes } = other;
      const isSettled = other !== own && changes > SETTLED && always.length > 0;
      if (isSettled && !always.some((name) => own.ever.has(name))) return always[0];
    }
    return undefined;
  }

  private classOf(name: string): string {
    let known = this.classes.get(name);
    if (known === undefined) this.classes.set(name, (known = name.replace(/\d+/g, '')));
    return known;
  }
}
