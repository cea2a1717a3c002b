/** Rules about page tables: what an entry may be, and what each call on a table has to do. */
import type { Rule } from './rule.js';

export const TABLE_RULES = {
  'wrong-walk': {
    severity: 'error',
    law: 'walk returns the address of the level-0 entry for va, or 0 where a table on the way is missing.',
    reason: 'Every mapping is made and looked up through walk: a wrong entry maps, or unmaps, another page.',
    causes: [
      'The loop over the levels stops one too early or too late.',
      'A level is indexed with the bits of another: PX(level, va).',
      'An entry that is not valid is followed, or a superpage leaf is taken for a table.',
    ],
    advice:
      'Compute the three indices of the address by hand, and compare the entry returned with the one expected.',
  },
  'wrong-entry': {
    severity: 'error',
    law: 'When mappages returns 0, each page that it was asked for is mapped to its frame with the permissions asked for.',
    reason: 'The caller goes on to use what it believes to be mapped.',
    causes: [
      'The last page is left out: the end is computed from va + size and not from va + size - 1, or compared with the wrong sign.',
      'va or pa is not rounded down, or only one of them advances.',
      'Permission bits are dropped, or PTE_V is forgotten.',
    ],
    advice: 'The finding shows the entry and what it should be. Bits A and D do not count.',
  },
  remap: {
    severity: 'error',
    law: 'mappages is not asked for a page that is mapped already.',
    reason:
      'Writing over an entry loses the frame that it mapped, and hides that two owners want one address.',
    causes: [
      'The size of the process was not rounded up to a page before it grows.',
      'An old mapping was not removed: exec or munmap left pages behind, or fork mapped a page twice.',
    ],
    advice: 'The history names the store that made the first mapping, where it was seen.',
  },
  'reserved-entry': {
    severity: 'error',
    law: 'A valid entry has no reserved encoding: no W without R, and zeros in bits 63 to 54.',
    reason: 'Such an entry faults whenever it is used, whatever else it says.',
    causes: [
      'A physical address was stored as it is, without PA2PTE.',
      'PTE_W was given without PTE_R.',
      "A bit of the kernel's own was put above bit 53: bits 8 and 9 are free for that.",
    ],
    advice: 'Take the entry apart: frame number in bits 53 to 10, flags in 9 to 0.',
  },
  'misaligned-superpage': {
    severity: 'error',
    law: 'A leaf above level 0 maps a frame that is aligned to its size: 2 MiB at level 1, 1 GiB at level 2.',
    reason: 'A misaligned superpage faults whenever it is used.',
    causes: [
      'The allocator of superpages does not round its first address up.',
      'walk stopped at level 1 by mistake, and its caller stored an ordinary leaf there.',
    ],
    advice: 'If no superpage was meant, the fault is in walk.',
  },
  'kernel-memory-user': {
    severity: 'error',
    law: "No entry with U maps the kernel's own memory or a device.",
    reason: 'Any user program could read and change the kernel, or drive the device.',
    causes: [
      'PTE_U is in the permissions of a kernel region.',
      'A user mapping was made with a wrong physical address.',
    ],
    advice: 'The backtrace is that of the store that made the entry.',
  },
  'text-writable': {
    severity: 'error',
    law: "The kernel's text is not mapped writable.",
    reason: 'A stray store then changes code, far away from where it shows.',
    causes: ["The region from the kernel's start to etext has PTE_W, or etext was rounded the wrong way."],
    advice: 'Map text R-X, and what follows etext RW-.',
  },
  'trampoline-exposed': {
    severity: 'error',
    law: 'The trampoline is mapped R-X without U, and the trapframe without U, in every table.',
    reason:
      "Both are in the user's table while user code runs. With U, the user could jump into the middle of the kernel's entry code, or forge the saved kernel stack pointer; with W, change what runs in supervisor mode.",
    causes: ['PTE_U or PTE_W in proc_pagetable or kvmmake.'],
    advice: 'A page that the user is meant to read, such as USYSCALL, is another page, below these two.',
  },
  'guard-page-mapped': {
    severity: 'error',
    law: 'Below each kernel stack is a page that is not mapped.',
    reason: 'An overflow then faults at once, instead of running over the stack of another process.',
    causes: ["The address or the size of a stack's mapping is a page off."],
    advice: "Print the kernel's table around the trampoline: mapped and unmapped pages should alternate.",
  },
  'guard-page-open': {
    severity: 'error',
    law: 'After uvmclear, the user cannot access the page.',
    reason:
      'exec uses it for the page below the user stack, so that an overflow faults and does not run into data.',
    causes: ["The wrong bit is cleared, or the wrong page's entry."],
    advice: 'The entry should keep V and lose U.',
  },
  'kernel-table-differs': {
    severity: 'error',
    law: "The kernel's table maps memory and devices in place, and the trampoline at the top, as its layout says.",
    reason:
      'The kernel uses physical addresses as pointers. Where one is not mapped to itself, or not at all, it reads something else, or faults.',
    causes: ["A region's size or physical address is wrong.", 'A region ends before the next begins.'],
    advice: "Compare the finding's two entries with the call of kvmmap for that region.",
  },
  'leaf-left': {
    severity: 'error',
    law: 'When freewalk frees a table, the table maps nothing any more.',
    reason: 'A leaf that is left is a frame that nobody will free: xv6 panics with "freewalk: leaf".',
    causes: [
      'Memory was mapped outside [0, size), as mmap does, and not unmapped before the table was freed.',
      'The trapframe, the trampoline or an extra page such as USYSCALL was not unmapped in proc_freepagetable.',
      'The size passed to uvmfree is smaller than what is mapped.',
    ],
    advice: 'The finding gives the address that is still mapped, and the store that mapped it.',
  },
  'maps-free-frame': {
    severity: 'error',
    law: 'No entry is made for a frame that is free.',
    reason: 'The next kalloc gives the frame to someone else.',
    causes: [
      'The frame was freed just before, on an error path that did not return.',
      'An entry was copied from a table that is being freed.',
    ],
    advice: 'The history says who freed the frame.',
  },
  'unmapped-in-use': {
    severity: 'error',
    law: 'Shrinking a process to a size within a page keeps that page.',
    reason: "The first part of the page is still the process's: its next access faults.",
    causes: ['The new size was rounded down, not up, to the first page to unmap.'],
    advice: 'The first page to go is PGROUNDUP(newsz).',
  },
  'frame-shared': {
    severity: 'error',
    law: 'After uvmcopy, parent and child share no frame that either may write.',
    reason: 'fork promises a copy: what the child stores must not change the parent.',
    causes: [
      'The frame was mapped and not copied.',
      'copy-on-write cleared W in one of the two tables only.',
    ],
    advice:
      'The finding shows the entry of the parent and that of the child: for copy-on-write, neither may have W.',
  },
  'frame-of-another': {
    severity: 'error',
    law: 'Outside fork, no page is mapped to a frame that another process has mapped for its user.',
    reason:
      'The two read and overwrite each other, and the frame is freed with the first of them. A kernel that shares frames on purpose, as copy-on-write and shared memory do, is not held to this.',
    causes: [
      'A page table other than the own was walked, or its entries were copied.',
      'A frame was freed and allocated again while its first owner still maps it: look for an earlier finding.',
    ],
    advice: 'The history says who allocated the frame, and where the other process got its mapping.',
  },
  'table-shared': {
    severity: 'error',
    law: 'No page of a page table that maps user memory is part of two tables, or twice of one.',
    reason:
      "What one process maps or unmaps, the other gains or loses; and the page is freed with the first of them. A kernel's own mappings may be shared in this way, for they do not change.",
    causes: [
      'An entry that points to a table was copied from parent to child, instead of what the table maps.',
      'A table page was kept for another process after it had become part of a table.',
    ],
    advice: 'fork needs a table of its own for the child: walk with alloc set makes it.',
  },
  'copyout-to-read-only': {
    severity: 'error',
    law: 'copyout stores only where the user could have stored.',
    reason:
      'A system call must not do for a process what the hardware would refuse it, such as changing its own text.',
    causes: [
      'copyout looks for PTE_U and not for PTE_W.',
      'With copy-on-write, copyout does not copy the page first.',
    ],
    advice: 'Test PTE_V, PTE_U and PTE_W.',
  },
  'beyond-size': {
    severity: 'error',
    law: 'No page is mapped beyond the size of a process, mmap regions aside.',
    reason: 'Such a page is not copied by fork and not freed by exit.',
    causes: ['p->sz was not set to what uvmalloc or uvmdealloc returned.'],
    advice: 'Compare the size after sbrk with what was mapped.',
  },
} as const satisfies Record<string, Rule>;
