/** What came into a machine from outside: with the same input at the same moments, a run is the same again. */
export interface InputEntry {
  /** Cycles that all harts had completed (`Machine.cycles`) when it was typed. */
  readonly at: number;
  /** Instructions that they had executed (`Machine.instructionCount`), by which two runs can be told to be the same so far. */
  readonly instructions: number;
  readonly bytes: Uint8Array;
}
