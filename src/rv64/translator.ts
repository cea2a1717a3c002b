/**
 * What the hart's loop asks of a translator, which executes hot code faster than the interpreter and otherwise the
 * same. The machine is right without one.
 */
import type { CodePage } from './code-page.js';
import type { Hart } from './hart.js';

export interface Translator {
  /**
   * Executes translated code, from the hart's pc on, until there is none for where it has come to, the fuel does not
   * suffice, or something must be looked at. Returns at once where there is none. Never throws Trap.
   */
  run(hart: number): void;

  /** Whether translated code begins at a slot of a page. */
  has(page: CodePage, slot: number): boolean;

  /** Notes that a hart's execution has come to a slot of a page by a jump. True when translated code begins there. */
  arrive(page: CodePage, slot: number, hart: Hart): boolean;

  /** A page's instructions are no longer what they were. */
  forget(page: CodePage): void;
}
