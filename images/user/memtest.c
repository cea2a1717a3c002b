// memtest: the memory of a process.
#include "lib/testing.h"

#define PAGE 4096
#define MEGABYTE (1024 * 1024)

static bool is_filled(const char *bytes, long length, char value) {
  for (long i = 0; i < length; i++)
    if (bytes[i] != value)
      return false;
  return true;
}

static char *page_of(const void *address) { return (char *)((uint64_t)address & ~(uint64_t)(PAGE - 1)); }

static volatile char *target; // of the functions below, which run in children

static int load(void) {
  char value = *target;
  (void)value;
  return 0;
}

static int store(void) {
  *target = 1;
  return 0;
}

static int call(void) {
  ((void (*)(void))target)();
  return 0;
}

static bool is_killed(int (*function)(void), const void *address) {
  target = (volatile char *)address;
  return in_child(function) == -1;
}

static bool heap_grows(void) {
  long length = 10 * PAGE + 100;
  char *start = sbrk(length);
  EXPECT(start != FAILED_ADDRESS);
  EXPECT(sbrk(0) == start + length);
  EXPECT(is_filled(start, length, 0));
  memset(start, 7, length);
  char *more = sbrk(PAGE);
  EXPECT(more == start + length);
  EXPECT(is_filled(more, PAGE, 0));
  EXPECT(is_filled(start, length, 7));
  return true;
}

static bool heap_shrinks(void) {
  char *start = sbrk(8 * PAGE);
  EXPECT(start != FAILED_ADDRESS);
  memset(start, 7, 8 * PAGE);
  EXPECT(sbrk(-5 * PAGE) == start + 8 * PAGE);
  EXPECT(sbrk(0) == start + 3 * PAGE);
  EXPECT(is_filled(start, 3 * PAGE, 7));
  EXPECT(is_killed(load, page_of(start + 4 * PAGE)));
  EXPECT(sbrk(5 * PAGE) == start + 3 * PAGE);
  EXPECT(is_filled(page_of(start + 4 * PAGE), 4 * PAGE, 0));
  return true;
}

static int load_given_up(void) {
  char *start = sbrk(2 * PAGE);
  volatile char *page = page_of(start + PAGE);
  *page = 7;
  sbrk(-2 * PAGE);
  (void)*page; // by the process that stored there: a translation of before would still reach the frame
  return 0;
}

static bool given_up_page_is_gone_at_once(void) {
  EXPECT(in_child(load_given_up) == -1);
  return true;
}

static bool heap_keeps_partial_page(void) {
  char *start = sbrk(0);
  sbrk(PAGE - (uint64_t)start % PAGE); // to the end of a page
  char *page = sbrk(PAGE);
  memset(page, 7, PAGE);
  sbrk(-PAGE / 2);
  EXPECT(is_filled(page, PAGE / 2, 7));
  sbrk(-PAGE / 2);
  EXPECT(is_killed(load, page));
  return true;
}

static bool bounds_hold(void) {
  char *start = sbrk(0);
  EXPECT(sbrk(-(long)start - PAGE) == FAILED_ADDRESS);
  EXPECT(sbrk(0) == start);
  EXPECT(is_killed(load, page_of(start + 2 * PAGE)));
  EXPECT(is_killed(store, page_of(start + 2 * PAGE)));
  return true;
}

static bool text_is_safe(void) {
  EXPECT(!is_killed(load, (void *)text_is_safe));
  EXPECT(is_killed(store, (void *)text_is_safe));
  return true;
}

static bool data_is_no_code(void) {
  static uint32_t code[] = {0x00008067}; // ret
  uint32_t on_stack[] = {0x00008067};
  uint32_t *on_heap = sbrk(PAGE);
  *on_heap = code[0];
  EXPECT(is_killed(call, code));
  EXPECT(is_killed(call, on_stack));
  EXPECT(is_killed(call, on_heap));
  return true;
}

static bool stack_has_guard(void) {
  char on_stack;
  EXPECT(!is_killed(store, page_of(&on_stack)));
  EXPECT(is_killed(load, page_of(&on_stack) - 1));
  EXPECT(is_killed(store, page_of(&on_stack) - 1));
  return true;
}

// Addresses that no program may touch: devices, the kernel, trapframe and trampoline, and beyond all.
static const uint64_t forbidden[] = {
    0x0c000000, 0x10000000, 0x80000000, 0x80001000, 0x87fff000, 0x3fffffe000, 0x3ffffff000, 0x4000000000,
    0x8000000000000000, 0xffffffffffffff00,
};
#define FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))

static bool kernel_is_out_of_reach(void) {
  for (unsigned i = 0; i < FORBIDDEN; i++) {
    EXPECT(is_killed(load, (void *)forbidden[i]));
    EXPECT(is_killed(store, (void *)forbidden[i]));
    EXPECT(is_killed(call, (void *)forbidden[i]));
  }
  return true;
}

static bool calls_check_addresses(void) {
  int ends[2];
  char byte = 'x';
  EXPECT(pipe(ends) == 0);
  for (unsigned i = 0; i < FORBIDDEN; i++) {
    void *address = (void *)forbidden[i];
    EXPECT(write(ends[1], address, 1) == -1);
    EXPECT(write(ends[1], &byte, 1) == 1);
    EXPECT(read(ends[0], address, 1) == -1);
    EXPECT(read(ends[0], &byte, 1) == 1); // the byte is still there
    EXPECT(open(address, O_RDONLY) == -1);
    EXPECT(exec(address, 0) == -1);
    EXPECT(pipe(address) == -1);
    EXPECT(fstat(0, address) == -1);
  }
  EXPECT(write(ends[1], &byte, 1) == 1);
  EXPECT(read(ends[0], (void *)calls_check_addresses, 1) == -1); // not into text
  EXPECT(write(ends[1], (char *)sbrk(0) - 1, PAGE + 2) < PAGE + 2); // not past the heap
  return true;
}

static bool memory_runs_out(void) {
  char *start = sbrk(0);
  long size = 0;
  while (sbrk(MEGABYTE) != FAILED_ADDRESS)
    size += MEGABYTE;
  while (sbrk(PAGE) != FAILED_ADDRESS)
    size += PAGE;
  EXPECT(size > MEGABYTE);
  EXPECT((char *)sbrk(0) == start + size);
  for (char *page = start; page < start + size; page += PAGE)
    *page = 1;
  EXPECT(sbrk(-size) == start + size);
  EXPECT(sbrk(MEGABYTE) == start);
  EXPECT(is_filled(start, MEGABYTE, 0));
  return true;
}

static bool kernel_is_sound(void) {
  EXPECT(freeframes() == -1 || checkmemory() == 0); // the former on a kernel without these calls
  return true;
}

int main(void) {
  static const struct test tests[] = {
      {"the heap grows by zeroed memory", heap_grows},
      {"the heap shrinks, and what is given up is gone", heap_shrinks},
      {"it is gone at once for who used it last", given_up_page_is_gone_at_once},
      {"a page that is partly given up stays", heap_keeps_partial_page},
      {"the heap's bounds hold", bounds_hold},
      {"text can be read but not written", text_is_safe},
      {"data, stack and heap are not executable", data_is_no_code},
      {"the stack has a guard page", stack_has_guard},
      {"the kernel's memory is out of reach", kernel_is_out_of_reach},
      {"system calls refuse addresses that the process may not use", calls_check_addresses},
      {"memory runs out, and comes back", memory_runs_out},
      {"free list and kernel page table are sound", kernel_is_sound},
  };
  return run_tests("memtest", TESTS(tests));
}
