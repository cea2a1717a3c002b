// The platform-level interrupt controller.
//
//   4*irq                        priority, 0: never
//   0x2000 + 0x80*context        enable bits, one for each irq
//   0x200000 + 0x1000*context    threshold: only higher priorities interrupt
//   0x200004 + 0x1000*context    read: claim an interrupt; write: complete it
//
// A hart's supervisor context is 2*hart + 1. Any hart may claim any interrupt.
#include "device.h"
#include "memlayout.h"
#include "proc.h"

#define REGISTER(offset) (*(volatile uint32_t *)(PLIC_BASE + (offset)))
#define CONTEXT (2 * hart_id() + 1)
#define ENABLE REGISTER(0x2000 + 0x80 * CONTEXT)
#define THRESHOLD REGISTER(0x200000 + 0x1000 * CONTEXT)
#define CLAIM REGISTER(0x200004 + 0x1000 * CONTEXT)

void plic_init(void) {
  REGISTER(4 * UART_IRQ) = 1;
  REGISTER(4 * DISK_IRQ) = 1;
}

void plic_init_hart(void) {
  ENABLE = 1 << UART_IRQ | 1 << DISK_IRQ;
  THRESHOLD = 0;
}

int plic_claim(void) { return CLAIM; }

void plic_complete(int irq) { CLAIM = irq; }
