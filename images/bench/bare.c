// A program on the bare machine, in machine mode: PROGRAM names it. It ends the run through the test finisher.
#include "programs.h"

#define FINISHER ((volatile uint32_t *)0x100000)
#define PASS 0x5555
#define FAIL 0x13333 // with exit code 1

extern const struct program PROGRAM;

// How many rounds to run; 0 for as many as the program says. A shorter run patches it in the file.
const volatile uint32_t rounds = 0;

void main(void) {
  uint32_t left = rounds ? rounds : PROGRAM.rounds;
  while (left > 0 && PROGRAM.run() == PROGRAM.checksum)
    left--;
  *FINISHER = left == 0 ? PASS : FAIL;
  for (;;)
    ;
}
