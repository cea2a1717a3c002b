// radixsort: sorts random numbers by one byte after the other, the lowest first.
#include "../programs.h"

#define COUNT 100000

static uint32_t numbers[COUNT], sorted[COUNT];

// Moves what is in `from` to `to`, in the order of the byte at bit `shift`; equal ones keep their order.
static void sort_by_byte(const uint32_t *from, uint32_t *to, int shift) {
  static uint32_t starts[256];
  uint32_t start = 0;
  for (int byte = 0; byte < 256; byte++)
    starts[byte] = 0;
  for (int i = 0; i < COUNT; i++)
    starts[from[i] >> shift & 0xff]++;
  for (int byte = 0; byte < 256; byte++) {
    uint32_t count = starts[byte];
    starts[byte] = start;
    start += count;
  }
  for (int i = 0; i < COUNT; i++)
    to[starts[from[i] >> shift & 0xff]++] = from[i];
}

static uint64_t run(void) {
  uint32_t state = 2;
  uint64_t checksum = 0;
  for (int i = 0; i < COUNT; i++)
    numbers[i] = next_random(&state);
  for (int shift = 0; shift < 32; shift += 16) {
    sort_by_byte(numbers, sorted, shift);
    sort_by_byte(sorted, numbers, shift + 8);
  }
  for (int i = 0; i < COUNT; i++)
    checksum = checksum * 31 + numbers[i];
  return checksum;
}

const struct program radixsort = {"radixsort", 250, 0xc77540401aff8d7, run};
