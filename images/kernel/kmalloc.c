// Blocks of kernel memory smaller than a frame. A frame is cut into blocks, each behind a header; the free ones are
// on a list by ascending address. kmalloc takes the first that is big enough, kmfree joins a block with its free
// neighbours and gives a frame that is whole again back to kfree. A request that leaves no room for a header in a
// frame gets a frame of its own, without one: its address is page-aligned, as no other block's is.
#include "fault.h"
#include "lock.h"
#include "memory.h"
#include "print.h"

struct header {
  uint32_t size; // of header and block
  uint32_t mark; // what the block is
  struct header *next;
};
_Static_assert(sizeof(struct header) == 16, "a header keeps blocks 16-byte aligned");

#define MARK_FREE 0x66726565
#define MARK_GIVEN 0x67697665
#define SMALLEST_BLOCK 16
#define LARGEST_SPLIT (PAGE_SIZE - sizeof(struct header)) // a larger request gets a frame of its own

extern char end[]; // of the kernel, from kernel.ld

static struct spinlock blocks_lock;
static struct header *first_free;
static uint8_t whole_frames[(PHYSTOP - KERNBASE) / PAGE_SIZE / 8]; // a bit for each frame given without a header

void kmalloc_init(void) { spinlock_init(&blocks_lock, "kmalloc"); }

static bool same_frame(const void *left, const void *right) {
  return (uint64_t)left / PAGE_SIZE == (uint64_t)right / PAGE_SIZE;
}

static struct header *header_end(struct header *header) {
  return (struct header *)((char *)header + header->size);
}

// Joins a free block with the next on the list, if that follows it directly in the same frame.
static void join_next(struct header *header) {
  struct header *next = header->next;
  if (next && header_end(header) == next && same_frame(header, next)) {
    header->size += next->size;
    header->next = next->next;
  }
}

// Puts a block on the free list and joins it with its neighbours. Returns the block that it is then part of.
static struct header *insert(struct header *block) {
  struct header *before = 0;
  struct header **link = &first_free;
  while (*link && *link < block) {
    before = *link;
    link = &before->next;
  }
  block->mark = MARK_FREE;
  block->next = *link;
  *link = block;
  join_next(block);
  if (before == 0)
    return block;
  join_next(before);
  return before->next == block ? block : before;
}

static void take_off(struct header *block) {
  struct header **link = &first_free;
  while (*link != block)
    link = &(*link)->next;
  *link = block->next;
}

// Takes the first free block of at least size bytes off the list, and puts back what it has too much.
static struct header *take(uint32_t size) {
  struct header **link = &first_free;
  while (*link && (*link)->size < size)
    link = &(*link)->next;
  struct header *block = *link;
  if (block == 0)
    return 0;
  if (block->size - size < sizeof(struct header) + SMALLEST_BLOCK) {
    *link = block->next;
  } else {
    uint32_t used = FAULT(KMALLOC_OVERLAP) ? size - SMALLEST_BLOCK : size;
    struct header *rest = (struct header *)((char *)block + used);
    *rest = (struct header){block->size - used, MARK_FREE, block->next};
    block->size = size;
    *link = rest;
  }
  block->mark = MARK_GIVEN;
  block->next = 0;
  return block;
}

static void set_whole(const void *frame, bool whole) {
  uint64_t index = ((uint64_t)frame - KERNBASE) / PAGE_SIZE;
  if (whole)
    whole_frames[index / 8] |= 1 << index % 8;
  else
    whole_frames[index / 8] &= ~(1 << index % 8);
}

static bool is_whole(const void *frame) {
  uint64_t index = ((uint64_t)frame - KERNBASE) / PAGE_SIZE;
  return whole_frames[index / 8] >> index % 8 & 1;
}

PROBE_POINT void *kmalloc(uint64_t size) {
  if (size > PAGE_SIZE)
    panic("kmalloc: %ld bytes asked for by 0x%lx, more than %d", size, (uint64_t)__builtin_return_address(0),
          PAGE_SIZE);
  uint32_t needed = sizeof(struct header) + (size == 0 ? SMALLEST_BLOCK : (size + 15) / 16 * 16);
  acquire(&blocks_lock);
  struct header *block = size > LARGEST_SPLIT ? 0 : take(needed);
  if (block == 0) {
    struct header *frame = kalloc();
    if (frame && size > LARGEST_SPLIT) {
      set_whole(frame, true);
      release(&blocks_lock);
      return frame;
    }
    if (frame) {
      frame->size = PAGE_SIZE;
      insert(frame);
      block = take(needed);
    }
  }
  release(&blocks_lock);
  return block ? block + 1 : 0;
}

// Whether kmalloc returned this address and kmfree has not had it since.
static bool is_given(const void *block) {
  if ((const char *)block < end || (uint64_t)block >= PHYSTOP || (uint64_t)block % 16 != 0)
    return false;
  if ((uint64_t)block % PAGE_SIZE == 0)
    return is_whole(block);
  return ((const struct header *)block - 1)->mark == MARK_GIVEN;
}

PROBE_POINT void kmfree(void *block) {
  if (!FAULT(KMFREE_UNLOCKED))
    acquire(&blocks_lock);
  if (!is_given(block) && !FAULT(KMFREE_STRANGER))
    panic("kmfree: 0x%lx is not a block that kmalloc gave", (uint64_t)block);
  if (is_whole(block)) {
    set_whole(block, false);
    kfree(block);
  } else {
    struct header *free = insert((struct header *)block - 1);
    if (free->size == PAGE_SIZE) {
      take_off(free);
      kfree(free);
    }
  }
  if (!FAULT(KMFREE_UNLOCKED))
    release(&blocks_lock);
}
