// fstest: files, directories and pipes. Works in a directory of its own, fstest.dir.
#include "lib/testing.h"

#define BLOCK 1024
#define LARGEST ((12 + 256) * BLOCK)

// The byte at a position of a file that is numbered `seed`.
static char pattern(int seed, int position) { return (char)(seed * 31 + position * 7 + position / BLOCK); }

// Writes `size` bytes of pattern in steps. Returns the number of bytes that could be written.
static int write_pattern(int descriptor, int seed, int size, int step) {
  static char buffer[5 * BLOCK];
  for (int done = 0; done < size;) {
    int length = size - done < step ? size - done : step;
    for (int i = 0; i < length; i++)
      buffer[i] = pattern(seed, done + i);
    int count = write(descriptor, buffer, length);
    done += count > 0 ? count : 0;
    if (count != length)
      return done;
  }
  return size;
}

// Whether what follows in a file is `size` bytes of pattern and then the end.
static bool read_pattern(int descriptor, int seed, int size, int step) {
  static char buffer[5 * BLOCK];
  int done = 0, count;
  while ((count = read(descriptor, buffer, step)) > 0) {
    for (int i = 0; i < count; i++)
      if (buffer[i] != pattern(seed, done + i))
        return false;
    done += count;
  }
  return count == 0 && done == size;
}

static bool make_file(const char *name, int seed, int size) {
  int descriptor = open(name, O_WRONLY | O_CREATE | O_TRUNC);
  bool made = descriptor >= 0 && write_pattern(descriptor, seed, size, 3 * BLOCK) == size;
  close(descriptor);
  return made;
}

static bool file_is(const char *name, int seed, int size) {
  int descriptor = open(name, O_RDONLY);
  bool is = descriptor >= 0 && read_pattern(descriptor, seed, size, 2 * BLOCK);
  close(descriptor);
  return is;
}

static bool exists(const char *name) {
  int descriptor = open(name, O_RDONLY);
  if (descriptor >= 0)
    close(descriptor);
  return descriptor >= 0;
}

// A name made of a letter and a number.
static const char *numbered(char letter, int number) {
  static char name[6];
  name[0] = letter;
  for (int i = 4; i > 0; i--, number /= 10)
    name[i] = '0' + number % 10;
  return name;
}

static bool files_keep_bytes(void) {
  static const int sizes[] = {0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 12 * BLOCK - 1, 12 * BLOCK, 12 * BLOCK + 1,
                              20 * BLOCK};
  static const int steps[] = {100, BLOCK, 5 * BLOCK};
  for (int i = 0; i < 9; i++) {
    for (int j = 0; j < 3; j++) {
      struct stat stat;
      int descriptor = open("file", O_RDWR | O_CREATE | O_TRUNC);
      EXPECT(descriptor >= 0);
      EXPECT(write_pattern(descriptor, i, sizes[i], steps[j]) == sizes[i]);
      EXPECT(fstat(descriptor, &stat) == 0);
      EXPECT(stat.size == (uint64_t)sizes[i] && stat.type == T_FILE && stat.links == 1);
      close(descriptor);
      descriptor = open("file", O_RDONLY);
      EXPECT(read_pattern(descriptor, i, sizes[i], steps[2 - j]));
      close(descriptor);
    }
  }
  EXPECT(unlink("file") == 0);
  return true;
}

static bool largest_file(void) {
  int descriptor = open("large", O_RDWR | O_CREATE);
  EXPECT(descriptor >= 0);
  EXPECT(write_pattern(descriptor, 1, LARGEST, BLOCK) == LARGEST);
  EXPECT(write(descriptor, "x", 1) == -1);
  close(descriptor);
  EXPECT(file_is("large", 1, LARGEST));
  EXPECT(unlink("large") == 0);
  return true;
}

