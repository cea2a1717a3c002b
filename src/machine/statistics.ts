/** What a machine has done, for those who want to know why it is as fast as it is. */
import type { Hart } from '../rv64/hart.js';
import type { Jit } from '../rv64/jit/jit.js';
import type { JitStatistics } from '../rv64/jit/meter.js';

/** Counted since the machine was made or loaded. It is about the host's work, and no part of the machine's state. */
export interface MachineStatistics {
  /** Instructions that all harts have executed; interrupts taken are among them. */
  readonly instructions: number;
  /** Misses of the TLB that were filled the quick way, and walks of a page table by the specification's steps. */
  readonly quickFills: number;
  readonly fullWalks: number;
  /** Undefined where everything is interpreted. */
  readonly translator: JitStatistics | undefined;
}

export function statisticsOf(
  harts: readonly Hart[],
  instructions: number,
  jit: Jit | undefined,
): MachineStatistics {
  const sum = (of: (hart: Hart) => number): number => harts.reduce((total, hart) => total + of(hart), 0);
  return {
    instructions,
    quickFills: sum((hart) => hart.quickFills),
    fullWalks: sum((hart) => hart.fullWalks),
    translator: jit?.statistics(),
  };
}
