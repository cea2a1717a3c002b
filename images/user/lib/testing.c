#include "testing.h"

bool missed(const char *condition, const char *file, int line) {
  printf("\n  %s:%d: expected %s\n  ", file, line, condition);
  return false;
}

int in_child(int (*function)(void)) {
  int status = 1;
  int pid = fork();
  if (pid == 0)
    exit(function());
  while (pid > 0 && wait(&status) != pid)
    ;
  return status;
}

static const struct test *current;

static int run_current(void) { return current->run() ? 0 : 1; }

// The number of free frames, once it is `expected` or has had a second to become so: a process that was left behind
// goes only when init takes it in.
static int settled_frames(int expected) {
  for (int waits = 0; waits < 10 && freeframes() != expected; waits++)
    sleep(1);
  return freeframes();
}

// Whether a test succeeds and leaves as many free frames as it found.
static bool succeeds(const struct test *test) {
  int before = freeframes();
  current = test;
  int status = in_child(run_current);
  int after = settled_frames(before);
  if (status == -1)
    printf("\n  the test's process was killed\n  ");
  if (after != before)
    printf("\n  %d frames were free before, %d are after\n  ", before, after);
  return status == 0 && after == before;
}

int run_tests(const char *program, const struct test *tests, int count) {
  int successes = 0;
  for (int i = 0; i < count; i++) {
    printf("%s: %s: ", program, tests[i].title);
    bool success = succeeds(&tests[i]);
    printf(success ? "ok\n" : "FAILED\n");
    successes += success;
  }
  printf("%s: %d of %d, %s\n", program, successes, count, successes == count ? "passed" : "failed");
  return successes != count;
}
