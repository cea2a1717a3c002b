/**
 * Which lock guards a list that several functions change, such as kalloc and kfree. Nothing is known of the kernel's
 * source, so it is learned from the locks that are held (as in S. Savage et al., "Eraser: a dynamic data race detector", 1997):
 * for each function the locks that it held at every change. Locks of one name, numbers aside, count as one: lists per CPU
 * have such.
 */

/** After so many changes with a lock held, or without, that is no coincidence. */
const SETTLED = 16;

interface Habit {
  changes: number;
  /** Held at every change. */
  always: readonly string[];
  /** Held at some change. */
  readonly ever: Set<string>;
}

export class Guard {
  private readonly habits = new Map<string, Habit>();
  /** Names that count as one, by each of them. */
  private readonly classes = new Map<string, string>();

  /**
   * Takes note of a change by a function that holds locks of these names. Returns the name of one that this function, or
   * another one that changes the list, always holds, and this call does not.
   */
  missingAt(changer: string, names: readonly string[]): string | undefined {
    const held = names.map((name) => this.classOf(name));
    let own = this.habits.get(changer);
    if (own === undefined) this.habits.set(changer, (own = { changes: 0, always: held, ever: new Set() }));
    const always = own.always.filter((name) => held.includes(name));
    if (always.length === 0 && own.always.length > 0 && own.changes >= SETTLED) return own.always[0];
    own.changes++;
    if (always.length < own.always.length) own.always = always;
    held.forEach((name) => own.ever.add(name));
    return own.changes > SETTLED ? this.neverHeldBy(own) : undefined;
  }

  /** A lock that another function always holds, none of whose locks this one ever held. */
  private neverHeldBy(own: Habit): string | undefined {
    for (const other of this.habits.values()) {
      const isSettled = other !== own && other.changes > SETTLED && other.always.length > 0;
      if (isSettled && !other.always.some((name) => own.ever.has(name))) return other.always[0];
    }
    return undefined;
  }

  private classOf(name: string): string {
    let known = this.classes.get(name);
    if (known === undefined) this.classes.set(name, (known = name.replace(/\d+/g, '')));
    return known;
  }
}