static bool open_flags(void) {
  char byte = 'x';
  EXPECT(open("none", O_RDWR) == -1);
  EXPECT(make_file("file", 1, 2 * BLOCK));
  int descriptor = open("file", O_WRONLY | O_CREATE); // keeps what is there
  EXPECT(write(descriptor, &byte, 1) == 1);
  EXPECT(read(descriptor, &byte, 1) == -1);
  close(descriptor);
  descriptor = open("file", O_RDONLY);
  EXPECT(write(descriptor, &byte, 1) == -1);
  EXPECT(read(descriptor, &byte, 1) == 1 && byte == 'x');
  EXPECT(read(descriptor, &byte, 1) == 1 && byte == pattern(1, 1));
  close(descriptor);
  descriptor = open("file", O_WRONLY | O_TRUNC);
  close(descriptor);
  EXPECT(file_is("file", 1, 0));
  EXPECT(open(".", O_WRONLY) == -1);
  EXPECT(open(".", O_RDWR) == -1);
  EXPECT(open("..", O_RDONLY | O_CREATE) == -1);
  EXPECT(open("file/none", O_CREATE) == -1);
  EXPECT(unlink("file") == 0);
  return true;
}

static bool links_count(void) {
  struct stat stat;
  EXPECT(make_file("one", 1, BLOCK));
  EXPECT(link("one", "two") == 0);
  EXPECT(link("one", "two") == -1);
  EXPECT(link("none", "three") == -1);
  EXPECT(link(".", "three") == -1);
  EXPECT(link("one", "none/three") == -1);
  int descriptor = open("two", O_RDONLY);
  EXPECT(fstat(descriptor, &stat) == 0 && stat.links == 2);
  EXPECT(unlink("one") == 0);
  EXPECT(unlink("one") == -1);
  EXPECT(fstat(descriptor, &stat) == 0 && stat.links == 1);
  close(descriptor);
  EXPECT(file_is("two", 1, BLOCK));
  EXPECT(unlink("two") == 0);
  EXPECT(!exists("two"));
  return true;
}

static bool unlinked_file_stays(void) {
  EXPECT(make_file("file", 1, 3 * BLOCK));
  int descriptor = open("file", O_RDWR);
  EXPECT(unlink("file") == 0);
  EXPECT(!exists("file"));
  EXPECT(make_file("file", 2, 3 * BLOCK)); // another one of that name
  EXPECT(read_pattern(descriptor, 1, 3 * BLOCK, BLOCK));
  EXPECT(write_pattern(descriptor, 1, 3 * BLOCK, BLOCK) == 3 * BLOCK);
  close(descriptor);
  EXPECT(file_is("file", 2, 3 * BLOCK));
  EXPECT(unlink("file") == 0);
  return true;
}

static bool directories_nest(void) {
  struct stat stat;
  EXPECT(mkdir("a") == 0);
  EXPECT(mkdir("a") == -1);
  EXPECT(mkdir("none/b") == -1);
  EXPECT(mkdir("a/b") == 0 && mkdir("a/b/c") == 0);
  EXPECT(make_file("a/b/c/file", 1, 100));
  EXPECT(file_is("a//b/./c/../c/file", 1, 100));
  EXPECT(chdir("a/b") == 0);
  EXPECT(file_is("c/file", 1, 100));
  EXPECT(file_is("../../a/b/c/file", 1, 100));
  EXPECT(file_is("/fstest.dir/a/b/c/file", 1, 100));
  EXPECT(chdir("c/file") == -1);
  EXPECT(chdir("../..") == 0);
  int descriptor = open("a", O_RDONLY);
  EXPECT(fstat(descriptor, &stat) == 0 && stat.type == T_DIRECTORY && stat.links == 2);
  close(descriptor);
  EXPECT(unlink("a") == -1); // not empty
  EXPECT(unlink("a/b/c/.") == -1);
  EXPECT(unlink("a/b/c/..") == -1);
  EXPECT(unlink("/") == -1);
  EXPECT(unlink("a/b/c/file") == 0);
  EXPECT(unlink("a/b/c") == 0 && unlink("a/b") == 0 && unlink("a") == 0);
  return true;
}

static bool names_have_limits(void) {
  EXPECT(make_file("fourteen-bytes", 1, 100));
  EXPECT(file_is("fourteen-bytes", 1, 100));
  EXPECT(file_is("fourteen-bytes and what is cut off", 1, 100));
  EXPECT(!exists("fourteen-byte"));
  EXPECT(unlink("fourteen-bytes") == 0);
  static char path[200];
  memset(path, '/', sizeof(path) - 1);
  EXPECT(open(path, O_RDONLY) == -1); // too long
  EXPECT(open("", O_CREATE) == -1);
  return true;
}

