/** What the rules share. */
import type { Hart } from '../rv64/hart.js';
import type { Reporter } from './finding.js';
import type { Guest } from './guest.js';
import type { Probes } from './probes.js';
import type { Tables } from './tables.js';

export interface Checks {
  readonly guest: Guest;
  readonly probes: Probes;
  readonly reporter: Reporter;
  readonly tables: Tables;
  /** How many spinlocks a hart holds. */
  locksHeld(hart: Hart): number;
  /** Says, once, what is not checked in this kernel, and why. */
  notChecked(what: string): void;
}
