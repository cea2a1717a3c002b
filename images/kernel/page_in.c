// Pages of mmap regions, made when they are first touched.
#include "region.h"
#include "fault.h"
#include "file.h"
#include "fs.h"
#include "proc.h"
#include "riscv.h"
#include "string.h"
#include "syscall_numbers.h"

static bool allows(const struct region *region, enum access access) {
  if (FAULT(MMAP_PROT_IGNORED))
    return true;
  if (access == ACCESS_EXECUTE)
    return region->prot & PROT_EXEC;
  if (access == ACCESS_WRITE)
    return region->prot & PROT_WRITE;
  return region->prot & (PROT_READ | PROT_WRITE); // the hardware has no write-only pages
}

// A new frame with what belongs on the page at va: the file's bytes, zeros after its end. 0 if memory is out or the
// file cannot be read.
static void *make_page(const struct region *region, uint64_t va) {
  void *frame = kalloc();
  if (frame == 0)
    return 0;
  memset(frame, 0, PAGE_SIZE);
  if (region->file == 0)
    return frame;
  uint64_t offset = region->offset + (va - region->start);
  struct inode *inode = region->file->inode;
  inode_lock(inode);
  int count = offset < inode->disk.size ? inode_read(inode, false, (uint64_t)frame, offset, PAGE_SIZE) : 0;
  inode_unlock(inode);
  if (count < 0) {
    kfree(frame);
    return 0;
  }
  return frame;
}

// The frame for the page at va; a shared region's is made by whoever touches it first.
static void *find_page(const struct region *region, uint64_t va) {
  if (region->shared == 0)
    return make_page(region, va);
  uint64_t page = region->first_page + (va - region->start) / PAGE_SIZE;
  sleeplock_acquire(&region->shared->lock);
  void *frame = region->shared->frames[page];
  if (frame == 0)
    frame = region->shared->frames[page] = make_page(region, va);
  sleeplock_release(&region->shared->lock);
  return frame;
}

// The first store to a tracked page. -1 if the page was writable already, so that the fault has another reason.
static int make_writable(pte_t *pte, uint64_t va) {
  if (*pte & PTE_W)
    return -1;
  *pte |= PTE_W;
  if (!FAULT(NO_FENCE_AFTER_PERMISSION))
    flush_page(va);
  return 0;
}

// Makes the page at va present, or writable, if it lies in a region that allows the access. Returns 0, or -1 if the
// access is an error, or memory is out.
int mmap_fault(struct process *process, uint64_t va, enum access access) {
  va = PAGE_ROUND_DOWN(va);
  const struct region *region = find_region(process, va);
  if (region == 0 || !allows(region, access))
    return -1;
  pte_t *pte = walk(process->page_table, va, 0);
  if (pte && (*pte & PTE_V))
    return access == ACCESS_WRITE ? make_writable(pte, va) : -1;
  void *frame = find_page(region, va);
  if (frame == 0)
    return -1;
  if (mappages(process->page_table, va, PAGE_SIZE, (uint64_t)frame, region_perm(region, access)) < 0) {
    if (region->shared == 0)
      kfree(frame);
    return -1;
  }
  flush_page(va);
  if (region->prot & PROT_EXEC)
    process->last_hart = -1; // so that user_return fences the instructions too
  return 0;
}

void user_prefault(uint64_t address, uint64_t length, bool write) {
  struct process *process = current_process();
  if (process->regions == 0 || address + length < address)
    return;
  for (uint64_t va = PAGE_ROUND_DOWN(address); va < address + length && va < MMAP_TOP; va += PAGE_SIZE) {
    pte_t *pte = walk(process->page_table, va, 0);
    if (pte && (*pte & PTE_V) && (!write || (*pte & PTE_W)))
      continue;
    if (mmap_fault(process, va, write ? ACCESS_WRITE : ACCESS_READ) < 0)
      return; // copyin and copyout will stop here
  }
}
