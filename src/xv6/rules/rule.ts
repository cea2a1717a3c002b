/** What is said about a rule of the checker. */

export type Severity = 'error' | 'warning';

export interface Rule {
  readonly severity: Severity;
  /** The law, in one sentence. */
  readonly law: string;
  /** Why it is one, and what happens to a kernel that breaks it. */
  readonly reason: string;
  /** How it usually comes to be broken. */
  readonly causes: readonly string[];
  /** What in the finding, and in the kernel, to look at first. */
  readonly advice: string;
}
