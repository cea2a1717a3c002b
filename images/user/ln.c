// ln OLD NEW: gives a file another name.
#include "lib/user.h"

int main(int argc, char **argv) {
  if (argc != 3)
    fail("usage: ln OLD NEW\n");
  if (link(argv[1], argv[2]) < 0)
    fail("ln: cannot link %s to %s\n", argv[2], argv[1]);
  return 0;
}
