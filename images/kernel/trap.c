// Traps: from user mode, from the kernel itself, and the interrupts that either may be.
#include "trap.h"
#include "device.h"
#include "fault.h"
#include "memory.h"
#include "print.h"
#include "proc.h"
#include "riscv.h"
#include "syscall.h"

extern char trampoline[], user_vector[], user_resume[], kernel_vector[];

volatile uint32_t ticks;
struct spinlock ticks_lock;

void trap_init(void) { spinlock_init(&ticks_lock, "ticks"); }

void trap_init_hart(void) { write_csr(stvec, kernel_vector); }

static void timer_interrupt(void) {
  if (panicking)
    halt();
  if (hart_id() == 0) {
    acquire(&ticks_lock);
    ticks++;
    wake_all((void *)&ticks);
    release(&ticks_lock);
  }
  write_csr(stimecmp, read_csr(time) + TICK_CYCLES);
}

static void external_interrupt(void) {
  int irq = plic_claim();
  if (irq == UART_IRQ)
    uart_interrupt();
  else if (irq == DISK_IRQ)
    disk_interrupt();
  else if (irq != 0)
    printf("unexpected interrupt %d\n", irq);
  if (irq != 0)
    plic_complete(irq);
}

// The name of an exception (privileged specification, "Supervisor Cause Register").
static const char *cause_name(uint64_t cause) {
  static const char *const names[] = {
      [0] = "instruction address misaligned",
      [1] = "instruction access fault",
      [2] = "illegal instruction",
      [3] = "breakpoint",
      [4] = "load address misaligned",
      [5] = "load access fault",
      [6] = "store address misaligned",
      [7] = "store access fault",
      [CAUSE_USER_CALL] = "system call",
      [CAUSE_FETCH_PAGE_FAULT] = "instruction page fault",
      [CAUSE_LOAD_PAGE_FAULT] = "load page fault",
      [CAUSE_STORE_PAGE_FAULT] = "store page fault",
  };
  bool is_known = cause < sizeof names / sizeof names[0] && names[cause];
  return is_known ? names[cause] : "unknown trap";
}

// Serves an interrupt. Returns false if the cause is none that it knows.
static bool serve_interrupt(uint64_t cause) {
  if (cause == CAUSE_TIMER)
    timer_interrupt();
  else if (cause == CAUSE_EXTERNAL)
    external_interrupt();
  else
    return false;
  return true;
}

static enum access fault_access(uint64_t cause) {
  if (cause == CAUSE_FETCH_PAGE_FAULT)
    return ACCESS_EXECUTE;
  return cause == CAUSE_STORE_PAGE_FAULT ? ACCESS_WRITE : ACCESS_READ;
}

// A page fault may be the first touch of an mmap page; anything else ends the process.
static void user_exception(struct process *process, uint64_t cause) {
  uint64_t address = read_csr(stval);
  interrupts_on(); // the CSRs have been read; bringing in a page may sleep
  bool is_page_fault = cause == CAUSE_FETCH_PAGE_FAULT || cause == CAUSE_LOAD_PAGE_FAULT ||
                       cause == CAUSE_STORE_PAGE_FAULT;
  if (is_page_fault && mmap_fault(process, address, fault_access(cause)) == 0)
    return;
  printf("pid %d (%s) killed: %s, sepc 0x%lx, stval 0x%lx\n", process->pid, process->name, cause_name(cause),
         process->trapframe->epc, address);
  kill(process->pid);
}

// Called by user_vector, interrupts off.
void user_trap(void) {
  if (read_csr(sstatus) & SSTATUS_SPP)
    panic("user_trap: not from user mode");
  trap_init_hart();
  struct process *process = current_process();
  uint64_t cause = read_csr(scause);
  process->trapframe->epc = read_csr(sepc);

  if (cause == CAUSE_USER_CALL) {
    if (process_killed(process))
      exit(-1);
    process->trapframe->epc += 4; // past the ecall
    interrupts_on();
    system_call();
  } else if (!serve_interrupt(cause)) {
    user_exception(process, cause);
  }
  if (process_killed(process))
    exit(-1);
  if (cause == CAUSE_TIMER)
    yield();
  user_return();
}

// Makes sure that this hart sees the process's present page table and code. A process that ran last on another
// hart, or whose page table is new, may have left old translations and old instructions here.
static void arrive_on_hart(struct process *process, uint64_t asid) {
  if (process->last_hart == hart_id())
    return;
  flush_asid(asid);
  if (!FAULT(NO_FENCE_I))
    asm volatile("fence.i" ::: "memory");
  process->last_hart = hart_id();
}

void user_return(void) {
  struct process *process = current_process();
  interrupts_off(); // from here on a trap would be taken for one from user mode
  write_csr(stvec, TRAMPOLINE + (user_vector - trampoline));

  struct trapframe *trapframe = process->trapframe;
  trapframe->kernel_satp = kernel_satp();
  trapframe->kernel_sp = process->kernel_stack + PAGE_SIZE;
  trapframe->kernel_trap = (uint64_t)user_trap;
  trapframe->kernel_hartid = hart_id();

  clear_csr(sstatus, SSTATUS_SPP);
  set_csr(sstatus, SSTATUS_SPIE);
  write_csr(sepc, trapframe->epc);

  uint64_t asid = process - processes + 1;
  arrive_on_hart(process, asid);
  void (*resume)(uint64_t) = (void (*)(uint64_t))(TRAMPOLINE + (user_resume - trampoline));
  resume(MAKE_SATP(asid, process->page_table));
  __builtin_unreachable();
}

// Called by kernel_vector, interrupts off. An exception in the kernel is a bug in the kernel.
void kernel_trap(void) {
  uint64_t cause = read_csr(scause);
  uint64_t pc = read_csr(sepc);
  uint64_t status = read_csr(sstatus);
  if (!(status & SSTATUS_SPP) || interrupts_are_on())
    panic("kernel_trap: not from supervisor mode with interrupts off, sstatus 0x%lx", status);
  if (!serve_interrupt(cause))
    panic("kernel_trap: %s (scause 0x%lx), sepc 0x%lx, stval 0x%lx, hart %d", cause_name(cause), cause, pc,
          read_csr(stval), hart_id());
  if (cause == CAUSE_TIMER && current_process() != 0)
    yield();
  write_csr(sepc, pc); // another trap may have come meanwhile, while this process was not running
  write_csr(sstatus, status);
}
