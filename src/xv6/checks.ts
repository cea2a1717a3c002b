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
  /** Addresses of the spinlocks that a hart holds; a new array. */
  locksHeld(hart: Hart): number[];
  /** The name of the lock at an address, or the address. */
  lockName(lock: number): string;
  /** Says, once, what is not checked in this kernel, and why. */
  notChecked(what: string): void;
}
