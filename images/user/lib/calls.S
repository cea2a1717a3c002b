# One function for each system call.
#include "../../kernel/syscall_numbers.h"

.macro system_call name number
.section .text.\name, "ax"
.globl \name
\name:
  li a7, \number
  ecall
  ret
.endm

system_call fork SYS_fork
system_call exit SYS_exit
system_call wait SYS_wait
system_call pipe SYS_pipe
system_call read SYS_read
system_call kill SYS_kill
system_call exec SYS_exec
system_call fstat SYS_fstat
system_call chdir SYS_chdir
system_call dup SYS_dup
system_call getpid SYS_getpid
system_call sbrk SYS_sbrk
system_call sleep SYS_sleep
system_call uptime SYS_uptime
system_call open SYS_open
system_call write SYS_write
system_call mknod SYS_mknod
system_call unlink SYS_unlink
system_call link SYS_link
system_call mkdir SYS_mkdir
system_call close SYS_close
system_call mmap SYS_mmap
system_call munmap SYS_munmap
system_call kmalloc SYS_kmalloc
system_call kmfree SYS_kmfree
system_call kmread SYS_kmread
system_call kmwrite SYS_kmwrite
system_call freeframes SYS_freeframes
system_call memmap SYS_memmap
system_call checkmemory SYS_checkmemory
