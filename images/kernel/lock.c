// Spinlocks and sleeplocks: lock.h.
#include "lock.h"
#include "print.h"
#include "proc.h"
#include "riscv.h"

void spinlock_init(struct spinlock *lock, const char *name) {
  lock->locked = 0;
  lock->name = name;
  lock->holder = 0;
}

bool holding(const struct spinlock *lock) { return lock->locked && lock->holder == this_cpu(); }

PROBE_POINT void acquire(struct spinlock *lock) {
  interrupts_push_off(); // else an interrupt handler that wants the same lock would wait for itself
  if (holding(lock))
    panic("acquire: hart %d already holds %s", hart_id(), lock->name);
  // An atomic swap with acquire ordering: what the last holder wrote is seen after it.
  while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE) != 0)
    if (panicking)
      halt();
  lock->holder = this_cpu();
}

PROBE_POINT void release(struct spinlock *lock) {
  if (!holding(lock))
    panic("release: hart %d does not hold %s", hart_id(), lock->name);
  lock->holder = 0;
  __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
  interrupts_pop_off();
}

void interrupts_push_off(void) {
  bool were_on = interrupts_are_on();
  interrupts_off();
  struct cpu *cpu = this_cpu();
  if (cpu->off_depth++ == 0)
    cpu->interrupts_were_on = were_on;
}

void interrupts_pop_off(void) {
  struct cpu *cpu = this_cpu();
  if (interrupts_are_on())
    panic("interrupts_pop_off: interrupts are on");
  if (cpu->off_depth < 1)
    panic("interrupts_pop_off: more pops than pushes");
  if (--cpu->off_depth == 0 && cpu->interrupts_were_on)
    interrupts_on();
}

void sleeplock_init(struct sleeplock *lock, const char *name) {
  spinlock_init(&lock->guard, "sleeplock");
  lock->name = name;
  lock->locked = false;
  lock->holder = 0;
}

void sleeplock_acquire(struct sleeplock *lock) {
  acquire(&lock->guard);
  while (lock->locked)
    sleep_on(lock, &lock->guard);
  lock->locked = true;
  lock->holder = current_process()->pid;
  release(&lock->guard);
}

void sleeplock_release(struct sleeplock *lock) {
  acquire(&lock->guard);
  lock->locked = false;
  lock->holder = 0;
  wake_all(lock);
  release(&lock->guard);
}

bool sleeplock_holding(struct sleeplock *lock) {
  acquire(&lock->guard);
  bool mine = lock->locked && lock->holder == current_process()->pid;
  release(&lock->guard);
  return mine;
}
