// kmalloctest: kmalloc and kmfree, by the system calls that give programs blocks of kernel memory.
#include "lib/testing.h"

#define LARGEST 4096
#define BLOCKS 100

static char pattern(int seed, int position) { return (char)(seed * 31 + position * 7 + 1); }

static bool fill(void *block, int seed, int size) {
  static char bytes[LARGEST];
  for (int i = 0; i < size; i++)
    bytes[i] = pattern(seed, i);
  return kmwrite(block, bytes, size) == 0;
}

static bool holds(void *block, int seed, int size) {
  static char bytes[LARGEST];
  if (kmread(block, bytes, size) != 0)
    return false;
  for (int i = 0; i < size; i++)
    if (bytes[i] != pattern(seed, i))
      return false;
  return true;
}

static int size_of(int number) { return 1 + number * 37 % 700; }

static bool blocks_are_apart(void) {
  static void *blocks[BLOCKS];
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = kmalloc(size_of(i));
    EXPECT(blocks[i] != FAILED_ADDRESS);
    EXPECT((uint64_t)blocks[i] % 16 == 0);
    EXPECT(fill(blocks[i], i, size_of(i)));
  }
  for (int i = 0; i < BLOCKS; i++)
    EXPECT(holds(blocks[i], i, size_of(i)));
  for (int i = 0; i < BLOCKS; i += 2)
    EXPECT(kmfree(blocks[i]) == 0);
  for (int i = 1; i < BLOCKS; i += 2)
    EXPECT(holds(blocks[i], i, size_of(i)));
  for (int i = 1; i < BLOCKS; i += 2)
    EXPECT(kmfree(blocks[i]) == 0);
  return true;
}

static bool sizes_have_limit(void) {
  static const int sizes[] = {1, 15, 16, 17, 4000, 4079, 4080, 4081, 4095, 4096};
  for (int i = 0; i < 10; i++) {
    void *block = kmalloc(sizes[i]);
    EXPECT(block != FAILED_ADDRESS);
    EXPECT(fill(block, i, sizes[i]) && holds(block, i, sizes[i]));
    EXPECT(kmfree(block) == 0);
  }
  EXPECT(kmalloc(LARGEST + 1) == FAILED_ADDRESS);
  EXPECT(kmalloc((size_t)-1) == FAILED_ADDRESS);
  return true;
}

static bool first_fit(void) {
  void *blocks[4];
  for (int i = 0; i < 4; i++)
    blocks[i] = kmalloc(500);
  EXPECT(kmfree(blocks[0]) == 0 && kmfree(blocks[2]) == 0);
  EXPECT(kmalloc(500) == blocks[0]);
  EXPECT(kmalloc(500) == blocks[2]);
  for (int i = 0; i < 4; i++)
    EXPECT(kmfree(blocks[i]) == 0);
  return true;
}

// The order in which the three middle blocks are freed must not matter.
static bool neighbours_join(void) {
  static const int orders[][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
  for (int order = 0; order < 6; order++) {
    void *blocks[5];
    for (int i = 0; i < 5; i++)
      blocks[i] = kmalloc(500);
    for (int i = 0; i < 3; i++)
      EXPECT(kmfree(blocks[orders[order][i]]) == 0);
    EXPECT(kmalloc(1500) == blocks[1]);
    EXPECT(kmfree(blocks[0]) == 0 && kmfree(blocks[1]) == 0 && kmfree(blocks[4]) == 0);
  }
  return true;
}

static bool frames_are_given_back(void) {
  void *blocks[BLOCKS];
  int before = freeframes();
  for (int i = 0; i < BLOCKS; i++)
    blocks[i] = kmalloc(400);
  EXPECT(freeframes() <= before - BLOCKS / 10);
  for (int i = 0; i < BLOCKS; i++)
    EXPECT(kmfree(blocks[i]) == 0);
  EXPECT(freeframes() == before);
  return true;
}

static bool blocks_outlive_process(void) {
  int ends[2], status;
  void *block;
  EXPECT(pipe(ends) == 0);
  if (fork() == 0) {
    block = kmalloc(1000);
    exit(fill(block, 1, 1000) && write(ends[1], &block, sizeof(block)) == sizeof(block) ? 0 : 1);
  }
  EXPECT(wait(&status) > 0 && status == 0);
  EXPECT(read(ends[0], &block, sizeof(block)) == sizeof(block));
  EXPECT(holds(block, 1, 1000));
  EXPECT(kmfree(block) == 0);
  return true;
}

static bool wrong_blocks_are_refused(void) {
  char bytes[200];
  char *block = kmalloc(100);
  EXPECT(kmfree(0) == -1);
  EXPECT(kmfree(block + 16) == -1);
  EXPECT(kmfree((void *)0x80000000) == -1);
  EXPECT(kmfree(bytes) == -1);
  EXPECT(kmread(block + 16, bytes, 1) == -1 && kmwrite(block + 16, bytes, 1) == -1);
  EXPECT(kmread(block, bytes, 101) == -1 && kmwrite(block, bytes, 101) == -1);
  EXPECT(kmread(block, (void *)0x80000000, 100) == -1 && kmwrite(block, (void *)0x80000000, 100) == -1);
  EXPECT(kmfree(block) == 0);
  EXPECT(kmfree(block) == -1);
  EXPECT(kmread(block, bytes, 1) == -1 && kmwrite(block, bytes, 1) == -1);
  return true;
}

static int random_number(uint32_t *state) {
  *state = *state * 1664525 + 1013904223;
  return *state >> 8;
}

static bool juggle(uint32_t seed) {
  void *blocks[16] = {0};
  int sizes[16];
  for (int round = 0; round < 300; round++) {
    int i = random_number(&seed) % 16;
    if (blocks[i]) {
      EXPECT(holds(blocks[i], i, sizes[i]));
      EXPECT(kmfree(blocks[i]) == 0);
      blocks[i] = 0;
    } else {
      sizes[i] = 1 + random_number(&seed) % 1500;
      blocks[i] = kmalloc(sizes[i]);
      EXPECT(blocks[i] != FAILED_ADDRESS);
      EXPECT(fill(blocks[i], i, sizes[i]));
    }
  }
  for (int i = 0; i < 16; i++)
    EXPECT(blocks[i] == 0 || kmfree(blocks[i]) == 0);
  return true;
}

static bool processes_allocate_at_once(void) {
  for (int i = 0; i < 4; i++)
    if (fork() == 0)
      exit(juggle(i) ? 0 : 1);
  for (int i = 0; i < 4; i++) {
    int status;
    EXPECT(wait(&status) > 0 && status == 0);
  }
  return true;
}

int main(void) {
  static const struct test tests[] = {
      {"blocks are aligned and do not overlap", blocks_are_apart},
      {"blocks have up to 4096 bytes", sizes_have_limit},
      {"the first block that fits is taken", first_fit},
      {"free neighbours become one block", neighbours_join},
      {"frames without blocks are given back", frames_are_given_back},
      {"a block outlives the process that asked for it", blocks_outlive_process},
      {"what is no block is refused", wrong_blocks_are_refused},
      {"processes allocate at once", processes_allocate_at_once},
  };
  return run_tests("kmalloctest", TESTS(tests));
}
