// Address spaces of processes: their memory from 0 up to the process's size, and copies in and out of them.
#include "fault.h"
#include "memory.h"
#include "print.h"
#include "riscv.h"
#include "string.h"

// An empty page table, or 0 if memory is out.
PROBE_POINT pagetable_t uvmcreate(void) {
  pagetable_t page_table = kalloc();
  if (page_table)
    memset(page_table, 0, PAGE_SIZE);
  return page_table;
}

// Grows memory from old_size to new_size, which need not be page-aligned, with zeroed pages that the user may read,
// and more if perm says so. Returns new_size, or 0 if memory is out, and then nothing has changed.
PROBE_POINT uint64_t uvmalloc(pagetable_t page_table, uint64_t old_size, uint64_t new_size, int perm) {
  if (new_size < old_size)
    return old_size;
  uint64_t start = PAGE_ROUND_UP(old_size);
  if (FAULT(REMAP_ALLOWED))
    start = PAGE_ROUND_DOWN(old_size);
  for (uint64_t va = start; va < new_size; va += PAGE_SIZE) {
    void *frame = kalloc();
    if (frame)
      memset(frame, 0, PAGE_SIZE);
    if (frame == 0 || mappages(page_table, va, PAGE_SIZE, (uint64_t)frame, PTE_R | PTE_U | perm) < 0) {
      if (frame)
        kfree(frame);
      uvmunmap(page_table, start, (va - start) / PAGE_SIZE, !FAULT(LEAK_IN_UVMALLOC));
      return 0;
    }
  }
  flush_tlb();
  return new_size;
}

// Shrinks memory from old_size to new_size and frees the pages wholly beyond it. Returns the size that results.
PROBE_POINT uint64_t uvmdealloc(pagetable_t page_table, uint64_t old_size, uint64_t new_size) {
  if (new_size >= old_size)
    return old_size;
  uint64_t first = FAULT(MISSING_ROUNDING) ? PAGE_ROUND_DOWN(new_size) : PAGE_ROUND_UP(new_size);
  uint64_t last = PAGE_ROUND_UP(old_size);
  if (first < last)
    uvmunmap(page_table, first, (last - first) / PAGE_SIZE, 1);
  return new_size;
}

// Unmaps pages from the page-aligned va on, all of which must be mapped, and frees their frames if free_frames.
PROBE_POINT void uvmunmap(pagetable_t page_table, uint64_t va, uint64_t pages, int free_frames) {
  if (va % PAGE_SIZE != 0)
    panic("uvmunmap: va 0x%lx is not page-aligned", va);
  for (; pages > 0; pages--, va += PAGE_SIZE) {
    pte_t *pte = walk(page_table, va, 0);
    if (pte == 0 || !(*pte & PTE_V))
      panic("uvmunmap: va 0x%lx is not mapped", va);
    if (!PTE_IS_LEAF(*pte))
      panic("uvmunmap: va 0x%lx has pte 0x%lx, not a leaf", va, *pte);
    uint64_t pa = PTE_TO_PA(*pte);
    if (FAULT(FREE_MISALIGNED))
      pa += 8;
    if (FAULT(FREE_OUT_OF_RANGE))
      pa = KERNBASE;
    if (!FAULT(FREE_MAPPED))
      *pte = 0;
    if (!FAULT(NO_FENCE_AFTER_UNMAP))
      flush_page(va); // before the frame can be anyone else's
    if (free_frames)
      kfree((void *)pa);
  }
}

