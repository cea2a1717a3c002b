# A trap in supervisor mode comes here, on the stack of whatever was running. Saves what a C function does not
# preserve and calls kernel_trap. tp is not restored: kernel_trap may return on another hart.

.macro caller_registers op
        \op ra, 0(sp)
        \op t0, 8(sp)
        \op t1, 16(sp)
        \op t2, 24(sp)
        \op t3, 32(sp)
        \op t4, 40(sp)
        \op t5, 48(sp)
        \op t6, 56(sp)
        \op a0, 64(sp)
        \op a1, 72(sp)
        \op a2, 80(sp)
        \op a3, 88(sp)
        \op a4, 96(sp)
        \op a5, 104(sp)
        \op a6, 112(sp)
        \op a7, 120(sp)
.endm

.text
.globl kernel_vector
.balign 4
kernel_vector:
        addi sp, sp, -128
        caller_registers sd
        call kernel_trap
        caller_registers ld
        addi sp, sp, 128
        sret
