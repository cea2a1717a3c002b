// cat [FILE...]: copies files, or standard input, to standard output.
#include "lib/user.h"

static void copy(int descriptor, const char *name) {
  char buffer[1024];
  int count;
  while ((count = read(descriptor, buffer, sizeof(buffer))) > 0)
    if (write(1, buffer, count) != count)
      fail("cat: cannot write\n");
  if (count < 0)
    fail("cat: cannot read %s\n", name);
}

int main(int argc, char **argv) {
  if (argc < 2)
    copy(0, "standard input");
  for (int i = 1; i < argc; i++) {
    int descriptor = open(argv[i], O_RDONLY);
    if (descriptor < 0)
      fail("cat: cannot open %s\n", argv[i]);
    copy(descriptor, argv[i]);
    close(descriptor);
  }
  return 0;
}
