// ls [PATH...]: lists directories, or the files given: name, type, inode number and size.
#include "lib/user.h"

static void print_entry(const char *name, const struct stat *stat) {
  static const char *types[] = {"?", "directory", "file", "device"};
  printf("%14s %9s %4d %7ld\n", name, types[stat->type & 3], stat->inode, stat->size);
}

// Opens a path, and gets the file's particulars. Returns the descriptor.
static int open_path(const char *path, struct stat *stat) {
  int descriptor = open(path, O_RDONLY);
  if (descriptor < 0 || fstat(descriptor, stat) < 0)
    fail("ls: cannot open %s\n", path);
  return descriptor;
}

static void list(const char *path) {
  struct stat stat;
  struct directory_entry entry;
  char child[128];
  int descriptor = open_path(path, &stat);
  size_t length = strlen(path);
  if (stat.type != T_DIRECTORY)
    print_entry(path, &stat);
  else if (length + 1 + NAME_LENGTH + 1 > sizeof(child))
    fail("ls: %s is too long\n", path);
  else {
    strcpy(child, path);
    child[length] = '/';
    while (read(descriptor, &entry, sizeof(entry)) == sizeof(entry)) {
      if (entry.inode == 0)
        continue;
      memmove(child + length + 1, entry.name, NAME_LENGTH);
      child[length + 1 + NAME_LENGTH] = 0;
      close(open_path(child, &stat));
      print_entry(child + length + 1, &stat);
    }
  }
  close(descriptor);
}

int main(int argc, char **argv) {
  if (argc < 2)
    list(".");
  for (int i = 1; i < argc; i++)
    list(argv[i]);
  return 0;
}
