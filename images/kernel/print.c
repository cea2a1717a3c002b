// printf and panic: print.h. Characters go straight to the UART, so that printing works in any state of the kernel.
#include "print.h"
#include "device.h"
#include "lock.h"
#include "proc.h"
#include "riscv.h"
#include <stdarg.h>

volatile int panicked, panicking;

static struct spinlock print_lock;

void print_init(void) { spinlock_init(&print_lock, "print"); }

static void print_string(const char *string) {
  while (*string)
    uart_put_now(*string++);
}

static void print_number(uint64_t value, unsigned base, int minimum_digits) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0 || count < minimum_digits);
  while (count > 0)
    uart_put_now(digits[--count]);
}

static void print_signed(long value) {
  if (value < 0)
    uart_put_now('-');
  print_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10, 1);
}

static void print_arguments(const char *format, va_list arguments) {
  for (; *format; format++) {
    if (*format != '%') {
      uart_put_now(*format);
      continue;
    }
    bool is_long = *++format == 'l';
    if (is_long)
      format++;
    switch (*format) {
    case 'd':
      print_signed(is_long ? va_arg(arguments, long) : va_arg(arguments, int));
      break;
    case 'u':
    case 'x':
      print_number(is_long ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned), *format == 'x' ? 16 : 10, 1);
      break;
    case 'p':
      print_string("0x");
      print_number(va_arg(arguments, uint64_t), 16, 16);
      break;
    case 's':
      print_string(va_arg(arguments, const char *));
      break;
    case 'c':
      uart_put_now(va_arg(arguments, int));
      break;
    default: // "%%", or a format this does not know, which then shows
      uart_put_now(*format);
    }
  }
}

void printf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  acquire(&print_lock);
  if (panicking)
    halt();
  print_arguments(format, arguments);
  release(&print_lock);
  va_end(arguments);
}

void halt(void) {
  interrupts_off();
  write_csr(sie, 0); // so that nothing ends the wfi
  for (;;)
    asm volatile("wfi");
}

void panic(const char *format, ...) {
  interrupts_off();
  if (__sync_lock_test_and_set(&panicking, 1))
    halt(); // one panic is enough: the first is the one to read
  if (!uart_at_line_start())
    uart_put_now('\n');
  print_string("panic: ");
  va_list arguments;
  va_start(arguments, format);
  print_arguments(format, arguments);
  va_end(arguments);
  print_string(" (called from ");
  print_string("0x");
  print_number((uint64_t)__builtin_return_address(0), 16, 8);
  print_string(")\n");
  panicked = 1;
  halt();
}
