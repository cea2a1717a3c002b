# Every hart starts here, in machine mode, with its number in a0. It gets a page of stack and goes on in C.
#include "param.h"

.section .entry, "ax"
.globl _entry
_entry:
        li t0, NCPU
        bgeu a0, t0, park
        la sp, boot_stacks
        addi t0, a0, 1
        slli t0, t0, 12
        add sp, sp, t0
        mv s0, zero             # the end of every backtrace
        call start

park:                           # more harts than the kernel knows what to do with
        wfi
        j park

.section .bss
.balign 16
boot_stacks:
        .space 4096 * NCPU