static bool directory_grows(void) {
  EXPECT(make_file("first", 1, 100));
  for (int i = 0; i < 100; i++)
    EXPECT(link("first", numbered('n', i)) == 0);
  for (int i = 0; i < 100; i += 2)
    EXPECT(unlink(numbered('n', i)) == 0);
  for (int i = 0; i < 100; i++)
    EXPECT(exists(numbered('n', i)) == (i % 2 == 1));
  for (int i = 0; i < 50; i++)
    EXPECT(link("first", numbered('m', i)) == 0); // in the places that are free
  struct stat stat;
  int descriptor = open(".", O_RDONLY);
  EXPECT(fstat(descriptor, &stat) == 0 && stat.size < 110 * sizeof(struct directory_entry));
  close(descriptor);
  for (int i = 0; i < 50; i++)
    EXPECT(unlink(numbered('m', i)) == 0 && unlink(numbered('n', 2 * i + 1)) == 0);
  EXPECT(unlink("first") == 0);
  return true;
}

// Starts `count` children that call the function with their number, and waits. Returns whether all succeeded.
static bool all_succeed(bool (*function)(int number), int count) {
  bool success = true;
  for (int i = 0; i < count; i++) {
    int pid = fork();
    if (pid == 0)
      exit(function(i) ? 0 : 1);
    success = success && pid > 0;
  }
  for (int status; wait(&status) > 0;)
    success = success && status == 0;
  return success;
}

static bool churn(int number) {
  for (int round = 0; round < 8; round++) {
    const char *name = numbered('p', number);
    EXPECT(make_file(name, number + round, 5 * BLOCK));
    EXPECT(file_is(name, number + round, 5 * BLOCK));
    EXPECT(unlink(name) == 0);
  }
  return true;
}

static bool processes_share_directory(void) {
  EXPECT(all_succeed(churn, 4));
  return true;
}

static int shared_descriptor;

static bool write_records(int number) {
  char record[16];
  memset(record, 'a' + number, sizeof(record));
  for (int i = 0; i < 100; i++)
    EXPECT(write(shared_descriptor, record, sizeof(record)) == sizeof(record));
  return true;
}

static bool processes_share_file(void) {
  char record[16];
  int counts[3] = {0};
  shared_descriptor = open("shared", O_RDWR | O_CREATE);
  EXPECT(all_succeed(write_records, 3));
  close(shared_descriptor);
  int descriptor = open("shared", O_RDONLY);
  while (read(descriptor, record, sizeof(record)) == sizeof(record)) {
    for (unsigned i = 1; i < sizeof(record); i++)
      EXPECT(record[i] == record[0]);
    counts[record[0] - 'a']++;
  }
  close(descriptor);
  EXPECT(counts[0] == 100 && counts[1] == 100 && counts[2] == 100);
  EXPECT(unlink("shared") == 0);
  return true;
}

// Fills the disk with files, and makes a directory fail. Returns the bytes that went in, -1 for a wrong result.
static int fill_disk(void) {
  int total = 0, files = 0, written = LARGEST;
  while (written == LARGEST) {
    int descriptor = open(numbered('f', files++), O_WRONLY | O_CREATE);
    if (descriptor < 0)
      return -1;
    written = write_pattern(descriptor, 1, LARGEST, 3 * BLOCK);
    total += written;
    close(descriptor);
  }
  bool right = mkdir("no-room") == -1 && !exists("no-room");
  right = right && file_is(numbered('f', files - 1), 1, written);
  while (files > 0)
    right = unlink(numbered('f', --files)) == 0 && right;
  return right ? total : -1;
}

static bool disk_runs_full(void) {
  int first = fill_disk();
  EXPECT(first > LARGEST);
  EXPECT(fill_disk() == first); // nothing was lost
  return true;
}

// Creates files while there are inodes, then removes them. Returns how many there were.
static int use_inodes(void) {
  int count = 0, removed = 0;
  for (int descriptor; (descriptor = open(numbered('i', count), O_WRONLY | O_CREATE)) >= 0; count++)
    close(descriptor);
  if (mkdir("none-left") != -1 || mknod("none-left", 1, 0) != -1)
    return -1;
  while (removed < count && unlink(numbered('i', removed)) == 0)
    removed++;
  return removed == count ? count : -1;
}

