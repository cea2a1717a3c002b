// Printing for the kernel itself, and the way it stops.
#pragma once

// Formats: %d (int), %ld (long), %u, %lu, %x, %lx (hexadecimal, no prefix), %p (0x and 16 digits), %s, %c, %%.
void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Prints `panic: `, the message and the caller's address at the start of a line, sets `panicked`, and stops every
// hart. Write the values that went wrong into the message.
void panic(const char *format, ...) __attribute__((noreturn, noinline, format(printf, 1, 2)));

// 1 once the message of a panic is complete; panicking is set where it begins, and stops the other harts: each
// looks at it in its timer interrupt, before it prints, and while it waits for a lock.
extern volatile int panicked, panicking;

void print_init(void);
void halt(void) __attribute__((noreturn)); // stops this hart for good
