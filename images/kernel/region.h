// The regions of mmap: what region.c keeps for mmap.c and page_in.c.
#pragma once
#include "lock.h"
#include "memory.h"

struct process;

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

static inline uint64_t region_end(const struct region *region) { return region->start + region->length; }

// Whether stores to a region's pages must be noticed.
static inline bool region_is_tracked(const struct region *region) { return region->shared && region->file; }

struct shared *shared_create(void);                // with one reference; 0 if memory is out
void shared_change(struct shared *shared, int by); // counts references; frees the pages at 0

struct region *region_clone(const struct region *region); // with references of its own; 0 if memory is out
void region_free(struct region *region);                  // and drops its references
void region_cut_front(struct region *region, uint64_t bytes);
int region_perm(const struct region *region, enum access access); // of a page that such an access makes

// The region of a process that holds va, or 0.
struct region *find_region(const struct process *process, uint64_t va);

// Where a region of this length can go: at the hint, if that is free, else in the highest gap. 0 if there is none.
uint64_t find_place(const struct process *process, uint64_t hint, uint64_t length);
