// mkdir DIRECTORY...: makes directories.
#include "lib/user.h"

int main(int argc, char **argv) {
  if (argc < 2)
    fail("usage: mkdir DIRECTORY...\n");
  for (int i = 1; i < argc; i++)
    if (mkdir(argv[i]) < 0)
      fail("mkdir: cannot make %s\n", argv[i]);
  return 0;
}
