// forktest: processes.
#include "lib/testing.h"

#define MEGABYTE (1024 * 1024)

static int shared_value = 1;

static bool memory_is_copied(void) {
  int on_stack = 1;
  char *on_heap = sbrk(5000);
  on_heap[4999] = 1;
  int pid = fork();
  if (pid == 0) {
    bool same = shared_value == 1 && on_stack == 1 && on_heap[4999] == 1;
    shared_value = on_stack = on_heap[4999] = 2;
    exit(same ? 42 : 1);
  }
  int status;
  EXPECT(wait(&status) == pid);
  EXPECT(status == 42);
  EXPECT(shared_value == 1 && on_stack == 1 && on_heap[4999] == 1);
  return true;
}

static bool status_is_handed_over(void) {
  static const int statuses[] = {0, 1, 255, -2, 0x12345678};
  for (int i = 0; i < 5; i++) {
    int status, pid = fork();
    if (pid == 0)
      exit(statuses[i]);
    EXPECT(wait(&status) == pid);
    EXPECT(status == statuses[i]);
  }
  EXPECT(wait(0) == -1); // no children
  return true;
}

static bool pids_differ(void) {
  int first = fork();
  if (first == 0)
    exit(0);
  int second = fork();
  if (second == 0)
    exit(0);
  EXPECT(first > 0 && second > 0 && first != second && first != getpid());
  int ended = wait(0);
  EXPECT(ended == first || ended == second);
  EXPECT(wait(0) == first + second - ended);
  return true;
}

// Forks children that live until the pipe is closed. Returns how many there could be.
static int fork_until_full(int ends[2]) {
  char byte;
  int count = 0;
  for (int pid; (pid = fork()) >= 0; count++) {
    if (pid == 0) {
      close(ends[1]);
      read(ends[0], &byte, 1);
      exit(0);
    }
  }
  return count;
}

static bool table_runs_full(void) {
  int ends[2];
  EXPECT(pipe(ends) == 0);
  int count = fork_until_full(ends);
  close(ends[1]);
  int ended = 0;
  while (wait(0) > 0)
    ended++;
  EXPECT(count >= 10 && count < 1000);
  EXPECT(ended == count);
  EXPECT(in_child(getpid) > 0);
  return true;
}

static bool fork_needs_memory(void) {
  char *start = sbrk(0);
  long size = 0;
  while (sbrk(MEGABYTE) != FAILED_ADDRESS)
    size += MEGABYTE;
  sbrk(-size / 4); // what is free now does not hold a second one of these
  EXPECT(fork() == -1);
  EXPECT(fork() == -1);
  sbrk(start - (char *)sbrk(0));
  EXPECT(in_child(getpid) > 0);
  return true;
}

static bool orphans_are_adopted(void) {
  int ends[2];
  char byte = 0;
  EXPECT(pipe(ends) == 0);
  if (fork() == 0) {
    if (fork() == 0) {
      sleep(2);
      write(ends[1], "x", 1);
    }
    exit(0);
  }
  EXPECT(wait(0) > 0);
  EXPECT(wait(0) == -1); // the grandchild is init's now
  EXPECT(read(ends[0], &byte, 1) == 1 && byte == 'x');
  return true;
}

static void spin(void) {
  for (;;)
    ;
}

static void sleep_long(void) { sleep(1000000); }

static void read_forever(void) {
  int ends[2];
  char byte;
  pipe(ends);
  read(ends[0], &byte, 1);
}

static void wait_forever(void) {
  if (fork() == 0) {
    sleep(5);
    exit(0);
  }
  wait(0);
  spin();
}

static bool kill_ends_processes(void) {
  static void (*const ways[])(void) = {spin, sleep_long, read_forever, wait_forever};
  for (int i = 0; i < 4; i++) {
    int status, pid = fork();
    if (pid == 0) {
      ways[i]();
      exit(0);
    }
    sleep(1);
    EXPECT(kill(pid) == 0);
    EXPECT(wait(&status) == pid);
    EXPECT(status == -1);
    EXPECT(kill(pid) == -1);
  }
  return true;
}

