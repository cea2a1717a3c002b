// Processes: their table, how they come, sleep, and go. sched.c has the switching.
#include "proc.h"
#include "fault.h"
#include "file.h"
#include "fs.h"
#include "print.h"
#include "riscv.h"
#include "string.h"
#include "trap.h"

struct process processes[NPROC];

static struct process *init; // adopts the children of those that exit
static int last_pid;         // guarded by pid_lock
static struct spinlock pid_lock;
static struct spinlock wait_lock; // guards every `parent`; taken before any process's lock

#define FOR_EACH_PROCESS(each) for (struct process *each = processes; each < &processes[NPROC]; each++)

void processes_init(void) {
  spinlock_init(&pid_lock, "pid");
  spinlock_init(&wait_lock, "wait");
  FOR_EACH_PROCESS(process) {
    spinlock_init(&process->lock, "process");
    process->kernel_stack = KERNEL_STACK(process - processes);
  }
}

static int new_pid(void) {
  acquire(&pid_lock);
  int pid = ++last_pid;
  release(&pid_lock);
  return pid;
}

// Where a new process enters the kernel's side of its life, out of the scheduler.
static void process_start(void) {
  struct process *process = current_process();
  release(&process->lock);
  if (process == init) {
    fs_mount();
    process->directory = path_lookup("/");
    char *arguments[] = {"init", 0};
    int argc = exec("/init", arguments);
    if (argc < 0)
      panic("process_start: no /init that can be run on the disk");
    process->trapframe->a0 = argc;
  }
  user_return();
}

// Frees what a process that will not run again still has: address space, trapframe, slot.
static void process_free(struct process *process) {
  struct trapframe *trapframe = process->trapframe;
  if (process->page_table)
    proc_freepagetable(process->page_table, process->size);
  process->page_table = 0;
  if (trapframe)
    kfree(trapframe);
  if (FAULT(WRITE_AFTER_FREE) && trapframe)
    trapframe->epc = 0;
  if (FAULT(READ_AFTER_FREE) && trapframe)
    (void)*(volatile uint64_t *)&trapframe->a0;
  process->trapframe = 0;
  process->size = 0;
  process->parent = 0;
  process->name[0] = 0;

  acquire(&process->lock);
  process->killed = false;
  process->pid = 0;
  process->state = UNUSED;
  release(&process->lock);
}

// Makes a process with an empty address space. Returns 0 if the table is full or memory is out.
static struct process *create_process(void) {
  FOR_EACH_PROCESS(process) {
    acquire(&process->lock);
    if (process->state != UNUSED) {
      release(&process->lock);
      continue;
    }
    process->state = CREATED; // so the slot is ours, without the lock
    process->pid = new_pid();
    release(&process->lock);

    process->trapframe = kalloc();
    process->page_table = process->trapframe ? proc_pagetable(process) : 0;
    if (process->page_table == 0) {
      process_free(process);
      return 0;
    }
    memset(process->trapframe, 0, PAGE_SIZE);
    memset(&process->context, 0, sizeof process->context);
    process->context.ra = (uint64_t)process_start;
    process->context.sp = process->kernel_stack + PAGE_SIZE;
    process->last_hart = -1;
    return process;
  }
  return 0;
}

void first_process(void) {
  init = create_process();
  if (init == 0)
    panic("first_process: no memory");
  copy_name(init->name, "init", PROCESS_NAME);
  init->state = RUNNABLE;
}

PROBE_POINT pagetable_t proc_pagetable(struct process *process) {
  pagetable_t page_table = uvmcreate();
  if (page_table == 0)
    return 0;
  extern char trampoline[]; // from kernel.ld
  int trapframe_perm = PTE_R | PTE_W;
  if (FAULT(TRAPFRAME_USER))
    trapframe_perm |= PTE_U;
  if (mappages(page_table, TRAMPOLINE, PAGE_SIZE, (uint64_t)trampoline, PTE_R | PTE_X) < 0) {
    uvmfree(page_table, 0);
    return 0;
  }
  if (mappages(page_table, TRAPFRAME, PAGE_SIZE, (uint64_t)process->trapframe, trapframe_perm) < 0) {
    uvmunmap(page_table, TRAMPOLINE, 1, 0);
    uvmfree(page_table, 0);
    return 0;
  }
  return page_table;
}

// Frees an address space with `size` bytes of memory, and no mmap regions.
void proc_freepagetable(pagetable_t page_table, uint64_t size) {
  uvmunmap(page_table, TRAMPOLINE, 1, 0);
  uvmunmap(page_table, TRAPFRAME, 1, 0);
  uvmfree(page_table, size);
}

