// Bytes, strings and printing.
#include "user.h"
#include <stdarg.h>

void *memset(void *destination, int byte, size_t length) {
  char *to = destination;
  while (length-- > 0)
    *to++ = byte;
  return destination;
}

void *memmove(void *destination, const void *source, size_t length) {
  char *to = destination;
  const char *from = source;
  if (to <= from) {
    while (length-- > 0)
      *to++ = *from++;
  } else {
    while (length-- > 0)
      to[length] = from[length];
  }
  return destination;
}

void *memcpy(void *destination, const void *source, size_t length) { return memmove(destination, source, length); }

int memcmp(const void *left, const void *right, size_t length) {
  const uint8_t *l = left, *r = right;
  for (; length > 0; l++, r++, length--)
    if (*l != *r)
      return *l - *r;
  return 0;
}

size_t strlen(const char *string) {
  size_t length = 0;
  while (string[length])
    length++;
  return length;
}

int strcmp(const char *left, const char *right) {
  while (*left && *left == *right)
    left++, right++;
  return (uint8_t)*left - (uint8_t)*right;
}

char *strcpy(char *destination, const char *source) {
  memmove(destination, source, strlen(source) + 1);
  return destination;
}

char *strchr(const char *string, int character) {
  for (; *string != (char)character; string++)
    if (*string == 0)
      return 0;
  return (char *)string;
}

int atoi(const char *string) {
  int value = 0;
  while (*string >= '0' && *string <= '9')
    value = 10 * value + (*string++ - '0');
  return value;
}

// Collects what is printed, so that a line takes one system call and is not mixed with another process's.
struct output {
  int descriptor;
  int used;
  char bytes[128];
};

static void flush(struct output *output) {
  write(output->descriptor, output->bytes, output->used);
  output->used = 0;
}

static void put(struct output *output, char character) {
  if (output->used == sizeof(output->bytes))
    flush(output);
  output->bytes[output->used++] = character;
}

static void put_spaces(struct output *output, int count) {
  while (count-- > 0)
    put(output, ' ');
}

static void put_number(struct output *output, uint64_t value, int base, bool negative, int width) {
  char digits[24];
  int count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value > 0);
  if (negative)
    digits[count++] = '-';
  put_spaces(output, width - count);
  while (count > 0)
    put(output, digits[--count]);
}

static void put_string(struct output *output, const char *string, int width) {
  for (; *string; string++, width--)
    put(output, *string);
  put_spaces(output, width);
}

static void print(int descriptor, const char *format, va_list arguments) {
  struct output output = {.descriptor = descriptor};
  for (; *format; format++) {
    if (*format != '%') {
      put(&output, *format);
      continue;
    }
    int width = atoi(++format);
    while (*format >= '0' && *format <= '9')
      format++;
    bool is_long = *format == 'l';
    if (is_long)
      format++;
    switch (*format) {
    case 'd': {
      long value = is_long ? va_arg(arguments, long) : va_arg(arguments, int);
      put_number(&output, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, width);
      break;
    }
    case 'u':
    case 'x': {
      uint64_t value = is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned int);
      put_number(&output, value, *format == 'x' ? 16 : 10, false, width);
      break;
    }
    case 'p':
      put_string(&output, "0x", 0);
      put_number(&output, va_arg(arguments, uint64_t), 16, false, 0);
      break;
    case 's':
      put_string(&output, va_arg(arguments, const char *), width);
      break;
    case 'c':
      put(&output, va_arg(arguments, int));
      break;
    default: // %% and what is no format
      put(&output, *format);
    }
  }
  flush(&output);
}

void printf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print(1, format, arguments);
  va_end(arguments);
}

void fprintf(int descriptor, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print(descriptor, format, arguments);
  va_end(arguments);
}

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print(2, format, arguments);
  va_end(arguments);
  exit(1);
}
