// kill PID...: ends processes.
#include "lib/user.h"

int main(int argc, char **argv) {
  if (argc < 2)
    fail("usage: kill PID...\n");
  for (int i = 1; i < argc; i++)
    if (kill(atoi(argv[i])) < 0)
      fail("kill: no process %s\n", argv[i]);
  return 0;
}
