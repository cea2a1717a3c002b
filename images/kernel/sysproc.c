// System calls about processes.
#include "param.h"
#include "proc.h"
#include "riscv.h"
#include "syscall.h"

uint64_t sys_fork(void) { return fork(); }

uint64_t sys_exit(void) { exit(argument_int(0)); }

uint64_t sys_wait(void) {
  user_prefault(argument(0), sizeof(int), true);
  return wait(argument(0));
}

uint64_t sys_kill(void) { return kill(argument_int(0)); }

uint64_t sys_getpid(void) { return current_process()->pid; }

// Returns where the heap ended before.
uint64_t sys_sbrk(void) {
  uint64_t size = current_process()->size;
  return grow(argument(0)) < 0 ? (uint64_t)-1 : size;
}

uint64_t sys_sleep(void) {
  int duration = argument_int(0);
  int result = 0;
  acquire(&ticks_lock);
  uint32_t start = ticks;
  while (result == 0 && duration > 0 && ticks - start < (uint32_t)duration) {
    if (process_killed(current_process()))
      result = -1;
    else
      sleep_on((void *)&ticks, &ticks_lock);
  }
  release(&ticks_lock);
  return result;
}

uint64_t sys_uptime(void) {
  acquire(&ticks_lock);
  uint32_t now = ticks;
  release(&ticks_lock);
  return now;
}

// Frees the first n argument strings of exec.
static void free_arguments(char **arguments, int count) {
  while (count > 0)
    kfree(arguments[--count]);
}

// exec(path, arguments): each argument string gets a frame while it is on its way.
uint64_t sys_exec(void) {
  char path[MAXPATH];
  char *arguments[MAXARG + 1];
  if (argument_string(0, path, MAXPATH) < 0)
    return -1;
  for (int count = 0;; count++) {
    uint64_t address;
    if (fetch_word(argument(1) + count * sizeof address, &address) < 0) {
      free_arguments(arguments, count);
      return -1;
    }
    if (address == 0) {
      arguments[count] = 0;
      int result = exec(path, arguments);
      free_arguments(arguments, count);
      return result;
    }
    arguments[count] = count < MAXARG ? kalloc() : 0;
    if (arguments[count] == 0 || fetch_string(address, arguments[count], PAGE_SIZE) < 0) {
      free_arguments(arguments, arguments[count] ? count + 1 : count);
      return -1;
    }
  }
}
