// The serial port, an NS16550A.
//
//   0 RBR/THR  receive / transmit a byte      2 FCR  bits 0-2: FIFOs on, cleared
//   1 IER      bit 0: interrupt on receive,   3 LCR  0x03: 8 bits, no parity
//              bit 1: on transmitter empty    5 LSR  bit 0: byte received, bit 5: transmitter empty
#include "device.h"
#include "lock.h"
#include "memlayout.h"
#include "print.h"
#include "proc.h"

#define REGISTER(offset) (*(volatile uint8_t *)(UART_BASE + (offset)))
#define DATA REGISTER(0)
#define IER REGISTER(1)
#define FCR REGISTER(2)
#define LCR REGISTER(3)
#define LSR REGISTER(5)

#define IER_RECEIVE 1
#define IER_TRANSMIT 2
#define LSR_RECEIVED 1
#define LSR_TRANSMITTER_EMPTY 32

static struct spinlock uart_lock;
static bool line_start = true;

void uart_init(void) {
  IER = 0;
  LCR = 0x03;
  FCR = 0x07;
  IER = IER_RECEIVE;
  spinlock_init(&uart_lock, "uart");
}

bool uart_at_line_start(void) { return line_start; }

static void transmit(int byte) {
  line_start = byte == '\n';
  DATA = (uint8_t)byte;
}

void uart_put_now(int byte) {
  while (!(LSR & LSR_TRANSMITTER_EMPTY))
    ;
  transmit(byte);
}

void uart_write(const char *bytes, int length) {
  acquire(&uart_lock);
  if (panicking)
    halt();
  for (int i = 0; i < length; i++) {
    while (!(LSR & LSR_TRANSMITTER_EMPTY)) {
      IER = IER_RECEIVE | IER_TRANSMIT;
      sleep_on(&uart_lock, &uart_lock);
    }
    transmit(bytes[i]);
  }
  release(&uart_lock);
}

void uart_interrupt(void) {
  while (LSR & LSR_RECEIVED)
    console_interrupt(DATA);

  acquire(&uart_lock);
  if (LSR & LSR_TRANSMITTER_EMPTY) {
    IER = IER_RECEIVE;
    wake_all(&uart_lock);
  }
  release(&uart_lock);
}
