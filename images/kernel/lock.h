// Two kinds of lock. A spinlock is for a few instructions, with interrupts off; its holder must not sleep. A
// sleeplock is for longer, disk transfers included: waiting for it gives up the hart.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct spinlock {
  volatile uint32_t locked; // 0 or 1
  const char *name;         // for panics
  struct cpu *holder;       // the hart that has it
};

void spinlock_init(struct spinlock *lock, const char *name);
void acquire(struct spinlock *lock);       // panics if this hart has it already
void release(struct spinlock *lock);       // panics if this hart does not have it
bool holding(const struct spinlock *lock); // by this hart; call with interrupts off

// Interrupts go off with the first push and back to what they were with the last pop.
void interrupts_push_off(void);
void interrupts_pop_off(void);

struct sleeplock {
  bool locked;
  int holder; // pid
  struct spinlock guard;
  const char *name;
};

void sleeplock_init(struct sleeplock *lock, const char *name);
void sleeplock_acquire(struct sleeplock *lock);
void sleeplock_release(struct sleeplock *lock);
bool sleeplock_holding(struct sleeplock *lock); // by this process
