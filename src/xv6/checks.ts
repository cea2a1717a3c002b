/** What the rules share. */
import type { Reporter } from './finding.js';
import type { Guest } from './guest.js';
import type { HeldLocks } from './held-locks.js';
import type { Probes } from './probes.js';
import type { Tables } from './tables.js';

export interface Checks {
  readonly guest: Guest;
  readonly probes: Probes;
  readonly reporter: Reporter;
  readonly tables: Tables;
  readonly locks: HeldLocks;
  /** Says, once, what is not checked in this kernel, and why. */
  notChecked(what: string): void;
}
