// Where every hart arrives in supervisor mode, with physical addresses and interrupts off. Hart 0 builds the
// system while the others wait.
#include "device.h"
#include "file.h"
#include "fs.h"
#include "memory.h"
#include "print.h"
#include "proc.h"
#include "riscv.h"
#include "syscall.h"
#include "trap.h"

static volatile bool started;

static void boot(void) {
  boot_page_table_init();
  uart_init();
  print_init();
  printf("rvemu teaching kernel\n");
  boot_alloc_init();
  check_free_list(); // now, while it is short
  kvm_init();
  kvminithart();
  check_vm();
  alloc_init();
  kmalloc_init();
  mmap_init();
  sysmem_init();
  printf("%ld frames of %d bytes free\n", free_frames(), PAGE_SIZE);
  console_init();
  plic_init();
  disk_init();
  trap_init();
  processes_init();
  buffer_init();
  inode_table_init();
  file_table_init();
  first_process();
}

// Waits until hart 0 is done, waking up now and then to look: the timer ends a wfi even with interrupts off.
static void wait_for_boot(void) {
  while (!__atomic_load_n(&started, __ATOMIC_ACQUIRE)) {
    write_csr(stimecmp, read_csr(time) + TICK_CYCLES / 10);
    asm volatile("wfi");
  }
}

void main(void) {
  if (hart_id() == 0) {
    boot();
    __atomic_store_n(&started, true, __ATOMIC_RELEASE);
  } else {
    wait_for_boot();
    kvminithart();
  }
  trap_init_hart();
  plic_init_hart();
  scheduler();
}
