# The way from user mode into the kernel and back. This page is mapped at TRAMPOLINE in every address space, so that
# execution goes on when satp changes. No TLB flush is needed here: the kernel and each process have address space
# identifiers of their own.
#include "memlayout.h"

# All user registers but a0, to or from the struct trapframe that a0 points to.
.macro user_registers op
        \op ra, 40(a0)
        \op sp, 48(a0)
        \op gp, 56(a0)
        \op tp, 64(a0)
        \op t0, 72(a0)
        \op t1, 80(a0)
        \op t2, 88(a0)
        \op s0, 96(a0)
        \op s1, 104(a0)
        \op a1, 120(a0)
        \op a2, 128(a0)
        \op a3, 136(a0)
        \op a4, 144(a0)
        \op a5, 152(a0)
        \op a6, 160(a0)
        \op a7, 168(a0)
        \op s2, 176(a0)
        \op s3, 184(a0)
        \op s4, 192(a0)
        \op s5, 200(a0)
        \op s6, 208(a0)
        \op s7, 216(a0)
        \op s8, 224(a0)
        \op s9, 232(a0)
        \op s10, 240(a0)
        \op s11, 248(a0)
        \op t3, 256(a0)
        \op t4, 264(a0)
        \op t5, 272(a0)
        \op t6, 280(a0)
.endm

.section .trampoline, "ax"

# A trap in user mode comes here: saves the registers and goes on in user_trap on the process's kernel stack.
.globl user_vector
.balign 4
user_vector:
        csrw sscratch, a0
        li a0, TRAPFRAME
        user_registers sd
        csrr t0, sscratch
        sd t0, 112(a0)
        ld t1, 0(a0)            # kernel_satp
        ld sp, 8(a0)            # kernel_sp
        ld t0, 16(a0)           # kernel_trap: user_trap
        ld tp, 24(a0)           # kernel_hartid
        csrw satp, t1
        mv s0, zero             # the end of a backtrace
        jr t0

# user_resume(satp): to the user's page table, registers and mode.
.globl user_resume
user_resume:
        csrw satp, a0
        li a0, TRAPFRAME
        user_registers ld
        ld a0, 112(a0)
        sret
