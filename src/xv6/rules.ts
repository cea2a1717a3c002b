/** The rules of the checker: what each means, how it comes to be broken, and where to look. `rvemu explain` prints them. */

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

export const RULES = {
  'frame-handed-out-twice': {
    severity: 'error',
    law: 'kalloc returns no frame that is in use.',
    reason:
      'Two owners of one frame overwrite each other. What breaks is whichever looks first: a page table full of program text, a trapframe full of zeros.',
    causes: [
      'The frame was freed while its first owner still used it, then allocated again: look for an earlier finding.',
      'A frame was freed twice, so it is on the free list twice.',
      'The free list was changed by two harts at once, without its lock.',
    ],
    advice: 'The history names both calls of kalloc. The first owner is the one whose memory goes bad.',
  },
  'frame-freed-twice': {
    severity: 'error',
    law: 'A frame is freed once for each time it is allocated.',
    reason:
      'The second kfree puts the frame on the list again: the list gets a cycle, or a frame that two callers of kalloc will share.',
    causes: [
      'Two page tables map the frame, and both free it. With copy-on-write, the count of its users is wrong.',
      'An error path frees what a caller, or a later step of clean-up, frees too.',
      'A pointer is kept after what it pointed to was freed, as in p->trapframe.',
    ],
    advice: 'The history names the first kfree. One of the two calls is wrong, and not always the second.',
  },
  'bad-free': {
    severity: 'error',
    law: 'kfree is given the address of a frame that kalloc could have returned.',
    reason:
      'A frame is 4096 aligned bytes between the end of the kernel and the end of memory. Anything else on the free list is handed out as memory some day.',
    causes: [
      'A virtual address, or an address inside a page, was passed where the physical address of the frame belongs.',
      'PTE2PA was left out, or applied twice.',
      'A page of the kernel itself, such as the trampoline, was unmapped with do_free set.',
    ],
    advice:
      'The value of the argument usually says which: compare its low twelve bits, and its range, with a frame address.',
  },
  'still-mapped': {
    severity: 'error',
    law: 'When a call that unmaps a page, or frees a frame, is over, no page table maps it any more.',
    reason:
      'Whoever has the mapping can read and write what the next owner of the frame keeps there: another process, or a page table.',
    causes: [
      'The entry was not cleared after kfree.',
      'The frame is mapped in a second table: a child that shares it, a kernel table that mirrors user memory.',
      'copy-on-write freed a frame whose count of users was too low.',
    ],
    advice:
      'Look at the entry in the finding: its table and address say who still has the frame. Clear the entry, and then fence.',
  },
  'write-after-free': {
    severity: 'error',
    law: 'Between kfree and the next kalloc, nobody but the allocator stores to a frame.',
    reason:
      'The first eight bytes of a free frame link the free list: storing there breaks the list. Elsewhere the store is lost, or spoils the memory of the next owner.',
    causes: [
      'A structure is used after kfree, in the same function or through another pointer to it.',
      'A device was given the address, and its transfer ends after the frame was freed.',
      'User memory was freed while another hart runs the process with an old translation.',
    ],
    advice:
      'The backtrace is that of the store itself. The history says who freed the frame, and who had it before.',
  },
  'read-after-free': {
    severity: 'error',
    law: 'Between kfree and the next kalloc, nobody but the allocator loads from a frame.',
    reason:
      'What is read is junk, 0x0101010101010101, or what the next owner stores there: a size, a pointer or an entry of a page table that is none.',
    causes: [
      'A structure is used after kfree, in the same function or through another pointer to it.',
      'A table is walked after the page it lies in was freed.',
      'One of two users of a frame freed it while the other goes on to use it.',
    ],
    advice:
      'The backtrace is that of the load itself; the history says who freed the frame. Loads of the first 16 bytes are left alone, for they link the free list.',
  },
  'free-list-corrupt': {
    severity: 'error',
    law: 'The free list is what the calls of kfree and kalloc made of it.',
    reason: 'A cut list loses all frames behind the cut; a cycle hands out one frame again and again.',
    causes: [
      'A store to a free frame overwrote its link: see write-after-free.',
      'The list was changed without its lock.',
      'kalloc or kfree changes the list in the wrong order, or twice.',
    ],
    advice: 'The finding shows the link found and the link expected, and names the call that first met it.',
  },
  'wrong-frame': {
    severity: 'error',
    law: 'kalloc returns the frame that it took off the free list.',
    reason: 'Otherwise the frame that it took is lost, and the one that it returned may be in use.',
    causes: ['The list is read before the lock is taken, or after it was released.'],
    advice: 'Compare what kalloc reads under the lock with what it returns.',
  },
  'freed-not-filled': {
    severity: 'warning',
    law: 'kfree fills the frame with 1.',
    reason:
      'The junk makes a use of freed memory show at once, as 0x0101010101010101, and not only when the frame has a new owner.',
    causes: [
      'The memset in kfree was left out, or fills less than 4096 bytes, or comes after the frame is on the list.',
    ],
    advice: 'Fill before the list is touched: afterwards another hart may own the frame.',
  },
  'allocated-not-filled': {
    severity: 'warning',
    law: 'kalloc fills the frame with 5.',
    reason:
      'The junk makes a use of memory that was never written show, as 0x0505050505050505, instead of passing by luck.',
    causes: ['The memset in kalloc was left out.'],
    advice: 'A caller that needs zeros has to write them: what kalloc returns is not cleared.',
  },
  'free-list-unlocked': {
    severity: 'error',
    law: 'The free list is changed with its lock held.',
    reason: 'Two harts that pop at once get the same frame; two that push lose one.',
    causes: ['acquire and release were left out, or do not enclose both the read and the write of the list.'],
    advice:
      'It may never show with one hart. With several, run with other seeds: the order of the harts follows from them.',
  },
  'frame-lost': {
    severity: 'error',
    law: 'A frame that is allocated can be reached from the kernel: by a pointer, or by an entry of a page table.',
    reason: 'A frame that nothing points to can never be freed. Enough of them, and kalloc returns 0.',
    causes: [
      'An error path returns without freeing what it had allocated.',
      'A page table was dropped, or its process slot reused, before its pages were freed.',
      'A size is smaller than what was mapped, so the last pages are not freed with the rest.',
    ],
    advice:
      'The backtrace is that of the kalloc that got the frame. Follow the pointer from there through every return.',
  },
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

export type RuleId = keyof typeof RULES;

export const isRule = (name: string): name is RuleId => Object.hasOwn(RULES, name);
