// System calls as the kernel sees them. Each is a function `uint64_t sys_NAME(void)` that fetches its arguments
// and returns the result for a0, listed in syscall.c. sysproc.c, sysfile.c and sysmem.c have them.
#pragma once
#include "syscall_numbers.h"
#include <stdint.h>

uint64_t argument(int index); // 0 to 5, as the user passed it
int argument_int(int index);

// Copies the zero-terminated string that the argument points to. 0, or -1 if it is bad or longer than size - 1.
int argument_string(int index, char *buffer, int size);

// Copies a pointer, or a string, from an address in user memory; for exec's vector.
int fetch_word(uint64_t address, uint64_t *word);
int fetch_string(uint64_t address, char *buffer, int size);

void system_call(void);
void sysmem_init(void);
extern volatile uint32_t ticks; // since boot, guarded by ticks_lock
extern struct spinlock ticks_lock;
