# Where the machine begins. Hart 0 gets a stack and runs; any other one waits for ever.
.section .entry, "ax"
.globl start
start:
        csrr t0, mhartid
        bnez t0, wait
        la sp, stack_end
        j main
wait:
        wfi
        j wait

.section .bss
.balign 16
        .space 4096
stack_end:
