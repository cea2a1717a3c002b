/** Rules about fences, which only --strict-tlb checks. */
import type { Rule } from './rule.js';

export const FENCE_RULES = {
  'stale-translation': {
    severity: 'error',
    law: 'Once an entry of a page table was changed, each hart that may have used it executes sfence.vma before its next access through it.',
    reason:
      'Hardware keeps translations until it is told to forget them. The access goes to the frame that was mapped before, with the permissions of before: it may read or overwrite what has a new owner by now. Emulators usually show a change at once, so it goes unseen there.',
    causes: [
      'A page was unmapped, or its permissions were changed, and no sfence.vma followed on this hart.',
      'sfence.vma was executed for another address or another address space identifier; with an address it covers leaves only, and not a page of the table that was replaced.',
      'satp was changed to another table with the same identifier, with no sfence.vma around it.',
      'The page table is in use on another hart, which has to fence for itself.',
    ],
    advice:
      'The finding is the access; its history is the store to the entry. The fence belongs between the two, on the hart that is named. Only --strict-tlb finds this.',
  },
  'stale-instruction': {
    severity: 'error',
    law: 'Once instructions were stored to memory, a hart that fetched from that page before executes fence.i before it executes them.',
    reason:
      "Hardware may keep the instructions that it fetched before, of whatever was in the frame then: a program starts with pieces of another program in it. Emulators usually show new instructions at once, so it goes unseen there. Only stores by the same hart are covered by its own fence.i; another hart's are not.",
    causes: [
      'exec, or a page fault, loaded code into a frame that held code before, and no fence.i followed.',
      'fence.i was executed on the hart that loaded the code; the process then ran on another one.',
    ],
    advice:
      'The finding is the first fetch; its history is the last store to the page. A kernel fences best on the way to user mode, when the process is new on the hart. Only --strict-tlb finds this.',
  },
} as const satisfies Record<string, Rule>;
