// records: what ordinary programs do, in the mixture that Dhrystone made known: structures copied and compared, short
// strings, calls of small functions, cases, a little arithmetic.
#include "../programs.h"
#include <stdbool.h>

#define RECORDS 64
#define PASSES 500
#define NAME_LENGTH 24

enum kind { CIRCLE, SQUARE, RECTANGLE, NOTHING };

struct record {
  struct record *next;
  enum kind kind;
  int32_t width, height;
  char name[NAME_LENGTH];
};

static struct record ring[RECORDS], spare;

#define CALLED __attribute__((noinline))

static CALLED void name_record(struct record *record, const char *prefix, int number) {
  char *to = record->name;
  while (*prefix)
    *to++ = *prefix++;
  *to++ = (char)('0' + number / 10);
  *to++ = (char)('0' + number % 10);
  *to = 0;
}

static CALLED bool same_name(const struct record *a, const struct record *b) {
  const char *left = a->name, *right = b->name;
  while (*left && *left == *right)
    left++, right++;
  return *left == *right;
}

static CALLED int32_t area(const struct record *record) {
  switch (record->kind) {
  case CIRCLE:
    return 22 * record->width * record->width / 7;
  case SQUARE:
    return record->width * record->width;
  case RECTANGLE:
    return record->width * record->height;
  default:
    return 0;
  }
}

static CALLED enum kind kind_after(enum kind kind) { return kind == NOTHING ? CIRCLE : kind + 1; }

static CALLED void grow(struct record *record, int32_t by) {
  record->width = (record->width + by) % 100;
  if (record->kind == RECTANGLE)
    record->height = (record->height + 2 * by) % 100;
}

static void make_ring(void) {
  for (int i = 0; i < RECORDS; i++) {
    ring[i] = (struct record){.next = &ring[(i + 1) % RECORDS], .kind = i % 4, .width = i, .height = 2 * i};
    name_record(&ring[i], "a record, number ", i);
  }
}

static uint64_t run(void) {
  uint64_t checksum = 0;
  make_ring();
  struct record *record = ring;
  for (int step = 0; step < PASSES * RECORDS; step++) {
    spare = *record;
    spare.kind = kind_after(spare.kind);
    grow(&spare, step & 7);
    if (same_name(&spare, record->next))
      return 0;
    if (same_name(&spare, record))
      checksum = checksum * 31 + (uint64_t)(area(&spare) - area(record));
    record->kind = spare.kind;
    record->width = spare.width;
    record = record->next;
  }
  return checksum;
}

const struct program records = {"records", 250, 0x8e4a14fa090f8b18, run};