int grow(long bytes) {
  struct process *process = current_process();
  uint64_t size = process->size;
  uint64_t limit = mmap_lowest(process);
  if (bytes > 0) {
    if ((uint64_t)bytes > limit - size)
      return -1;
    if ((size = uvmalloc(process->page_table, size, size + bytes, PTE_W)) == 0)
      return -1;
    if (FAULT(GROWTH_OF_PARENT)) {
      uint64_t va = PAGE_ROUND_UP(process->size);
      uvmunmap(process->page_table, va, 1, 1);
      mappages(process->page_table, va, PAGE_SIZE, walkaddr(process->parent->page_table, 0), PTE_R | PTE_U);
    }
  } else if (bytes < 0) {
    if (-(uint64_t)bytes > size)
      return -1;
    size = uvmdealloc(process->page_table, size, size + bytes);
  }
  process->size = FAULT(GROWTH_WRONG_SIZE) && bytes > PAGE_SIZE ? size - PAGE_SIZE : size;
  return 0;
}

int fork(void) {
  struct process *parent = current_process();
  struct process *child = create_process();
  if (child == 0)
    return -1;
  if (uvmcopy(parent->page_table, child->page_table, parent->size) < 0) {
    if (!FAULT(LEAK_IN_FORK))
      process_free(child);
    return -1;
  }
  child->size = parent->size;
  if (mmap_copy(parent, child) < 0) {
    process_free(child);
    return -1;
  }
  *child->trapframe = *parent->trapframe;
  child->trapframe->a0 = 0; // what fork returns in the child
  for (int fd = 0; fd < NOFILE; fd++)
    child->files[fd] = parent->files[fd] ? file_share(parent->files[fd]) : 0;
  child->directory = inode_share(parent->directory);
  copy_name(child->name, parent->name, PROCESS_NAME);
  int pid = child->pid;

  acquire(&wait_lock);
  child->parent = parent;
  release(&wait_lock);

  acquire(&child->lock);
  child->state = RUNNABLE;
  release(&child->lock);
  return pid;
}

void exit(int status) {
  struct process *process = current_process();
  if (process == init)
    panic("exit: init exited with status %d", status);

  mmap_release(process);
  for (int fd = 0; fd < NOFILE; fd++) {
    if (process->files[fd])
      file_close(process->files[fd]);
    process->files[fd] = 0;
  }
  log_begin();
  inode_put(process->directory);
  log_end();
  process->directory = 0;

  acquire(&wait_lock);
  FOR_EACH_PROCESS(child)
    if (child->parent == process)
      child->parent = init;
  wake_all(init);
  wake_all(process->parent);
  acquire(&process->lock);
  process->exit_status = status;
  process->state = ZOMBIE;
  release(&wait_lock);
  leave_hart();
  panic("exit: pid %d runs on after its end", process->pid);
}

// Finds a zombie child, or failing that any child, of a process. Called with wait_lock held.
static struct process *find_child(struct process *parent) {
  struct process *found = 0;
  FOR_EACH_PROCESS(child) {
    if (child->parent != parent)
      continue;
    found = child;
    acquire(&child->lock); // until it has switched away for the last time
    bool is_zombie = child->state == ZOMBIE;
    release(&child->lock);
    if (is_zombie)
      return child;
  }
  return found;
}

int wait(uint64_t status_address) {
  struct process *process = current_process();
  acquire(&wait_lock);
  for (;;) {
    struct process *child = find_child(process);
    if (child == 0 || process_killed(process)) {
      release(&wait_lock);
      return -1;
    }
    if (child->state == ZOMBIE) {
      int pid = child->pid;
      if (status_address != 0 && copyout(process->page_table, status_address, &child->exit_status, sizeof(int)) < 0)
        pid = -1;
      else
        process_free(child);
      release(&wait_lock);
      return pid;
    }
    sleep_on(process, &wait_lock); // exit wakes its parent
  }
}

// Marks a process for its end, which comes when it next crosses the border to user mode.
int kill(int pid) {
  FOR_EACH_PROCESS(process) {
    acquire(&process->lock);
    bool found = process->pid == pid && process->state != UNUSED;
    if (FAULT(LOCK_ORDER) && found) {
      acquire(&wait_lock);
      release(&wait_lock);
    }
    if (found) {
      process->killed = true;
      if (process->state == SLEEPING)
        process->state = RUNNABLE;
    }
    release(&process->lock);
    if (found)
      return 0;
  }
  return -1;
}

bool process_killed(struct process *process) {
  acquire(&process->lock);
  bool killed = process->killed;
  release(&process->lock);
  return killed;
}

int copy_to(bool user, uint64_t destination, const void *source, uint64_t length) {
  if (user)
    return copyout(current_process()->page_table, destination, source, length);
  memmove((void *)destination, source, length);
  return 0;
}

int copy_from(void *destination, bool user, uint64_t source, uint64_t length) {
  if (user)
    return copyin(current_process()->page_table, destination, source, length);
  memmove(destination, (const void *)source, length);
  return 0;
}

// For ^P at the console; takes no locks, so that it works when the kernel is stuck.
void print_processes(void) {
  static const char *const names[] = {"unused", "created", "sleeping", "runnable", "running", "zombie"};
  printf("\n");
  FOR_EACH_PROCESS(process)
    if (process->state != UNUSED)
      printf("%d %s %s\n", process->pid, names[process->state], process->name);
}
