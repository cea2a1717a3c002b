// The first process: opens the console, keeps a shell running, and takes in processes whose parents have ended.
#include "lib/user.h"

int main(void) {
  if (open("console", O_RDWR) < 0) {
    mknod("console", CONSOLE_MAJOR, 0);
    open("console", O_RDWR);
  }
  dup(0); // standard output
  dup(0); // standard error

  for (;;) {
    int shell = fork();
    if (shell < 0)
      fail("init: no process for the shell\n");
    if (shell == 0) {
      char *arguments[] = {"sh", 0};
      exec("sh", arguments);
      fail("init: there is no sh\n");
    }
    while (wait(0) != shell)
      ;
  }
}
