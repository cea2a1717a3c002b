// rm FILE...: removes files and empty directories.
#include "lib/user.h"

int main(int argc, char **argv) {
  if (argc < 2)
    fail("usage: rm FILE...\n");
  for (int i = 1; i < argc; i++)
    if (unlink(argv[i]) < 0)
      fail("rm: cannot remove %s\n", argv[i]);
  return 0;
}
