// The lists of mmap regions: region.h.
#include "region.h"
#include "fault.h"
#include "file.h"
#include "proc.h"
#include "riscv.h"
#include "string.h"
#include "syscall_numbers.h"

static struct spinlock references_lock;

void mmap_init(void) { spinlock_init(&references_lock, "mmap"); }

uint64_t mmap_lowest(const struct process *process) { return process->regions ? process->regions->start : MMAP_TOP; }

struct shared *shared_create(void) {
  struct shared *shared = kmalloc(sizeof *shared);
  if (shared == 0)
    return 0;
  sleeplock_init(&shared->lock, "shared mapping");
  shared->references = 1;
  shared->frames = kalloc();
  if (shared->frames == 0) {
    kmfree(shared);
    return 0;
  }
  memset(shared->frames, 0, PAGE_SIZE);
  return shared;
}

void shared_change(struct shared *shared, int by) {
  acquire(&references_lock);
  int references = shared->references += by;
  release(&references_lock);
  if (references > 0)
    return;
  for (uint64_t page = 0; page < SHARED_PAGES; page++)
    if (shared->frames[page])
      kfree(shared->frames[page]);
  kfree(shared->frames);
  kmfree(shared);
}

struct region *region_clone(const struct region *region) {
  struct region *clone = kmalloc(sizeof *clone);
  if (clone == 0)
    return 0;
  *clone = *region;
  if (clone->file)
    file_share(clone->file);
  if (clone->shared)
    shared_change(clone->shared, 1);
  return clone;
}

void region_free(struct region *region) {
  if (region->file)
    file_close(region->file);
  if (region->shared)
    shared_change(region->shared, -1);
  kmfree(region);
}

// Moves a region's start up.
void region_cut_front(struct region *region, uint64_t bytes) {
  region->start += bytes;
  region->length -= bytes;
  region->offset += bytes;
  region->first_page += bytes / PAGE_SIZE;
}

struct region *find_region(const struct process *process, uint64_t va) {
  for (struct region *region = process->regions; region; region = region->next)
    if (va >= region->start && va < region_end(region))
      return region;
  return 0;
}

uint64_t find_place(const struct process *process, uint64_t hint, uint64_t length) {
  uint64_t lowest = PAGE_ROUND_UP(process->size) + PAGE_SIZE; // a gap, so that overrunning the heap is a fault
  uint64_t gap = lowest, found = 0;
  for (const struct region *region = process->regions;; region = region->next) {
    uint64_t gap_end = region ? region->start : MMAP_TOP;
    if (hint >= gap && hint < gap_end && gap_end - hint >= length)
      return hint;
    if (gap_end >= gap && gap_end - gap >= length)
      found = gap_end - length;
    if (region == 0)
      break;
    gap = region_end(region);
  }
  if (FAULT(MMAP_OVERLAP) && process->regions)
    return process->regions->start;
  return found;
}

int region_perm(const struct region *region, enum access access) {
  int prot = FAULT(MMAP_PROT_IGNORED) ? PROT_READ | PROT_WRITE | PROT_EXEC : region->prot;
  int perm = PTE_U;
  if (prot & (PROT_READ | PROT_WRITE))
    perm |= PTE_R;
  if ((prot & PROT_WRITE) && (access == ACCESS_WRITE || !region_is_tracked(region)))
    perm |= PTE_W;
  if (prot & PROT_EXEC)
    perm |= PTE_X;
  return perm;
}
