// memmap: prints the page tables of this process and of the kernel.
#include "lib/user.h"

int main(void) {
  if (memmap() < 0)
    fail("memmap: this kernel cannot do that\n");
  return 0;
}
