// mmap: regions of a process's address space whose pages are made when they are first touched.
//
// A process's regions are a list by ascending address. A page of a private region belongs to the process: fork
// copies it. The pages of a shared region belong to a struct shared, which fork shares, and which the regions that
// munmap cuts a region into share too; the last of them to go frees the pages. Pages of a file are read at the first
// touch. A shared one is read-only until the first store to it: so its W bit tells that it must go back to the file
// when it is unmapped.
#include "fault.h"
#include "file.h"
#include "fs.h"
#include "memory.h"
#include "print.h"
#include "proc.h"
#include "riscv.h"
#include "string.h"
#include "syscall_numbers.h"

#define SHARED_PAGES (PAGE_SIZE / sizeof(void *)) // limit of a shared region: its frames' addresses fill one frame

struct shared {
  struct sleeplock lock; // guards frames[]
  int references;        // guarded by references_lock
  void **frames;         // by page of the mapping, 0 where there is none yet
};

struct region {
  struct region *next;
  uint64_t start, length; // page-aligned
  int prot, flags;
  struct file *file;     // 0 if anonymous
  uint64_t offset;       // in the file, of start
  struct shared *shared; // 0 if private
  uint64_t first_page;   // in shared->frames, of start
};

static struct spinlock references_lock;

void mmap_init(void) { spinlock_init(&references_lock, "mmap"); }

static uint64_t region_end(const struct region *region) { return region->start + region->length; }

uint64_t mmap_lowest(const struct process *process) { return process->regions ? process->regions->start : MMAP_TOP; }

static struct shared *shared_create(void) {
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

static void shared_change(struct shared *shared, int by) {
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

// A copy of a region's description, with references of its own. 0 if memory is out.
static struct region *region_clone(const struct region *region) {
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

static void region_free(struct region *region) {
  if (region->file)
    file_close(region->file);
  if (region->shared)
    shared_change(region->shared, -1);
  kmfree(region);
}

// Moves a region's start up.
static void region_cut_front(struct region *region, uint64_t bytes) {
  region->start += bytes;
  region->length -= bytes;
  region->offset += bytes;
  region->first_page += bytes / PAGE_SIZE;
}

// Where a region of this length can go: at the hint, if that is free, else in the highest gap. 0 if there is none.
static uint64_t find_place(const struct process *process, uint64_t hint, uint64_t length) {
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

// Whether stores to a region's pages must be noticed.
static bool is_tracked(const struct region *region) { return region->shared && region->file; }

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
    if (is_tracked(region) && (*pte & PTE_W) && !FAULT(NO_WRITE_BACK))
      write_back(region, va, PTE_TO_PA(*pte));
    uvmunmap(process->page_table, va, 1, region->shared == 0);
  }
}

// The region that holds an address, or 0.
static struct region *find_region(const struct process *process, uint64_t va) {
  for (struct region *region = process->regions; region; region = region->next)
    if (va >= region->start && va < region_end(region))
      return region;
  return 0;
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

static bool allows(const struct region *region, enum access access) {
  if (FAULT(MMAP_PROT_IGNORED))
    return true;
  if (access == ACCESS_EXECUTE)
    return region->prot & PROT_EXEC;
  if (access == ACCESS_WRITE)
    return region->prot & PROT_WRITE;
  return region->prot & (PROT_READ | PROT_WRITE); // the hardware has no write-only pages
}

static int page_perm(const struct region *region, enum access access) {
  int prot = FAULT(MMAP_PROT_IGNORED) ? PROT_READ | PROT_WRITE | PROT_EXEC : region->prot;
  int perm = PTE_U;
  if (prot & (PROT_READ | PROT_WRITE))
    perm |= PTE_R;
  if ((prot & PROT_WRITE) && (access == ACCESS_WRITE || !is_tracked(region)))
    perm |= PTE_W;
  if (prot & PROT_EXEC)
    perm |= PTE_X;
  return perm;
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
  if (mappages(process->page_table, va, PAGE_SIZE, (uint64_t)frame, page_perm(region, access)) < 0) {
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
    if (mappages(child->page_table, va, PAGE_SIZE, (uint64_t)frame, page_perm(region, ACCESS_WRITE)) < 0) {
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
