// System call numbers, shared by the kernel and by user programs (C and assembly). A program puts the number in
// a7 and the arguments in a0 to a5; the result comes back in a0, -1 for an error.
#pragma once

// As xv6-riscv numbers them, so that its programs run here.
#define SYS_fork 1
#define SYS_exit 2
#define SYS_wait 3
#define SYS_pipe 4
#define SYS_read 5
#define SYS_kill 6
#define SYS_exec 7
#define SYS_fstat 8
#define SYS_chdir 9
#define SYS_dup 10
#define SYS_getpid 11
#define SYS_sbrk 12
#define SYS_sleep 13
#define SYS_uptime 14
#define SYS_open 15
#define SYS_write 16
#define SYS_mknod 17
#define SYS_unlink 18
#define SYS_link 19
#define SYS_mkdir 20
#define SYS_close 21

// This kernel's own.
#define SYS_mmap 22        // void *mmap(void *address, size_t length, int prot, int flags, int fd, size_t offset)
#define SYS_munmap 23      // int munmap(void *address, size_t length)
#define SYS_kmalloc 24     // void *kmalloc(size_t size): kernel memory, by its kernel address; outlives the process
#define SYS_kmfree 25      // int kmfree(void *block): a block that kmalloc returned, and no other
#define SYS_kmread 26      // int kmread(void *block, void *to, size_t length): copy out of the start of a block
#define SYS_kmwrite 27     // int kmwrite(void *block, const void *from, size_t length): copy into its start
#define SYS_freeframes 28  // int freeframes(void): number of free physical frames
#define SYS_memmap 29      // int memmap(void): print the caller's and the kernel's page tables on the console
#define SYS_checkmemory 30 // int checkmemory(void): check_free_list and check_vm; they panic if they find damage

// mmap: protection and flags. address is a hint, used if page-aligned and free; MAP_FIXED does not exist.
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 4 // fd and offset are ignored
