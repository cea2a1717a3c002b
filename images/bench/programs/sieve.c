// sieve: counts the primes below a limit by Eratosthenes' sieve.
#include "../programs.h"

#define LIMIT (1 << 20)

static uint8_t is_composite[LIMIT];

static uint64_t run(void) {
  uint64_t primes = 0;
  for (int i = 0; i < LIMIT; i++)
    is_composite[i] = 0;
  for (int i = 2; i < LIMIT; i++) {
    if (is_composite[i])
      continue;
    primes++;
    for (int multiple = 2 * i; multiple < LIMIT; multiple += i)
      is_composite[multiple] = 1;
  }
  return primes;
}

const struct program sieve = {"sieve", 160, 82025, run};
