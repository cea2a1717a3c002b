// towers: the towers of Hanoi by recursion, with pegs on which discs are really put.
#include "../programs.h"

#define DISCS 16

struct peg {
  int height;
  int discs[DISCS];
};

static struct peg pegs[3];
static uint64_t moves;

static void move_disc(struct peg *from, struct peg *to) {
  to->discs[to->height++] = from->discs[--from->height];
  moves++;
}

static __attribute__((noinline)) void move_tower(int discs, int from, int to) {
  if (discs == 0)
    return;
  int other = 3 - from - to;
  move_tower(discs - 1, from, other);
  move_disc(&pegs[from], &pegs[to]);
  move_tower(discs - 1, other, to);
}

static uint64_t run(void) {
  moves = 0;
  pegs[0].height = pegs[1].height = pegs[2].height = 0;
  for (int disc = DISCS; disc > 0; disc--)
    pegs[0].discs[pegs[0].height++] = disc;
  move_tower(DISCS, 0, 2);
  return moves * 100 + pegs[2].height;
}

const struct program towers = {"towers", 700, ((1 << DISCS) - 1) * 100 + DISCS, run};
