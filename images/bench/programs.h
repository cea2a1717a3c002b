// The integer programs that `npm run bench` times, bare and in a user process: one source, two surroundings.
#pragma once
#include <stdint.h>

struct program {
  const char *name;
  uint32_t rounds;       // how often a benchmark calls `run`: a second or two of QEMU's time
  uint64_t checksum;     // what `run` returns, every time
  uint64_t (*run)(void); // one round of the work; calls no library
};

extern const struct program loop, sieve, quicksort, radixsort, towers, crc, matrix, records;

// The next of a sequence of numbers that look random (xorshift, Marsaglia 2003). The state must not be 0.
static inline uint32_t next_random(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}
