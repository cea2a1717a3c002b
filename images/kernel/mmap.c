// mmap: regions of a process's address space whose pages are made when they are first touched.
//
// A process's regions are a list by ascending address. A page of a private region belongs to the process: fork
// copies it. The pages of a shared region belong to a struct shared, which fork shares, and which the regions that
// munmap cuts a region into share too; the last of them to go frees the pages. Pages of a file are read at the first
// touch. A shared one is read-only until the first store to it: so its W bit tells that it must go back to the file
// when it is unmapped.
#include "region.h"
#include "fault.h"
#include "file.h"
#include "fs.h"
#include "proc.h"
#include "riscv.h"
#include "string.h"
#include "syscall_numbers.h"

static bool file_allows(const struct file *file, int prot, int flags) {
  if (file == 0 || file->kind != FILE_INODE || !file->readable)
    return false;
  return !(flags & MAP_SHARED) || !(prot & PROT_WRITE) || file->writable;
}

// Makes a region, of `length` rounded up to pages. Returns its address, or -1 and nothing has changed.
PROBE_POINT uint64_t mmap(uint64_t hint, uint64_t length, int prot, int flags, struct file *file, uint64_t offset) {
  struct process *process = current_process();
  int kind = flags & (MAP_SHARED | MAP_PRIVATE);
  if (length == 0 || length > MMAP_TOP || (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)) != 0)
    return -1;
  if ((kind != MAP_SHARED && kind != MAP_PRIVATE) || (flags & ~(MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS)) != 0)
    return -1;
  if (flags & MAP_ANONYMOUS)
    file = 0, offset = 0;
  else if (!file_allows(file, prot, flags) || offset % PAGE_SIZE != 0 || offset + length < offset)
    return -1;
  length = PAGE_ROUND_UP(length);
  if (kind == MAP_SHARED && length > SHARED_PAGES * PAGE_SIZE)
    return -1;
  uint64_t start = find_place(process, hint % PAGE_SIZE == 0 ? hint : 0, length);
  if (start == 0)
    return -1;

  struct region *region = kmalloc(sizeof *region);
  if (region == 0)
    return -1;
  struct shared *shared = kind == MAP_SHARED ? shared_create() : 0;
  if (kind == MAP_SHARED && shared == 0) {
    kmfree(region);
    return -1;
  }
  if (file)
    file_share(file);
  struct region **link = &process->regions;
  while (*link && (*link)->start < start)
    link = &(*link)->next;
  *region = (struct region){*link, start, length, prot, flags, file, offset, shared, 0};
  *link = region;
  return start;
}

// Writes a page back to the file it came from, as far as the file reaches.
static void write_back(const struct region *region, uint64_t va, uint64_t pa) {
  uint64_t offset = region->offset + (va - region->start);
  struct inode *inode = region->file->inode;
  inode_lock(inode);
  uint64_t size = inode->disk.size;
  inode_unlock(inode);
  if (offset < size)
    inode_write_all(inode, false, pa, offset, size - offset < PAGE_SIZE ? size - offset : PAGE_SIZE);
}

// Takes the pages of part of a region out of a page table.
static void unmap_pages(struct process *process, const struct region *region, uint64_t start, uint64_t end) {
  if (FAULT(MUNMAP_LEAVES_PAGE) && end - start > PAGE_SIZE)
    end -= PAGE_SIZE;
  for (uint64_t va = start; va < end; va += PAGE_SIZE) {
    pte_t *pte = walk(process->page_table, va, 0);
    if (pte == 0 || !(*pte & PTE_V))
      continue; // never touched
    if (region_is_tracked(region) && (*pte & PTE_W) && !FAULT(NO_WRITE_BACK))
      write_back(region, va, PTE_TO_PA(*pte));
    uvmunmap(process->page_table, va, 1, region->shared == 0);
  }
}

static bool is_mapped(const struct process *process, uint64_t start, uint64_t end) {
  while (start < end) {
    const struct region *region = find_region(process, start);
    if (region == 0)
      return false;
    start = region_end(region);
  }
  return true;
}

// Removes [start, end) from the one region that holds start. Returns where it stopped, or 0 if a piece must be split
// off and memory is out.
static uint64_t remove_from_region(struct process *process, uint64_t start, uint64_t end) {
  struct region **link = &process->regions;
  while (start >= region_end(*link))
    link = &(*link)->next;
  struct region *region = *link;
  if (end > region_end(region))
    end = region_end(region);

  if (start > region->start && end < region_end(region)) { // a hole: what lies behind it becomes a region
    struct region *rest = region_clone(region);
    if (rest == 0)
      return 0;
    region_cut_front(rest, end - rest->start);
    region->next = rest;
    unmap_pages(process, region, start, end);
    region->length = start - region->start;
  } else {
    unmap_pages(process, region, start, end);
    if (end < region_end(region))
      region_cut_front(region, end - region->start);
    else
      region->length = start - region->start;
    if (region->length == 0) {
      *link = region->next;
      region_free(region);
    }
  }
  return end;
}

// Unmaps the pages of [address, address + length), all of which must be mapped. Only a hole in one region can run
// out of memory, and then it is the whole range; so -1 means that nothing has changed.
PROBE_POINT int munmap(uint64_t address, uint64_t length) {
  struct process *process = current_process();
  if (address % PAGE_SIZE != 0 || length == 0 || length > MMAP_TOP || address >= MMAP_TOP)
    return -1;
  uint64_t end = address + PAGE_ROUND_UP(length);
  if (!is_mapped(process, address, end))
    return -1;
  while (address < end)
    if ((address = remove_from_region(process, address, end)) == 0)
      return -1;
  return 0;
}

// Copies the pages that a process has made of a private region.
static int copy_pages(struct process *parent, struct process *child, const struct region *region) {
  for (uint64_t va = region->start; va < region_end(region); va += PAGE_SIZE) {
    pte_t *pte = walk(parent->page_table, va, 0);
    if (pte == 0 || !(*pte & PTE_V))
      continue;
    void *frame = kalloc();
    if (frame == 0)
      return -1;
    memmove(frame, (void *)PTE_TO_PA(*pte), PAGE_SIZE);
    if (mappages(child->page_table, va, PAGE_SIZE, (uint64_t)frame, region_perm(region, ACCESS_WRITE)) < 0) {
      kfree(frame);
      return -1;
    }
  }
  return 0;
}

// Gives a forked child its parent's regions. Returns 0, or -1 if memory is out, and then the child has none.
int mmap_copy(struct process *parent, struct process *child) {
  struct region **link = &child->regions;
  for (const struct region *region = parent->regions; region; region = region->next) {
    struct region *clone = region_clone(region);
    if (clone) {
      clone->next = 0;
      *link = clone;
      link = &clone->next;
    }
    if (clone == 0 || (!clone->shared && copy_pages(parent, child, region) < 0)) {
      mmap_release(child);
      return -1;
    }
  }
  return 0;
}

// Unmaps all regions, for exit and exec.
void mmap_release(struct process *process) {
  while (process->regions) {
    struct region *region = process->regions;
    process->regions = region->next;
    unmap_pages(process, region, region->start, region_end(region));
    region_free(region);
  }
}
