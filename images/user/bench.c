// bench NAME [ROUNDS]: runs one of ../bench's programs, and is quiet unless its result is wrong. `npm run bench` types it
// and takes the time between two prompts.
#include "../bench/programs.h"
#include "lib/user.h"

static const struct program *const programs[] = {&loop,   &sieve, &quicksort, &radixsort,
                                                 &towers, &crc,   &matrix,    &records};

static void run(const struct program *program, uint32_t rounds) {
  for (; rounds > 0; rounds--)
    if (program->run() != program->checksum)
      fail("bench: %s computed a wrong result\n", program->name);
}

int main(int argc, char **argv) {
  if (argc < 2)
    fail("usage: bench NAME [ROUNDS]\n");
  for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
    if (strcmp(argv[1], programs[i]->name) == 0) {
      run(programs[i], argc > 2 ? (uint32_t)atoi(argv[2]) : programs[i]->rounds);
      return 0;
    }
  fail("bench: there is no %s\n", argv[1]);
}
