// Traps: interrupts, exceptions and system calls.
#pragma once

void trap_init(void);
void trap_init_hart(void);                         // traps in the kernel go to kernel_vector
void user_return(void) __attribute__((noreturn)); // to user mode, where the current process's trapframe says