static int compute(void) {
  uint64_t a = 1, b = 2, c = 3;
  for (int i = 0; i < 300000; i++) {
    a = a * 6364136223846793005 + 1442695040888963407;
    b ^= a >> 29;
    c += b * a;
  }
  return (int)((a ^ b ^ c) & 0x7fffffff);
}

static bool registers_survive(void) {
  int expected = in_child(compute);
  for (int i = 0; i < 4; i++)
    if (fork() == 0)
      exit(compute());
  for (int i = 0; i < 4; i++) {
    int status;
    EXPECT(wait(&status) > 0);
    EXPECT(status == expected);
  }
  return true;
}

static bool offset_is_shared(void) {
  int descriptor = open("README", O_RDONLY);
  char first[6], second[6];
  EXPECT(descriptor >= 0);
  if (fork() == 0)
    exit(read(descriptor, first, sizeof(first)));
  int status;
  EXPECT(wait(&status) > 0 && status == sizeof(first));
  EXPECT(read(descriptor, second, sizeof(second)) == sizeof(second));
  close(descriptor);
  descriptor = open("README", O_RDONLY);
  EXPECT(read(descriptor, first, sizeof(first)) == sizeof(first));
  EXPECT(read(descriptor, first, sizeof(first)) == sizeof(first));
  EXPECT(memcmp(first, second, sizeof(first)) == 0);
  return true;
}

// Runs a program with its output in a buffer. Returns the length of that.
static int output_of(char **arguments, char *buffer, int size) {
  int ends[2], length = 0, count;
  if (pipe(ends) < 0)
    return -1;
  if (fork() == 0) {
    close(1);
    dup(ends[1]);
    close(ends[0]);
    close(ends[1]);
    exec(arguments[0], arguments);
    exit(1);
  }
  close(ends[1]);
  while ((count = read(ends[0], buffer + length, size - length)) > 0)
    length += count;
  close(ends[0]);
  wait(0);
  return length;
}

static bool exec_hands_over_arguments(void) {
  static char long_word[1001], output[1100];
  memset(long_word, 'w', 1000);
  char *arguments[] = {"/echo", "one", "", "three", long_word, 0};
  int length = output_of(arguments, output, sizeof(output));
  EXPECT(length == 4 + 1 + 6 + 1000 + 1);
  EXPECT(memcmp(output, "one  three www", 14) == 0);
  return true;
}

static bool exec_refuses(void) {
  char *many[100], *one[] = {"echo", 0};
  static char huge[5000];
  for (int i = 0; i < 99; i++)
    many[i] = "x";
  many[99] = 0;
  memset(huge, 'x', sizeof(huge) - 1);
  char *too_long[] = {"echo", huge, 0};
  EXPECT(exec("/echo", many) == -1);
  EXPECT(exec("/echo", too_long) == -1);
  EXPECT(exec("/nothing", one) == -1);
  EXPECT(exec("/README", one) == -1);
  EXPECT(exec("/", one) == -1);
  EXPECT(shared_value == 1); // this program still runs
  return true;
}

int main(void) {
  static const struct test tests[] = {
      {"a child gets a copy of memory", memory_is_copied},
      {"wait hands over the exit status", status_is_handed_over},
      {"each process has a pid of its own", pids_differ},
      {"the process table runs full, and empties", table_runs_full},
      {"without memory there is no child, and no loss", fork_needs_memory},
      {"init adopts orphans", orphans_are_adopted},
      {"kill ends a process, whatever it waits for", kill_ends_processes},
      {"processes that compute at once do not disturb each other", registers_survive},
      {"parent and child share the offset of a file", offset_is_shared},
      {"exec hands over the arguments", exec_hands_over_arguments},
      {"an exec that cannot be done leaves the program as it is", exec_refuses},
  };
  return run_tests("forktest", TESTS(tests));
}
