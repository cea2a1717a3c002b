// calls NAME [COUNT]: makes one kind of system calls so many times, and is quiet unless it goes wrong. `npm run bench`
// types it and takes the time between two prompts.
#include "lib/user.h"

static void expect(bool fine, const char *what) {
  if (!fine)
    fail("calls: %s failed\n", what);
}

static void make_system_calls(int count) {
  int pid = getpid();
  for (int i = 0; i < count; i++)
    expect(getpid() == pid, "getpid");
}

static void fork_and_wait(int count) {
  for (int i = 0; i < count; i++) {
    int pid = fork();
    if (pid == 0)
      exit(0);
    expect(pid > 0 && wait(0) == pid, "fork");
  }
}

// The child becomes this program again, with work that is done at once.
static void fork_and_exec(int count) {
  char *arguments[] = {"calls", "syscall", "0", 0};
  for (int i = 0; i < count; i++) {
    int status, pid = fork();
    if (pid == 0) {
      exec("/calls", arguments);
      exit(1);
    }
    expect(pid > 0 && wait(&status) == pid && status == 0, "exec");
  }
}

// Sends a byte to a child and takes it back.
static void play_ping_pong(int count) {
  int there[2], back[2];
  char byte = 'x';
  expect(pipe(there) == 0 && pipe(back) == 0, "pipe");
  int pid = fork();
  expect(pid >= 0, "fork");
  for (int i = 0; i < count; i++) {
    if (pid == 0)
      expect(read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1, "the child's turn");
    else
      expect(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "the parent's turn");
  }
  if (pid == 0)
    exit(0);
  wait(0);
}

static void make_files(int count) {
  static char block[1024];
  for (int i = 0; i < count; i++) {
    int descriptor = open("calls.tmp", O_CREATE | O_RDWR);
    expect(descriptor >= 0, "open");
    expect(write(descriptor, block, sizeof(block)) == sizeof(block), "write");
    expect(close(descriptor) == 0 && unlink("calls.tmp") == 0, "unlink");
  }
}

static const struct {
  const char *name;
  void (*make)(int count);
  int count;
} kinds[] = {
    {"syscall", make_system_calls, 100000}, {"fork", fork_and_wait, 1000}, {"exec", fork_and_exec, 500},
    {"pipe", play_ping_pong, 5000},         {"file", make_files, 50},
};

int main(int argc, char **argv) {
  if (argc < 2)
    fail("usage: calls NAME [COUNT]\n");
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    if (strcmp(argv[1], kinds[i].name) == 0) {
      kinds[i].make(argc > 2 ? atoi(argv[2]) : kinds[i].count);
      return 0;
    }
  fail("calls: there is no %s\n", argv[1]);
}
