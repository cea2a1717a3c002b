// The console: lines typed at the UART, edited until Enter, for whoever reads device 1; and what is written to it.
//
//   Backspace, DEL  erase a character       ^D  end of file, at the start of a line
//   ^U              erase the line          ^P  list the processes
#include "device.h"
#include "lock.h"
#include "print.h"
#include "proc.h"

#define CONTROL(letter) ((letter) - '@')
#define DELETE 0x7f
#define INPUT_SIZE 4096 // room to type ahead; a power of two: the indices run through the whole of uint32_t
#define WRITE_CHUNK 64

static struct {
  struct spinlock lock;
  char bytes[INPUT_SIZE]; // a ring; each index below counts up and is used modulo INPUT_SIZE
  uint32_t read;          // next byte for a reader
  uint32_t line;          // end of the last complete line
  uint32_t edit;          // end of what has been typed
} input;

static int console_read(bool user, uint64_t to, int length) {
  int count = 0;
  acquire(&input.lock);
  while (count < length) {
    while (input.read == input.line) {
      if (process_killed(current_process())) {
        release(&input.lock);
        return -1;
      }
      sleep_on(&input.read, &input.lock);
    }
    char byte = input.bytes[input.read % INPUT_SIZE];
    if (byte == CONTROL('D')) {
      if (count == 0)
        input.read++; // else it stays, so that the next read returns 0
      break;
    }
    if (copy_to(user, to + count, &byte, 1) < 0)
      break;
    input.read++;
    count++;
    if (byte == '\n')
      break;
  }
  release(&input.lock);
  return count;
}

static int console_write(bool user, uint64_t from, int length) {
  char chunk[WRITE_CHUNK];
  int count = 0;
  while (count < length) {
    int step = length - count < WRITE_CHUNK ? length - count : WRITE_CHUNK;
    if (copy_from(chunk, user, from + count, step) < 0)
      break;
    uart_write(chunk, step);
    count += step;
  }
  return count;
}

static void erase_one(void) {
  input.edit--;
  uart_put_now('\b');
  uart_put_now(' ');
  uart_put_now('\b');
}

static bool line_is_empty(void) { return input.edit == input.line; }

static void type(int byte) {
  if (input.edit - input.read == INPUT_SIZE)
    return; // no room: the byte is dropped, and not echoed
  if (byte != CONTROL('D'))
    uart_put_now(byte);
  input.bytes[input.edit++ % INPUT_SIZE] = byte;
  bool is_full = input.edit - input.read == INPUT_SIZE;
  if (byte == '\n' || byte == CONTROL('D') || is_full) {
    input.line = input.edit;
    wake_all(&input.read);
  }
}

void console_interrupt(int byte) {
  acquire(&input.lock);
  switch (byte) {
  case CONTROL('P'):
    print_processes();
    break;
  case CONTROL('U'):
    while (!line_is_empty())
      erase_one();
    break;
  case '\b':
  case DELETE:
    if (!line_is_empty())
      erase_one();
    break;
  case '\r':
    type('\n');
    break;
  case 0:
    break;
  default:
    type(byte);
  }
  release(&input.lock);
}

void console_init(void) {
  spinlock_init(&input.lock, "console");
  devices[CONSOLE].read = console_read;
  devices[CONSOLE].write = console_write;
}
