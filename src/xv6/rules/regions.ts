/** Rules about mmap and munmap. */
import type { Rule } from './rule.js';

export const REGION_RULES = {
  'mmap-overlap': {
    severity: 'error',
    law: 'The regions of a process do not overlap.',
    reason: 'The pages of one would be taken for those of the other, and freed twice.',
    causes: ['The search for a gap looks at starts and not at ends, or not at all regions.'],
    advice: 'Two half-open ranges overlap when each begins before the other ends.',
  },
  'munmap-leaves-page': {
    severity: 'error',
    law: 'After munmap, no page of the range is mapped.',
    reason: 'The page can still be used, and will be found by freewalk or by the next mmap.',
    causes: ['The number of pages was rounded down.'],
    advice: 'The finding gives the first page that is left.',
  },
  'mmap-protection': {
    severity: 'error',
    law: 'A page of a region is mapped with no permission that the region does not have.',
    reason: 'PROT_READ is a promise that stores fault.',
    causes: ['The page fault handler maps every page with PTE_R | PTE_W | PTE_X.'],
    advice: 'Translate prot into permission bits, for the page fault and for fork.',
  },
  'not-written-back': {
    severity: 'error',
    law: 'A page of a shared file mapping that was stored to is written to its file when it is unmapped.',
    reason: 'Otherwise what the process stored is lost.',
    causes: ['munmap, or exit, unmaps without writing back.', 'The test for a changed page is wrong.'],
    advice: 'D in the entry says that the page was stored to. exit has to do all that munmap does.',
  },
} as const satisfies Record<string, Rule>;