// Copies the memory from 0 to size, frame by frame, with its permissions. Returns 0, or -1 if memory is out, and
// then `to` has none of it.
PROBE_POINT int uvmcopy(pagetable_t from, pagetable_t to, uint64_t size) {
  for (uint64_t va = 0; va < size; va += PAGE_SIZE) {
    pte_t *pte = walk(from, va, 0);
    if (pte == 0 || !(*pte & PTE_V))
      panic("uvmcopy: va 0x%lx is not mapped", va);
    uint64_t pa = PTE_TO_PA(*pte);
    int perm = PTE_FLAGS(*pte) & (PTE_R | PTE_W | PTE_X | PTE_U);
    void *frame = FAULT(UVMCOPY_SHARES) ? (void *)pa : kalloc();
    if (frame)
      memmove(frame, (void *)pa, PAGE_SIZE);
    if (frame == 0 || mappages(to, va, PAGE_SIZE, (uint64_t)frame, perm) < 0) {
      if (frame)
        kfree(frame);
      uvmunmap(to, 0, va / PAGE_SIZE, !FAULT(LEAK_IN_UVMCOPY));
      return -1;
    }
  }
  return 0;
}

// Frees the memory from 0 to size, then the tables.
PROBE_POINT void uvmfree(pagetable_t page_table, uint64_t size) {
  uint64_t pages = PAGE_ROUND_UP(size) / PAGE_SIZE;
  if (FAULT(LEAF_LEFT) && pages > 0)
    pages--;
  if (pages > 0)
    uvmunmap(page_table, 0, pages, 1);
  freewalk(page_table);
}

void uvmclear(pagetable_t page_table, uint64_t va) {
  pte_t *pte = walk(page_table, va, 0);
  if (pte == 0)
    panic("uvmclear: va 0x%lx is not mapped", va);
  if (!FAULT(USER_GUARD_OPEN))
    *pte &= ~PTE_U;
  flush_page(va);
}

// The kernel's address of a user byte, or 0 if the user may not access it so. perm is PTE_R, PTE_W, or 0 for any.
static char *user_byte(pagetable_t page_table, uint64_t va, int perm) {
  if (va >= MAXVA)
    return 0;
  pte_t *pte = walk(page_table, va, 0);
  int needed = PTE_V | PTE_U | perm;
  if (FAULT(COPYOUT_TO_READ_ONLY))
    needed &= ~PTE_W;
  if (pte == 0 || (*pte & needed) != (pte_t)needed)
    return 0;
  return (char *)PTE_TO_PA(*pte) + va % PAGE_SIZE;
}

uint64_t walkaddr(pagetable_t page_table, uint64_t va) {
  return (uint64_t)user_byte(page_table, PAGE_ROUND_DOWN(va), 0);
}

// The bytes from va to the end of its page, or limit if that is less.
static uint64_t page_rest(uint64_t va, uint64_t limit) {
  uint64_t rest = PAGE_SIZE - va % PAGE_SIZE;
  return rest < limit ? rest : limit;
}

PROBE_POINT int copyout(pagetable_t page_table, uint64_t to, const void *from, uint64_t length) {
  for (uint64_t step; length > 0; length -= step, to += step, from = (const char *)from + step) {
    char *destination = user_byte(page_table, to, PTE_W);
    if (destination == 0)
      return -1;
    step = page_rest(to, length);
    memmove(destination, from, step);
  }
  return 0;
}

PROBE_POINT int copyin(pagetable_t page_table, void *to, uint64_t from, uint64_t length) {
  for (uint64_t step; length > 0; length -= step, from += step, to = (char *)to + step) {
    const char *source = user_byte(page_table, from, PTE_R);
    if (source == 0)
      return -1;
    step = page_rest(from, length);
    memmove(to, source, step);
  }
  return 0;
}

PROBE_POINT int copyinstr(pagetable_t page_table, char *to, uint64_t from, uint64_t limit) {
  while (limit > 0) {
    const char *source = user_byte(page_table, from, PTE_R);
    if (source == 0)
      return -1;
    uint64_t step = page_rest(from, limit);
    for (uint64_t i = 0; i < step; i++)
      if ((to[i] = source[i]) == 0)
        return 0;
    limit -= step;
    from += step;
    to += step;
  }
  return -1;
}
