/** Why Machine.run returned. */
export type Stop =
  /** The time that was asked for has passed. */
  | { readonly kind: 'budget' }
  /** Every hart waits, and goes on in so many cycles (Infinity: only when something comes from outside). */
  | { readonly kind: 'idle'; readonly cycles: number }
  /** The guest ended the run, through the finisher or through tohost. */
  | { readonly kind: 'finished'; readonly code: number; readonly message?: string }
  /** The guest asked for a reset. */
  | { readonly kind: 'reset' }
  /** A step limit was reached, or somebody called `pause`; `run` goes on from there. The message is why, if the guest got stuck. */
  | { readonly kind: 'paused'; readonly message?: string }
  /** The guest can never get on; the message says what it did. */
  | { readonly kind: 'stuck'; readonly message: string };
