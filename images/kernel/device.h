// The devices, and the table by which files reach character devices.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Reads or writes the 1024-byte block at data, which is kernel memory, from or to the disk; sleeps meanwhile.
// Panics on a device error.
#define DISK_BLOCK_SIZE 1024
void disk_rw(uint32_t block, void *data, bool write);
void disk_init(void);
void disk_interrupt(void);

// Character devices by major number (defined in file.c). The address is the user's if `user`. Each returns the
// number of bytes moved (for read, 0 at the end of file) or -1.
struct device {
  int (*read)(bool user, uint64_t to, int length);
  int (*write)(bool user, uint64_t from, int length);
};
extern struct device devices[];
#define CONSOLE 1

void console_init(void);
void console_interrupt(int character);

void uart_init(void);
void uart_put_now(int byte);                     // waits for the device; for the kernel's own printing
bool uart_at_line_start(void);                   // whether the last byte written was a newline
void uart_write(const char *bytes, int length);  // sleeps while the device is busy
void uart_interrupt(void);

void plic_init(void);
void plic_init_hart(void);
int plic_claim(void); // the interrupt to serve, or 0
void plic_complete(int irq);
