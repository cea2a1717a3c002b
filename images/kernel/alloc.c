// The allocator of physical frames: a stack of free frames, linked through their first words. A frame freed last is
// the one allocated next. Free frames are filled with 1 and allocated ones with 5, so that a use of memory that was
// freed, or was never written, shows in a dump.
#include "fault.h"
#include "lock.h"
#include "memory.h"
#include "print.h"
#include "string.h"

#define FREE_JUNK 1
#define ALLOCATED_JUNK 5

extern char end[]; // of the kernel, from kernel.ld

struct frame {
  struct frame *next;
};

static struct {
  struct spinlock lock;
  struct frame *first;
  uint64_t count;
} free_list;

// Phase one, under the boot page table, which maps no more than the first 4 MiB: enough frames to build the
// kernel's page table from.
PROBE_POINT void boot_alloc_init(void) {
  spinlock_init(&free_list.lock, "free_list");
  free_range(end, (void *)BOOT_MEMORY_END);
}

// Phase two, under the kernel's page table, which maps all of memory.
PROBE_POINT void alloc_init(void) { free_range((void *)BOOT_MEMORY_END, (void *)PHYSTOP); }

// Frees the whole frames between two addresses.
PROBE_POINT void free_range(void *start, void *end) {
  for (char *frame = (char *)PAGE_ROUND_UP((uint64_t)start); frame + PAGE_SIZE <= (char *)end; frame += PAGE_SIZE)
    kfree(frame);
}

static bool is_frame(const void *address) {
  return (uint64_t)address % PAGE_SIZE == 0 && (const char *)address >= end && (uint64_t)address < PHYSTOP;
}

static void lock_free_list(void) {
  if (!FAULT(FREE_LIST_UNLOCKED))
    acquire(&free_list.lock);
}

static void unlock_free_list(void) {
  if (!FAULT(FREE_LIST_UNLOCKED))
    release(&free_list.lock);
}

static void push(struct frame *frame) {
  frame->next = free_list.first;
  free_list.first = frame;
  free_list.count++;
}

PROBE_POINT void kfree(void *frame) {
  if (!is_frame(frame))
    panic("kfree: 0x%lx is not the address of a frame", (uint64_t)frame);
  if (!FAULT(FREE_JUNK_SKIPPED))
    memset(frame, FREE_JUNK, PAGE_SIZE);
  lock_free_list();
  push(frame);
  if (FAULT(DOUBLE_FREE) && free_list.count % 100 == 0)
    push(frame);
  unlock_free_list();
}

PROBE_POINT void *kalloc(void) {
  lock_free_list();
  struct frame *frame = free_list.first;
  if (frame) {
    free_list.first = frame->next;
    free_list.count--;
    if (FAULT(LOST_TAIL) && free_list.count % 100 == 0 && free_list.first)
      free_list.first->next = 0;
  }
  unlock_free_list();
  if (frame && !FAULT(ALLOCATED_JUNK_SKIPPED))
    memset(frame, ALLOCATED_JUNK, PAGE_SIZE);
  return frame;
}

uint64_t free_frames(void) {
  acquire(&free_list.lock);
  uint64_t count = free_list.count;
  release(&free_list.lock);
  return count;
}

static bool holds_junk(const struct frame *frame) {
  const uint64_t *word = (const uint64_t *)frame;
  for (uint64_t i = 1; i < PAGE_SIZE / sizeof *word; i++) // word 0 is the link
    if (word[i] != FREE_JUNK * 0x0101010101010101UL)
      return false;
  return true;
}

// Panics unless the list is as long as it should be (so it has no cycle, and no lost tail), holds addresses of
// frames only, and each frame still holds its junk (so nobody wrote to it since it was freed).
PROBE_POINT void check_free_list(void) {
  acquire(&free_list.lock);
  uint64_t seen = 0;
  for (struct frame *frame = free_list.first; frame; frame = frame->next) {
    if (!is_frame(frame))
      panic("check_free_list: 0x%lx, after %ld others, is not the address of a frame", (uint64_t)frame, seen);
    if (!holds_junk(frame))
      panic("check_free_list: free frame 0x%lx has been written to", (uint64_t)frame);
    if (++seen > free_list.count)
      panic("check_free_list: a cycle, or more than the %ld frames counted", free_list.count);
  }
  if (seen != free_list.count)
    panic("check_free_list: %ld frames on the list, %ld counted", seen, free_list.count);
  release(&free_list.lock);
}
