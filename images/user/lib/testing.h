// What the test programs have in common.
//
// A test is a function that returns whether all went well; it says EXPECT(condition) for each thing that must hold.
// Every test runs in a process of its own, which may be killed without harm, and must give back all memory it took.
#pragma once
#include "user.h"

struct test {
  const char *title;
  bool (*run)(void);
};

#define TESTS(table) (table), sizeof(table) / sizeof((table)[0])
#define EXPECT(condition)                                                                                             \
  do {                                                                                                                \
    if (!(condition))                                                                                                 \
      return missed(#condition, __FILE__, __LINE__);                                                                  \
  } while (0)

// Runs the tests one after the other, printing a line for each and a last line with the outcome. Returns the
// program's exit status.
int run_tests(const char *program, const struct test *tests, int count);

bool missed(const char *condition, const char *file, int line); // reports, and returns false

// Runs a function in a child and returns the child's exit status: what the function returns, -1 if it was killed.
int in_child(int (*function)(void));
