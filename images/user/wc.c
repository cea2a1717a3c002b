// wc [FILE...]: counts lines, words and bytes.
#include "lib/user.h"

static void count(int descriptor, const char *name) {
  char buffer[1024];
  int lines = 0, words = 0, bytes = 0, length;
  bool in_word = false;
  while ((length = read(descriptor, buffer, sizeof(buffer))) > 0) {
    bytes += length;
    for (int i = 0; i < length; i++) {
      bool is_space = strchr(" \t\r\n\v", buffer[i]) != 0; // finds a zero byte, too
      lines += buffer[i] == '\n';
      words += !is_space && !in_word;
      in_word = !is_space;
    }
  }
  if (length < 0)
    fail("wc: cannot read %s\n", name);
  printf("%d %d %d %s\n", lines, words, bytes, name);
}

int main(int argc, char **argv) {
  if (argc < 2)
    count(0, "");
  for (int i = 1; i < argc; i++) {
    int descriptor = open(argv[i], O_RDONLY);
    if (descriptor < 0)
      fail("wc: cannot open %s\n", argv[i]);
    count(descriptor, argv[i]);
    close(descriptor);
  }
  return 0;
}
