// Bytes and strings. Each behaves as in the C standard, except where said. The compiler itself may call the first four.
#pragma once
#include <stddef.h>

void *memset(void *destination, int byte, size_t length);
void *memcpy(void *destination, const void *source, size_t length);
void *memmove(void *destination, const void *source, size_t length);
int memcmp(const void *left, const void *right, size_t length);
size_t strlen(const char *string);
int strncmp(const char *left, const char *right, size_t limit);
char *strncpy(char *destination, const char *source, size_t size); // pads with zeros; no final zero if too long
char *copy_name(char *destination, const char *source, size_t size); // like strncpy, but always ends in a zero