static bool inodes_run_out(void) {
  int first = use_inodes();
  EXPECT(first > 10);
  EXPECT(use_inodes() == first);
  return true;
}

static bool pipes_carry_bytes(void) {
  int ends[2], status;
  EXPECT(pipe(ends) == 0);
  int pid = fork();
  if (pid == 0) {
    close(ends[0]);
    exit(write_pattern(ends[1], 1, 20000, 777) == 20000 ? 0 : 1);
  }
  close(ends[1]);
  EXPECT(read_pattern(ends[0], 1, 20000, 1000));
  EXPECT(wait(&status) == pid && status == 0);
  close(ends[0]);
  return true;
}

static bool pipes_end(void) {
  int ends[2];
  char byte;
  EXPECT(pipe(ends) == 0);
  EXPECT(write(ends[1], "x", 1) == 1);
  EXPECT(write(ends[0], "x", 1) == -1 && read(ends[1], &byte, 1) == -1);
  close(ends[1]);
  EXPECT(read(ends[0], &byte, 1) == 1);
  EXPECT(read(ends[0], &byte, 1) == 0); // no writer
  close(ends[0]);
  EXPECT(pipe(ends) == 0);
  close(ends[0]);
  EXPECT(write(ends[1], "x", 1) == -1); // no reader
  close(ends[1]);
  return true;
}

static bool descriptors_run_out(void) {
  char byte;
  int descriptor, ends[2], last = -1;
  EXPECT(make_file("file", 1, 100));
  while ((descriptor = open("file", O_RDONLY)) >= 0)
    last = descriptor;
  EXPECT(last >= 3);
  EXPECT(dup(last) == -1);
  EXPECT(pipe(ends) == -1);
  EXPECT(open("other", O_RDONLY | O_CREATE) == -1);
  EXPECT(close(last) == 0);
  EXPECT(pipe(ends) == -1); // one is not enough
  EXPECT(dup(3) == last);
  for (descriptor = 3; descriptor <= last; descriptor++)
    EXPECT(close(descriptor) == 0);
  EXPECT(close(3) == -1 && close(-1) == -1 && close(1000) == -1);
  EXPECT(read(3, &byte, 1) == -1 && read(-1, &byte, 1) == -1);
  EXPECT(write(3, &byte, 1) == -1 && write(1000, &byte, 1) == -1);
  EXPECT(read(0, &byte, -1) == -1);
  unlink("other");
  EXPECT(unlink("file") == 0);
  return true;
}

static bool console_is_device(void) {
  struct stat stat;
  int descriptor = open("/console", O_RDWR);
  EXPECT(descriptor >= 0);
  EXPECT(fstat(descriptor, &stat) == 0 && stat.type == T_DEVICE);
  EXPECT(write(descriptor, "", 0) == 0);
  close(descriptor);
  return true;
}

int main(void) {
  static const struct test tests[] = {
      {"files of all sizes keep their bytes", files_keep_bytes},
      {"a file grows to 268 blocks and no further", largest_file},
      {"open does as its flags say", open_flags},
      {"links are counted", links_count},
      {"an open file outlives its name", unlinked_file_stays},
      {"directories nest", directories_nest},
      {"names and paths have limits", names_have_limits},
      {"directories grow, and fill their gaps", directory_grows},
      {"processes work in one directory at once", processes_share_directory},
      {"processes write to one file at once", processes_share_file},
      {"the disk runs full, and empties", disk_runs_full},
      {"inodes run out, and come back", inodes_run_out},
      {"pipes carry bytes in order", pipes_carry_bytes},
      {"pipes end with their writer and their reader", pipes_end},
      {"descriptors run out, and come back", descriptors_run_out},
      {"the console is a device", console_is_device},
  };
  if (mkdir("/fstest.dir") < 0 || chdir("/fstest.dir") < 0)
    fail("fstest: cannot make /fstest.dir\n");
  int status = run_tests("fstest", TESTS(tests));
  chdir("/");
  unlink("/fstest.dir");
  return status;
}
