// loop: the smallest loop that does something: load, add, next address, branch.
#include "../programs.h"

#define WORDS 4096
#define PASSES 500

static uint64_t words[WORDS];

static uint64_t run(void) {
  uint64_t sum = 0;
  for (int i = 0; i < WORDS; i++)
    words[i] = i;
  for (int pass = 0; pass < PASSES; pass++)
    for (int i = 0; i < WORDS; i++)
      sum += words[i];
  return sum;
}

const struct program loop = {"loop", 500, (uint64_t)PASSES * WORDS * (WORDS - 1) / 2, run};
