// Processes and harts.
#pragma once
#include "lock.h"
#include "memory.h"
#include "param.h"
#include <stdint.h>

// What a switch between kernel threads saves: the registers a function call must preserve. switch.S has the offsets.
struct context {
  uint64_t ra, sp, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;
};

// What a trap from user mode saves, and what the trampoline needs to enter the kernel, at TRAPFRAME in the user's
// page table. trampoline.S has the offsets.
struct trapframe {
  uint64_t kernel_satp, kernel_sp, kernel_trap, kernel_hartid; // 0, 8, 16, 24
  uint64_t epc;                                                // 32: the user's program counter
  uint64_t ra, sp, gp, tp;                                     // 40
  uint64_t t0, t1, t2;                                         // 72
  uint64_t s0, s1;                                             // 96
  uint64_t a0, a1, a2, a3, a4, a5, a6, a7;                     // 112
  uint64_t s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;           // 176
  uint64_t t3, t4, t5, t6;                                     // 256
};

struct cpu {
  struct process *process; // running here, or 0 in the scheduler
  struct context scheduler;
  int off_depth;               // interrupts_push_off calls not yet popped
  bool interrupts_were_on;     // before the first of them
};

enum process_state { UNUSED, CREATED, SLEEPING, RUNNABLE, RUNNING, ZOMBIE };

struct process {
  struct spinlock lock; // guards the fields up to the blank line
  enum process_state state;
  void *channel; // what it sleeps on, else 0
  bool killed;
  int exit_status;
  int pid;

  struct process *parent; // guarded by wait_lock in proc.c

  // The rest belongs to the process itself.
  uint64_t kernel_stack;        // lowest address
  uint64_t size;                // bytes of memory from 0 to the end of the heap
  pagetable_t page_table;       // of the user's address space
  int last_hart;                // whose TLB may hold its pages; -1 after a change of page table
  struct trapframe *trapframe;  // kernel address of the frame mapped at TRAPFRAME
  struct context context;       // where it goes on in the kernel
  struct region *regions;       // mmap regions, by ascending address
  struct file *files[NOFILE];   // open files by descriptor, 0 where free
  struct inode *directory;      // working directory
  char name[PROCESS_NAME];
};

extern struct cpu cpus[NCPU];
extern struct process processes[NPROC];

int hart_id(void);            // call these two with interrupts off
struct cpu *this_cpu(void);
struct process *current_process(void); // 0 in the scheduler

// Gives up lock and sleeps until wake_all(channel), then takes lock again. Hold lock from testing the condition
// on; the waker must hold it too, so that no wake-up is lost. Test the condition again afterwards, and
// process_killed().
void sleep_on(void *channel, struct spinlock *lock);
void wake_all(void *channel);
bool process_killed(struct process *process);

void processes_init(void);
void first_process(void);
void scheduler(void) __attribute__((noreturn));
void leave_hart(void); // to the scheduler; see sched.c
void yield(void); // gives other processes a turn
int fork(void);
void exit(int status) __attribute__((noreturn));
int wait(uint64_t status_address); // user address, or 0; returns a pid, or -1 if there is no child
int kill(int pid);
int grow(long bytes); // moves the end of the heap; 0, or -1 and nothing has changed
int exec(const char *path, char **arguments); // returns argc, or -1 and the old program goes on
void print_processes(void);
pagetable_t proc_pagetable(struct process *process); // with trampoline and trapframe mapped; 0 if out of memory
void proc_freepagetable(pagetable_t page_table, uint64_t size);
void switch_context(struct context *save, struct context *load);

// Copies between kernel memory and an address that is the current process's if `user`, else the kernel's.
// 0, or -1 if the user's address is bad.
int copy_to(bool user, uint64_t destination, const void *source, uint64_t length);
int copy_from(void *destination, bool user, uint64_t source, uint64_t length);
