// Switching between processes. Each hart runs a scheduler thread on its boot stack; a process gives up the hart by
// switching to it. A process's lock is held across the switch, in either direction, by the hart that switches: so no
// other hart runs the process, or frees it, before its registers are saved.
#include "fault.h"
#include "print.h"
#include "proc.h"
#include "riscv.h"

struct cpu cpus[NCPU];

int hart_id(void) {
  uint64_t tp;
  asm volatile("mv %0, tp" : "=r"(tp)); // start and user_vector put it there
  return tp;
}

struct cpu *this_cpu(void) { return &cpus[hart_id()]; }

struct process *current_process(void) {
  interrupts_push_off(); // else this thread could move to another hart between the two steps
  struct process *process = this_cpu()->process;
  interrupts_pop_off();
  return process;
}

// Runs a process, if it wants to, until it gives up the hart.
static bool run(struct process *process) {
  if (process->state != RUNNABLE)
    return false; // a look without the lock, to pass quickly over the many that are not
  struct cpu *cpu = this_cpu();
  acquire(&process->lock);
  bool runnable = process->state == RUNNABLE;
  if (runnable) {
    process->state = RUNNING;
    cpu->process = process;
    switch_context(&cpu->scheduler, &process->context);
    cpu->process = 0;
  }
  release(&process->lock);
  return runnable;
}

void scheduler(void) {
  this_cpu()->process = 0;
  for (;;) {
    interrupts_on(); // whatever is pending comes now
    interrupts_off();
    bool ran = false;
    for (struct process *process = processes; process < &processes[NPROC]; process++)
      ran |= run(process);
    // Interrupts are off, so that one that came since the scan still ends the wait.
    if (!ran)
      asm volatile("wfi");
  }
}

// Switches to the scheduler. The caller holds the process's lock, and no other, and has changed its state.
void leave_hart(void) {
  struct process *process = current_process();
  if (!holding(&process->lock) || this_cpu()->off_depth != 1)
    panic("leave_hart: pid %d holds %d locks, should hold its own", process->pid, this_cpu()->off_depth);
  if (process->state == RUNNING || interrupts_are_on())
    panic("leave_hart: pid %d is in state %d", process->pid, process->state);

  // Whether interrupts were on belongs to this thread, not to the hart it happens to run on.
  bool interrupts_were_on = this_cpu()->interrupts_were_on;
  switch_context(&process->context, &this_cpu()->scheduler);
  this_cpu()->interrupts_were_on = interrupts_were_on;
}

void yield(void) {
  struct process *process = current_process();
  acquire(&process->lock);
  process->state = RUNNABLE;
  leave_hart();
  release(&process->lock);
}

void sleep_on(void *channel, struct spinlock *lock) {
  struct process *process = current_process();
  acquire(&process->lock);
  process->channel = channel;
  process->state = SLEEPING;
  release(lock); // from here on wake_all finds the channel, and waits for the process's lock
  leave_hart();
  process->channel = 0;
  release(&process->lock);
  acquire(lock);
}

void wake_all(void *channel) {
  for (struct process *process = processes; process < &processes[NPROC]; process++) {
    if (process->channel != channel)
      continue; // without its lock: the caller has the one that sleep_on released, so the channel is up to date
    acquire(&process->lock);
    if (process->state == SLEEPING && process->channel == channel)
      process->state = RUNNABLE;
    release(&process->lock);
  }
}
