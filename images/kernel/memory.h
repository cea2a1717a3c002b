// Memory management: frames (alloc.c), page tables (vm.c, uvm.c), blocks (kmalloc.c), mmap regions (mmap.c).
#pragma once
#include "memlayout.h"
#include <stdbool.h>
#include <stdint.h>

typedef uint64_t pte_t;
typedef uint64_t *pagetable_t; // one frame of 512 PTEs

struct file;
struct process;

// On a definition: the function exists once, under its own name, and every call of it is a call, so that a debugger
// or a checker that stops at the symbol sees them all.
#define PROBE_POINT __attribute__((noipa))

#define PAGE_ROUND_UP(address) (((address) + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1))
#define PAGE_ROUND_DOWN(address) ((address) & ~(uint64_t)(PAGE_SIZE - 1))

// Frames: 4096 aligned bytes. kalloc returns 0 when none is left; what it returns is filled with 5, not zeroed.
void boot_alloc_init(void); // frames from the kernel's end to BOOT_MEMORY_END
void alloc_init(void);      // frames from BOOT_MEMORY_END to PHYSTOP
void free_range(void *start, void *end);
void *kalloc(void);
void kfree(void *frame); // panics unless the address is that of an allocatable frame
void check_free_list(void);
uint64_t free_frames(void);

// Page tables. perm is a set of PTE_R, PTE_W, PTE_X, PTE_U.
void boot_page_table_init(void);
void kvm_init(void);
pagetable_t kvmmake(void);
uint64_t kernel_satp(void); // the value of satp for the kernel's page table
void kvminithart(void);
void check_vm(void);
pte_t *walk(pagetable_t page_table, uint64_t va, int allocate);
uint64_t walkaddr(pagetable_t page_table, uint64_t va); // of the frame of a user page, 0 if there is none
int mappages(pagetable_t page_table, uint64_t va, uint64_t size, uint64_t pa, int perm);
void freewalk(pagetable_t page_table);
void vm_free(pagetable_t page_table); // another name of freewalk
void print_page_table(const char *title, pagetable_t page_table); // as a tree, on the console
void print_kernel_page_table(void);

// User address spaces: memory from 0 to size.
pagetable_t uvmcreate(void);
uint64_t uvmalloc(pagetable_t page_table, uint64_t old_size, uint64_t new_size, int perm);
uint64_t uvmdealloc(pagetable_t page_table, uint64_t old_size, uint64_t new_size);
void uvmunmap(pagetable_t page_table, uint64_t va, uint64_t pages, int free_frames);
int uvmcopy(pagetable_t from, pagetable_t to, uint64_t size);
void uvmfree(pagetable_t page_table, uint64_t size);
void uvmclear(pagetable_t page_table, uint64_t va); // takes a page from user mode: a guard page

// Between kernel and user memory; each returns 0, or -1 if any byte of the user's range may not be accessed. They
// never sleep, so they do not bring in mmap pages: call user_prefault first, before taking locks.
int copyout(pagetable_t page_table, uint64_t to, const void *from, uint64_t length);
int copyin(pagetable_t page_table, void *to, uint64_t from, uint64_t length);
int copyinstr(pagetable_t page_table, char *to, uint64_t from, uint64_t limit); // the final zero included

// Blocks of at most a page; 0 when memory is out. 16-byte aligned, not cleared.
void *kmalloc(uint64_t size); // panics if size is over PAGE_SIZE
void kmfree(void *block);     // panics unless it is a block that kmalloc returned
void kmalloc_init(void);

// mmap regions of a process. mmap and munmap act on the current one.
enum access { ACCESS_READ = 1, ACCESS_WRITE = 2, ACCESS_EXECUTE = 4 };
uint64_t mmap(uint64_t hint, uint64_t length, int prot, int flags, struct file *file, uint64_t offset); // -1: error
int munmap(uint64_t address, uint64_t length);
int mmap_fault(struct process *process, uint64_t va, enum access access); // 0 if it made the page, else -1
int mmap_copy(struct process *parent, struct process *child);
void mmap_init(void);
void mmap_release(struct process *process);
uint64_t mmap_lowest(const struct process *process); // lowest mapped address, MMAP_TOP if there is none

// Brings in the mmap pages of the current process that lie in the range and allow the access. May sleep. A page it
// cannot bring in stays away, and copyin or copyout will say so.
void user_prefault(uint64_t address, uint64_t length, bool write);
