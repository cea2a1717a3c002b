// quicksort: sorts random numbers, with the middle one as pivot.
#include "../programs.h"

#define COUNT 100000

static int32_t numbers[COUNT];

// Sorts from `low` up to and including `high`. The longer part is left to the loop, so the stack stays small.
static void sort(int32_t *low, int32_t *high) {
  while (low < high) {
    int32_t *left = low, *right = high;
    int32_t pivot = low[(high - low) / 2];
    while (left <= right) {
      while (*left < pivot)
        left++;
      while (*right > pivot)
        right--;
      if (left <= right) {
        int32_t swapped = *left;
        *left++ = *right;
        *right-- = swapped;
      }
    }
    if (right - low < high - left) {
      sort(low, right);
      low = left;
    } else {
      sort(left, high);
      high = right;
    }
  }
}

static uint64_t run(void) {
  uint32_t state = 1;
  uint64_t checksum = 0;
  for (int i = 0; i < COUNT; i++)
    numbers[i] = (int32_t)next_random(&state);
  sort(numbers, numbers + COUNT - 1);
  for (int i = 0; i < COUNT; i++)
    checksum = checksum * 31 + (uint32_t)numbers[i];
  return checksum;
}

const struct program quicksort = {"quicksort", 120, 0xbef8357b17cbbb6, run};
