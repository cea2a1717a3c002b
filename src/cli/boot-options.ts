/** The options of `rvemu boot`, by the names commander gives them. */
export interface BootOptions {
  disk?: string;
  smp: number;
  memory: number;
  virtio: 'auto' | 'legacy' | 'modern';
  ephemeral?: boolean;
  jit: boolean;
  codeBudget?: number;
  stats?: boolean;
  seed?: number;
  run?: string[];
  expect?: RegExp;
  prompt: RegExp;
  timeout?: number;
  log?: string;
  trace?: string;
  userSymbols?: string[];
  /**
   * Behaves as QEMU does: the run ends only when someone outside ends it, or the guest, which is no failure; and the
   * keys after Ctrl-A are rvemu's though they come from a pipe.
   */
  standsInForQemu?: boolean;
  gdb?: number;
  wait?: boolean;
  gdbHost?: string;
  history?: number;
  strictTlb?: boolean;
  explainPanic?: boolean;
  record?: string;
}
