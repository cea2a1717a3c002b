// System calls: from the trap to the function, and the arguments back from the user.
#include "syscall.h"
#include "memory.h"
#include "print.h"
#include "proc.h"
#include "string.h"

#define FOR_EACH_CALL(X)                                                                                            \
  X(fork) X(exit) X(wait) X(pipe) X(read) X(kill) X(exec) X(fstat) X(chdir) X(dup) X(getpid) X(sbrk) X(sleep)       \
  X(uptime) X(open) X(write) X(mknod) X(unlink) X(link) X(mkdir) X(close) X(mmap) X(munmap) X(kmalloc) X(kmfree)    \
  X(kmread) X(kmwrite) X(freeframes) X(memmap) X(checkmemory)

#define DECLARE(name) uint64_t sys_##name(void);
FOR_EACH_CALL(DECLARE)

#define ENTRY(name) [SYS_##name] = sys_##name,
static uint64_t (*const calls[])(void) = {FOR_EACH_CALL(ENTRY)};

void system_call(void) {
  struct process *process = current_process();
  uint64_t number = process->trapframe->a7;
  if (number < sizeof calls / sizeof calls[0] && calls[number]) {
    process->trapframe->a0 = calls[number]();
  } else {
    printf("pid %d (%s): unknown system call %ld\n", process->pid, process->name, number);
    process->trapframe->a0 = -1;
  }
}

uint64_t argument(int index) {
  return (&current_process()->trapframe->a0)[index];
}

int argument_int(int index) { return argument(index); }

int argument_string(int index, char *buffer, int size) { return fetch_string(argument(index), buffer, size); }

int fetch_word(uint64_t address, uint64_t *word) {
  user_prefault(address, sizeof *word, false);
  return copyin(current_process()->page_table, word, address, sizeof *word);
}

int fetch_string(uint64_t address, char *buffer, int size) {
  user_prefault(address, size, false);
  return copyinstr(current_process()->page_table, buffer, address, size);
}
