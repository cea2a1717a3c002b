// Faults on demand: `fault` makes the kernel misbehave in one chosen way, for a checker to find. Set it from outside,
// by its symbol, before boot (a debugger, or a patched ELF file: it is in .data). 0 is the correct kernel.
//
// Each fault is one guarded expression in the code it spoils; its row here says what goes wrong, and what a checker
// should say about it.
#pragma once

#define FAULT_TABLE(X)                                                                                              \
  X(1, DOUBLE_FREE, "kfree now and then pushes a frame twice", "freed twice; the free list has a cycle")            \
  X(2, FREE_MISALIGNED, "uvmunmap frees an address 8 past a frame's", "kfree of an address that is no frame's")     \
  X(3, FREE_OUT_OF_RANGE, "uvmunmap frees the kernel's first page", "kfree of a frame that is not allocatable")     \
  X(4, FREE_MAPPED, "uvmunmap leaves the PTE of the frame it frees", "a free frame is still mapped")                \
  X(5, LEAK_IN_UVMALLOC, "uvmalloc keeps a frame it could not map", "a frame is neither free nor in use")           \
  X(6, LEAK_IN_UVMCOPY, "uvmcopy keeps a frame it could not map", "a frame is neither free nor in use")             \
  X(7, LEAK_IN_EXEC, "exec keeps the page table of a program it could not load", "frames are lost in exec")         \
  X(8, LEAK_IN_FORK, "fork keeps the child it could not fill", "frames are lost in fork")                           \
  X(9, WRITE_AFTER_FREE, "process_free writes to the trapframe it freed", "a free frame was written to")            \
  X(10, READ_AFTER_FREE, "process_free reads the trapframe it freed", "a free frame was read")                      \
  X(11, LOST_TAIL, "kalloc now and then cuts the free list off", "free frames are not on the free list")            \
  X(12, FREE_JUNK_SKIPPED, "kfree does not fill the frame", "a free frame does not hold its junk")                  \
  X(13, ALLOCATED_JUNK_SKIPPED, "kalloc does not fill the frame", "an allocated frame does not hold its junk")      \
  X(14, WALK_WRONG_LEVEL, "walk returns the level-1 PTE when it may not allocate", "walk's result is wrong")        \
  X(15, MAPPAGES_OFF_BY_ONE, "mappages leaves out the last of several pages", "a page is missing from the map")     \
  X(16, MISSING_ROUNDING, "uvmdealloc also frees the page the new end lies in", "a page in use was unmapped")       \
  X(17, REMAP_ALLOWED, "uvmalloc maps the page of the old end again, over it", "a mapped page was mapped again")    \
  X(18, TEXT_WRITABLE, "kernel text is mapped with W", "a PTE of kernel text has the wrong permissions")            \
  X(19, KERNEL_PAGE_USER, "the last kernel stack is mapped with U", "a PTE of the kernel has U")                     \
  X(20, USER_PAGE_WITHOUT_U, "mappages drops U from writable user pages", "a user page has no U")                   \
  X(21, GUARD_PAGE_MAPPED, "the guard page of a kernel stack is mapped", "a mapping where there should be none")    \
  X(22, TRAMPOLINE_WRITABLE, "the trampoline is mapped with W", "the trampoline's PTE has the wrong permissions")   \
  X(23, TABLE_FREED_TWICE, "freewalk frees each table twice", "freed twice: a page-table page")                     \
  X(24, LEAF_LEFT, "uvmfree forgets the last page", "freewalk finds a leaf")                                        \
  X(25, UVMCOPY_SHARES, "uvmcopy maps the parent's frames in the child", "one frame in two address spaces")         \
  X(26, NO_FENCE_AFTER_UNMAP, "uvmunmap does not flush the TLB", "no sfence.vma between unmap and use")             \
  X(27, NO_FENCE_AFTER_PERMISSION, "mmap_fault adds W without a flush", "no sfence.vma after a changed PTE")        \
  X(28, NO_FENCE_I, "new code is run without fence.i", "no fence.i between a store to a page and its execution")    \
  X(29, KMALLOC_OVERLAP, "kmalloc splits a block 16 bytes too early", "two kmalloc blocks overlap")                 \
  X(30, KMFREE_STRANGER, "kmfree takes pointers that kmalloc never gave", "kmfree of a pointer never given")        \
  X(31, KMALLOC_UNCHECKED, "the kmalloc call passes on any size", "kmalloc of more than a page")                    \
  X(32, MMAP_OVERLAP, "mmap places a region over another", "two mmap regions overlap")                              \
  X(33, MUNMAP_LEAVES_PAGE, "munmap forgets the last page", "a page outside every region is mapped")                \
  X(34, MMAP_PROT_IGNORED, "mmap pages get every permission", "a page has permissions its region has not")          \
  X(35, NO_WRITE_BACK, "munmap does not write shared pages back", "a changed shared page never reached its file")   \
  X(36, FREE_LIST_UNLOCKED, "the allocator takes no lock", "the free list is changed without its lock")             \
  X(37, LOCK_ORDER, "kill takes a process's lock and then wait_lock", "two locks are taken in both orders")         \
  X(38, USER_GUARD_OPEN, "exec leaves U on the guard page of the stack", "the guard page is accessible")            \
  X(39, TRAPFRAME_USER, "the trapframe has U: the trampoline may not use it", "a trap in the trap handler")         \
  X(40, COPYOUT_TO_READ_ONLY, "copyout stores to pages without W", "a store to a page the user cannot write")       \
  X(41, GROWTH_WRONG_SIZE, "sbrk says one page less than it mapped", "a page beyond the process's size is mapped")  \
  X(42, EXEC_KEEPS_OLD, "exec does not free the old program", "frames are lost in exec")                           \
  X(43, GROWTH_OF_PARENT, "sbrk maps the parent's first page as the first new one", "a frame of two processes")     \
  X(44, KMFREE_UNLOCKED, "kmfree takes no lock", "the list of free blocks is changed without its lock")

#define FAULT_NUMBER(number, name, wrong, report) FAULT_##name = number,
enum fault { FAULT_NONE, FAULT_TABLE(FAULT_NUMBER) };

extern volatile int fault;
#define FAULT(name) __builtin_expect(fault == FAULT_##name, 0)
