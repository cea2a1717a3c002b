/** Rules about kmalloc and kmfree. */
import type { Rule } from './rule.js';

export const BLOCK_RULES = {
  'kmalloc-overlap': {
    severity: 'error',
    law: 'Blocks that kmalloc has given do not overlap, and lie in frames that are allocated.',
    reason: 'Two owners of the same bytes overwrite each other.',
    causes: [
      'A block is split or joined with a wrong size: header forgotten, or counted twice.',
      'A frame went back to kfree while a block in it was in use.',
    ],
    advice: 'Compare the distance between the two blocks with the size of the first, header included.',
  },
  'kmfree-stranger': {
    severity: 'error',
    law: 'kmfree is given what kmalloc returned.',
    reason:
      'Anything else is taken for a block with a header before it, and whatever lies there for its size.',
    causes: ['A pointer into a block was passed, or one that came from kalloc.'],
    advice: 'Follow the pointer back to where it was allocated.',
  },
  'kmfree-twice': {
    severity: 'error',
    law: 'A block is freed once.',
    reason:
      'The second kmfree puts it on the free list again, which then has a cycle, or gives it to two callers.',
    causes: ['Two structures point to the block, and both free it.'],
    advice: 'Set the pointer to 0 where the block is freed.',
  },
  'kmalloc-too-large': {
    severity: 'error',
    law: 'kmalloc is not asked for more than a page.',
    reason:
      'Frames that follow each other in memory cannot be had from kalloc; a larger request can only end in a panic.',
    causes: ['A size that the user chose was passed on unchecked.'],
    advice: 'Check the size in the system call, and return -1.',
  },
} as const satisfies Record<string, Rule>;
