// Bytes and strings: string.h.
#include "string.h"
#include <stdint.h>

// Most of a boot is this function, filling frames; so it stores eight words a turn where it can, in a loop that rvemu
// knows for a fill.
void *memset(void *destination, int byte, size_t length) {
  uint8_t *next = destination;
  uint8_t *last = next + length;
  while (next < last && (uintptr_t)next % 8 != 0)
    *next++ = (uint8_t)byte;
  uint64_t word = (uint8_t)byte * 0x0101010101010101UL;
  for (uint8_t *rest = next + (last - next) / 64 * 64; next != rest; next += 64)
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
      ((uint64_t *)next)[i] = word;
  while (next < last)
    *next++ = (uint8_t)byte;
  return destination;
}

void *memmove(void *destination, const void *source, size_t length) {
  uint8_t *to = destination;
  const uint8_t *from = source;
  if (from < to && to < from + length) {
    while (length-- > 0)
      to[length] = from[length];
    return destination;
  }
  if (((uintptr_t)to | (uintptr_t)from) % 8 == 0)
    for (; length >= 8; length -= 8, to += 8, from += 8)
      *(uint64_t *)to = *(const uint64_t *)from;
  while (length-- > 0)
    *to++ = *from++;
  return destination;
}

void *memcpy(void *destination, const void *source, size_t length) { return memmove(destination, source, length); }

int memcmp(const void *left, const void *right, size_t length) {
  const uint8_t *a = left, *b = right;
  for (; length > 0; length--, a++, b++)
    if (*a != *b)
      return *a - *b;
  return 0;
}

size_t strlen(const char *string) {
  size_t length = 0;
  while (string[length])
    length++;
  return length;
}

int strncmp(const char *left, const char *right, size_t limit) {
  for (; limit > 0; limit--, left++, right++)
    if (*left != *right || *left == 0)
      return (uint8_t)*left - (uint8_t)*right;
  return 0;
}

char *strncpy(char *destination, const char *source, size_t size) {
  size_t i = 0;
  for (; i < size && source[i]; i++)
    destination[i] = source[i];
  for (; i < size; i++)
    destination[i] = 0;
  return destination;
}

char *copy_name(char *destination, const char *source, size_t size) {
  strncpy(destination, source, size);
  destination[size - 1] = 0;
  return destination;
}
