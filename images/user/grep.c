// grep PATTERN [FILE...]: prints the lines that match. In a pattern `.` is any character, `x*` any number of x, and
// `^` and `$` are the line's ends.
#include "lib/user.h"

static bool matches_here(const char *pattern, const char *text) {
  if (*pattern == 0)
    return true;
  if (pattern[0] == '$' && pattern[1] == 0)
    return *text == 0;
  bool first = *text && (*pattern == '.' || *pattern == *text);
  if (pattern[1] == '*')
    return matches_here(pattern + 2, text) || (first && matches_here(pattern, text + 1));
  return first && matches_here(pattern + 1, text + 1);
}

static bool matches(const char *pattern, const char *text) {
  if (*pattern == '^')
    return matches_here(pattern + 1, text);
  do {
    if (matches_here(pattern, text))
      return true;
  } while (*text++);
  return false;
}

// Looks at each line; one longer than the buffer is taken as several.
static void search(const char *pattern, int descriptor) {
  static char buffer[1024];
  int used = 0, count;
  while ((count = read(descriptor, buffer + used, sizeof(buffer) - 1 - used)) > 0 || used > 0) {
    used += count > 0 ? count : 0;
    buffer[used] = 0;
    char *line = buffer, *end;
    while ((end = strchr(line, '\n')) != 0 || (*line && (count <= 0 || used == sizeof(buffer) - 1))) {
      if (end == 0)
        end = buffer + used;
      *end = 0;
      if (matches(pattern, line))
        printf("%s\n", line);
      line = end < buffer + used ? end + 1 : end;
    }
    used = buffer + used - line;
    memmove(buffer, line, used);
  }
}

int main(int argc, char **argv) {
  if (argc < 2)
    fail("usage: grep PATTERN [FILE...]\n");
  if (argc == 2)
    search(argv[1], 0);
  for (int i = 2; i < argc; i++) {
    int descriptor = open(argv[i], O_RDONLY);
    if (descriptor < 0)
      fail("grep: cannot open %s\n", argv[i]);
    search(argv[1], descriptor);
    close(descriptor);
  }
  return 0;
}
