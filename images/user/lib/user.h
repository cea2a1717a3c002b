// What programs have: the system calls, and a small library.
#pragma once
#include "../../kernel/fs_interface.h"
#include "../../kernel/syscall_numbers.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// System calls. Those that return an int return -1 for an error; sbrk and mmap return FAILED_ADDRESS.
#define FAILED_ADDRESS ((void *)-1)
int fork(void);                        // the child's pid; 0 in the child
void exit(int status) __attribute__((noreturn));
int wait(int *status);                 // the pid of a child that has ended; its status is -1 if it was killed
int pipe(int descriptors[2]);          // reading end, writing end
int read(int descriptor, void *to, int length);
int write(int descriptor, const void *from, int length);
int close(int descriptor);
int kill(int pid);
int exec(const char *path, char **arguments); // the vector ends with a 0; returns only if it fails
int open(const char *path, int flags);
int mknod(const char *path, int major, int minor);
int unlink(const char *path);
int fstat(int descriptor, struct stat *stat);
int link(const char *old_path, const char *new_path);
int mkdir(const char *path);
int chdir(const char *path);
int dup(int descriptor);
int getpid(void);
void *sbrk(long bytes);                // the old end of the heap
int sleep(int ticks);
int uptime(void);                      // in ticks

// System calls of this kernel only; any other returns -1. syscall_numbers.h describes them.
void *mmap(void *address, size_t length, int prot, int flags, int descriptor, size_t offset);
int munmap(void *address, size_t length);
void *kmalloc(size_t size);
int kmfree(void *block);
int kmread(void *block, void *to, size_t length);
int kmwrite(void *block, const void *from, size_t length);
int freeframes(void);
int memmap(void);
int checkmemory(void);

// Bytes and strings, as in the C standard.
void *memset(void *destination, int byte, size_t length);
void *memcpy(void *destination, const void *source, size_t length);
void *memmove(void *destination, const void *source, size_t length);
int memcmp(const void *left, const void *right, size_t length);
size_t strlen(const char *string);
int strcmp(const char *left, const char *right);
char *strcpy(char *destination, const char *source);
char *strchr(const char *string, int character);
int atoi(const char *string);

// Prints to standard output, or to a descriptor. Formats: %d %u %x, all three also with an l for a long, %p, %s, %c,
// %%. A number between % and the letter is a minimum width, padded with spaces: for %s on the right, else on the
// left.
void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fprintf(int descriptor, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Prints a message on standard error and exits with status 1.
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
