# switch_context(save, load): stores the registers that a function call preserves into one struct context and loads
# them from another, so that it returns where the other thread once called it.

.macro context_registers op, base
        \op ra, 0(\base)
        \op sp, 8(\base)
        \op s0, 16(\base)
        \op s1, 24(\base)
        \op s2, 32(\base)
        \op s3, 40(\base)
        \op s4, 48(\base)
        \op s5, 56(\base)
        \op s6, 64(\base)
        \op s7, 72(\base)
        \op s8, 80(\base)
        \op s9, 88(\base)
        \op s10, 96(\base)
        \op s11, 104(\base)
.endm

.text
.globl switch_context
switch_context:
        context_registers sd, a0
        context_registers ld, a1
        ret
