/** Rules about frames and the free list. */
import type { Rule } from './rule.js';

export const FRAME_RULES = {
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
      'The backtrace is that of the load itself; the history says who freed the frame. Loads of the first 16 bytes are left alone, for they link the free list; loads through another mapping than the one that the kernel has of all memory may go unseen.',
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
    law: 'A list of free frames or blocks is changed with the lock held that guards it elsewhere.',
    reason: 'Two harts that pop at once get the same frame; two that push lose one.',
    causes: [
      'acquire and release were left out, or do not enclose both the read and the write of the list.',
      'One of two functions that change the list, such as kmfree, takes another lock than the other, or none.',
    ],
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
} as const satisfies Record<string, Rule>;
