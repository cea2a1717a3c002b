// The only code in machine mode: hands everything to supervisor mode and goes there, to main.
#include "param.h"
#include "riscv.h"

void main(void);

void start(uint64_t hart) {
  write_csr(mstatus, (read_csr(mstatus) & ~MSTATUS_MPP) | MSTATUS_MPP_SUPERVISOR);
  write_csr(mepc, main);
  write_csr(satp, 0); // physical addresses until main builds a page table

  // All exceptions and interrupts go straight to supervisor mode.
  write_csr(medeleg, 0xffff);
  write_csr(mideleg, 0xffff);
  write_csr(sie, SIE_SEIE | SIE_STIE);

  // Physical memory protection: one entry that opens all of memory.
  write_csr(pmpaddr0, 0x3fffffffffffffL);
  write_csr(pmpcfg0, 0xf);

  // The timer: supervisor mode may read time and has its own comparator.
  set_csr(menvcfg, MENVCFG_STCE);
  set_csr(mcounteren, MCOUNTEREN_TM);
  write_csr(stimecmp, read_csr(time) + TICK_CYCLES);

  asm volatile("mv tp, %0" ::"r"(hart)); // hart_id reads it
  asm volatile("mret");
}
