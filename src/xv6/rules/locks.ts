/** Rules about spinlocks. */
import type { Rule } from './rule.js';

export const LOCK_RULES = {
  'lock-order': {
    severity: 'error',
    law: 'Any two locks are always taken in the same order.',
    reason:
      'Two harts that take them in opposite orders wait for each other for ever. It need not have happened yet to be a bug.',
    causes: ['A function that takes a lock was called with another one held.'],
    advice:
      'The history shows where each order was seen. Release one lock first, or take both in the other order.',
  },
  'lock-across-switch': {
    severity: 'error',
    law: 'A process that gives up the hart holds only its own lock.',
    reason: 'Whoever runs next on the hart, and wants the lock, waits for a process that cannot run.',
    causes: ['sleep, yield or a disk transfer was called with a spinlock held.'],
    advice: 'Use a sleep lock, or release the spinlock first.',
  },
  'lock-held-in-user': {
    severity: 'error',
    law: 'No spinlock is held on the return to user mode.',
    reason: 'The user program runs with the lock held, as long as it likes.',
    causes: ['A path through a system call returns without release.'],
    advice: 'The history says where the lock was taken.',
  },
} as const satisfies Record<string, Rule>;
