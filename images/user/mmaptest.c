// mmaptest: mmap and munmap.
#include "lib/testing.h"

#define PAGE 4096
#define FILE_NAME "/mmaptest.file"
#define FILE_SIZE (2 * PAGE + 1000)
#define READ_WRITE (PROT_READ | PROT_WRITE)

static char pattern(int position) { return (char)(position * 7 + position / PAGE + 1); }

// Makes the file that the tests map, and opens it. Returns the descriptor.
static int make_file(int flags) {
  char bytes[500];
  int descriptor = open(FILE_NAME, O_WRONLY | O_CREATE | O_TRUNC);
  for (int done = 0; done < FILE_SIZE; done += sizeof(bytes)) {
    int length = FILE_SIZE - done < (int)sizeof(bytes) ? FILE_SIZE - done : (int)sizeof(bytes);
    for (int i = 0; i < length; i++)
      bytes[i] = pattern(done + i);
    write(descriptor, bytes, length);
  }
  close(descriptor);
  return open(FILE_NAME, flags);
}

static char *map_file(int descriptor, int prot, int flags, size_t length) {
  return mmap(0, length, prot, flags, descriptor, 0);
}

static char *map_memory(int flags, size_t length) {
  return mmap(0, length, READ_WRITE, flags | MAP_ANONYMOUS, -1, 0);
}

static bool is_filled(const char *bytes, int length, char value) {
  for (int i = 0; i < length; i++)
    if (bytes[i] != value)
      return false;
  return true;
}

static bool is_pattern(const char *bytes, int from, int to) {
  for (int i = from; i < to; i++)
    if (bytes[i - from] != pattern(i))
      return false;
  return true;
}

// The file's size, and the byte at a position of it; -1 if there is none.
static int byte_of_file(int position) {
  static char bytes[FILE_SIZE + PAGE];
  int descriptor = open(FILE_NAME, O_RDONLY);
  int length = read(descriptor, bytes, sizeof(bytes));
  close(descriptor);
  return position < length ? (uint8_t)bytes[position] : -1;
}

static volatile char *target; // of the functions below, which run in children

static int load(void) {
  char value = *target;
  (void)value;
  return 0;
}

static int store(void) {
  *target = 1;
  return 0;
}

static int call(void) {
  ((void (*)(void))target)();
  return 0;
}

static bool is_killed(int (*function)(void), const void *address) {
  target = (volatile char *)address;
  return in_child(function) == -1;
}

static bool memory_is_zeroed(void) {
  char *memory = map_memory(MAP_PRIVATE, 5 * PAGE + 1);
  EXPECT(memory != FAILED_ADDRESS && (uint64_t)memory % PAGE == 0);
  EXPECT(is_filled(memory, 6 * PAGE, 0));
  memset(memory, 7, 6 * PAGE);
  EXPECT(is_filled(memory, 6 * PAGE, 7));
  EXPECT(munmap(memory, 5 * PAGE + 1) == 0);
  EXPECT(is_killed(load, memory));
  return true;
}

static bool pages_come_by_touch(void) {
  int before = freeframes();
  char *memory = map_memory(MAP_PRIVATE, 1000 * PAGE);
  EXPECT(memory != FAILED_ADDRESS);
  EXPECT(before - freeframes() < 5);
  memory[0] = memory[500 * PAGE] = memory[999 * PAGE] = 1;
  int used = before - freeframes();
  EXPECT(used >= 3 && used < 20);
  EXPECT(munmap(memory, 1000 * PAGE) == 0);
  return true;
}

static bool private_memory_is_copied(void) {
  char *memory = map_memory(MAP_PRIVATE, 3 * PAGE);
  int status;
  memory[PAGE] = 1;
  if (fork() == 0) {
    bool same = memory[PAGE] == 1;
    memory[PAGE] = memory[2 * PAGE] = 2;
    exit(same ? 0 : 1);
  }
  EXPECT(wait(&status) > 0 && status == 0);
  EXPECT(memory[PAGE] == 1 && memory[2 * PAGE] == 0);
  return true;
}

static bool shared_memory_is_shared(void) {
  char *memory = map_memory(MAP_SHARED, 3 * PAGE);
  int status;
  EXPECT(memory != FAILED_ADDRESS);
  memory[PAGE] = 1;
  if (fork() == 0) {
    bool same = memory[PAGE] == 1;
    memory[PAGE] = 2;
    memory[2 * PAGE] = 3; // a page that neither has touched
    exit(same ? 0 : 1);
  }
  EXPECT(wait(&status) > 0 && status == 0);
  EXPECT(memory[0] == 0 && memory[PAGE] == 2 && memory[2 * PAGE] == 3);
  return true;
}

static bool private_file(void) {
  int descriptor = make_file(O_RDONLY);
  char *memory = map_file(descriptor, READ_WRITE, MAP_PRIVATE, FILE_SIZE);
  EXPECT(memory != FAILED_ADDRESS);
  close(descriptor);
  EXPECT(is_pattern(memory, 0, FILE_SIZE));
  EXPECT(is_filled(memory + FILE_SIZE, 3 * PAGE - FILE_SIZE, 0));
  memory[0] = memory[PAGE] = 99;
  EXPECT(munmap(memory, FILE_SIZE) == 0);
  EXPECT(byte_of_file(0) == (uint8_t)pattern(0) && byte_of_file(PAGE) == (uint8_t)pattern(PAGE));
  return true;
}

static bool shared_file(void) {
  int descriptor = make_file(O_RDWR);
  char *memory = map_file(descriptor, READ_WRITE, MAP_SHARED, FILE_SIZE);
  EXPECT(memory != FAILED_ADDRESS);
  EXPECT(is_pattern(memory, 0, FILE_SIZE));
  memory[1] = memory[2 * PAGE] = memory[FILE_SIZE - 1] = 99;
  memory[FILE_SIZE] = 98; // on the last page, but not in the file
  EXPECT(munmap(memory, FILE_SIZE) == 0);
  EXPECT(byte_of_file(0) == (uint8_t)pattern(0) && byte_of_file(1) == 99);
  EXPECT(byte_of_file(2 * PAGE) == 99 && byte_of_file(FILE_SIZE - 1) == 99);
  EXPECT(byte_of_file(FILE_SIZE) == -1);
  close(descriptor);
  return true;
}

static bool file_at_offset(void) {
  int descriptor = make_file(O_RDWR);
  char *memory = mmap(0, PAGE, READ_WRITE, MAP_SHARED, descriptor, PAGE);
  EXPECT(memory != FAILED_ADDRESS);
  EXPECT(is_pattern(memory, PAGE, 2 * PAGE));
  memory[5] = 99;
  EXPECT(munmap(memory, PAGE) == 0);
  EXPECT(byte_of_file(PAGE + 5) == 99 && byte_of_file(5) == (uint8_t)pattern(5));
  close(descriptor);
  return true;
}

static bool file_outlives_name(void) {
  int descriptor = make_file(O_RDWR);
  char *memory = map_file(descriptor, READ_WRITE, MAP_SHARED, FILE_SIZE);
  close(descriptor);
  EXPECT(unlink(FILE_NAME) == 0);
  EXPECT(is_pattern(memory, 0, FILE_SIZE));
  memory[0] = 99;
  EXPECT(munmap(memory, FILE_SIZE) == 0);
  return true;
}

static bool write_back_at_exit(void) {
  int descriptor = make_file(O_RDWR);
  char *memory = map_file(descriptor, READ_WRITE, MAP_SHARED, FILE_SIZE);
  int status;
  if (fork() == 0) {
    memory[1] = 99;
    exit(0);
  }
  EXPECT(wait(&status) > 0 && status == 0);
  EXPECT(byte_of_file(1) == 99);
  EXPECT(memory[1] == 99 && memory[2] == pattern(2));
  if (fork() == 0) { // and at exec
    char *arguments[] = {"echo", 0};
    memory[2] = 98;
    close(1);
    exec("/echo", arguments);
    exit(1);
  }
  EXPECT(wait(0) > 0);
  EXPECT(byte_of_file(2) == 98);
  close(descriptor);
  return true;
}

static bool unmap_ends_and_middle(void) {
  char *memory = map_memory(MAP_PRIVATE, 10 * PAGE);
  for (int i = 0; i < 10; i++)
    memory[i * PAGE] = i + 1;
  EXPECT(munmap(memory, PAGE) == 0);
  EXPECT(munmap(memory + 9 * PAGE, PAGE) == 0);
  EXPECT(munmap(memory + 4 * PAGE, 2 * PAGE) == 0);
  for (int i = 0; i < 10; i++) {
    bool gone = i == 0 || i == 4 || i == 5 || i == 9;
    EXPECT(is_killed(load, memory + i * PAGE) == gone);
    EXPECT(gone || memory[i * PAGE] == i + 1);
  }
  EXPECT(munmap(memory + PAGE, 8 * PAGE) == -1); // there is a hole in it
  EXPECT(memory[PAGE] == 2 && memory[8 * PAGE] == 9);
  EXPECT(munmap(memory + PAGE, 3 * PAGE) == 0);
  EXPECT(munmap(memory + 6 * PAGE, 3 * PAGE) == 0);
  return true;
}

static bool unmap_part_of_file(void) {
  int descriptor = make_file(O_RDWR);
  char *memory = map_file(descriptor, READ_WRITE, MAP_SHARED, FILE_SIZE);
  memory[0] = memory[PAGE] = memory[2 * PAGE] = 99;
  EXPECT(munmap(memory + PAGE, PAGE) == 0);
  EXPECT(byte_of_file(0) == (uint8_t)pattern(0) && byte_of_file(PAGE) == 99);
  EXPECT(munmap(memory, PAGE) == 0);
  EXPECT(byte_of_file(0) == 99);
  EXPECT(is_pattern(memory + 2 * PAGE + 1, 2 * PAGE + 1, FILE_SIZE));
  EXPECT(munmap(memory + 2 * PAGE, PAGE) == 0);
  EXPECT(byte_of_file(2 * PAGE) == 99);
  close(descriptor);
  return true;
}

static bool neighbours_unmap_together(void) {
  char *high = map_memory(MAP_PRIVATE, 2 * PAGE);
  char *low = mmap(high - 2 * PAGE, 2 * PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(low == high - 2 * PAGE);
  memset(low, 7, 4 * PAGE);
  EXPECT(munmap(low + PAGE, 2 * PAGE) == 0);
  EXPECT(low[0] == 7 && high[PAGE] == 7);
  EXPECT(is_killed(load, low + PAGE) && is_killed(load, high));
  return true;
}

static bool protection_holds(void) {
  int descriptor = make_file(O_RDONLY);
  char *memory = map_file(descriptor, PROT_READ, MAP_SHARED, FILE_SIZE);
  EXPECT(memory != FAILED_ADDRESS);
  EXPECT(is_killed(store, memory)); // before the page is there
  EXPECT(is_pattern(memory, 0, FILE_SIZE));
  EXPECT(is_killed(store, memory)); // and after
  EXPECT(is_killed(call, memory));
  EXPECT(read(descriptor, memory, 1) == -1);
  close(descriptor);
  return true;
}

static bool code_can_be_mapped(void) {
  uint32_t *code = mmap(0, PAGE, READ_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(code != FAILED_ADDRESS);
  code[0] = 0x00008067; // ret
  asm volatile("fence.i" ::: "memory");
  EXPECT(!is_killed(call, code));
  uint32_t *data = (uint32_t *)map_memory(MAP_PRIVATE, PAGE);
  data[0] = code[0];
  EXPECT(is_killed(call, data));
  return true;
}

static bool hints_are_taken(void) {
  char *wanted = (char *)0x100000000;
  char *memory = mmap(wanted, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(memory == wanted);
  char *other = mmap(wanted, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(other != FAILED_ADDRESS && other != wanted);
  EXPECT(sbrk(0) != FAILED_ADDRESS && (char *)mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) > wanted);
  return true;
}

static bool calls_reach_untouched_pages(void) {
  int descriptor = make_file(O_RDWR), ends[2];
  char *memory = map_memory(MAP_PRIVATE, 3 * PAGE);
  EXPECT(read(descriptor, memory, FILE_SIZE) == FILE_SIZE);
  EXPECT(is_pattern(memory, 0, FILE_SIZE));
  char *file = map_file(descriptor, READ_WRITE, MAP_SHARED, FILE_SIZE);
  EXPECT(pipe(ends) == 0);
  EXPECT(write(ends[1], file + PAGE, 100) == 100);
  EXPECT(read(ends[0], file + 2 * PAGE, 100) == 100);
  EXPECT(is_pattern(file + 2 * PAGE, PAGE, PAGE + 100));
  close(descriptor);
  descriptor = make_file(O_RDWR); // a file's bytes from its own mapping, and the other way round
  file = map_file(descriptor, READ_WRITE, MAP_SHARED, FILE_SIZE);
  EXPECT(write(descriptor, file + PAGE, PAGE) == PAGE);
  EXPECT(read(descriptor, file, 100) == 100);
  EXPECT(is_pattern(file, PAGE, PAGE + 100));
  int *status = (int *)map_memory(MAP_PRIVATE, PAGE);
  int pid = fork();
  if (pid == 0)
    exit(42);
  EXPECT(wait(status) == pid && *status == 42);
  close(descriptor);
  return true;
}

static bool wrong_arguments_are_refused(void) {
  int ends[2];
  int reading = make_file(O_RDONLY), writing = open(FILE_NAME, O_WRONLY);
  int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  EXPECT(pipe(ends) == 0);
  EXPECT(mmap(0, 0, PROT_READ, anonymous, -1, 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, (size_t)-1, PROT_READ, anonymous, -1, 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, 1UL << 39, PROT_READ, anonymous, -1, 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, PAGE, 8, anonymous, -1, 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, PAGE, PROT_READ, anonymous | MAP_SHARED, -1, 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, PAGE, PROT_READ, anonymous | 64, -1, 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 100, 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, reading, 100) == FAILED_ADDRESS);
  EXPECT(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, writing, 0) == FAILED_ADDRESS);
  EXPECT(mmap(0, PAGE, READ_WRITE, MAP_SHARED, reading, 0) == FAILED_ADDRESS);

  char *memory = map_memory(MAP_PRIVATE, 2 * PAGE);
  memory[0] = memory[PAGE] = 7;
  EXPECT(munmap(memory, 0) == -1);
  EXPECT(munmap(memory + 1, PAGE) == -1);
  EXPECT(munmap(memory, 3 * PAGE) == -1 || memory == FAILED_ADDRESS); // more than there is
  EXPECT(munmap(memory - PAGE, 2 * PAGE) == -1);
  EXPECT(munmap((void *)wrong_arguments_are_refused, PAGE) == -1);
  EXPECT(munmap((void *)0x80000000, PAGE) == -1);
  EXPECT(munmap(0, 0) == -1);
  EXPECT(memory[0] == 7 && memory[PAGE] == 7);
  return true;
}

static bool memory_runs_out(void) {
  char *memory = map_memory(MAP_PRIVATE, 60000UL * PAGE);
  EXPECT(memory != FAILED_ADDRESS);
  int status;
  if (fork() == 0) {
    for (int i = 0; i < 60000; i++)
      memory[(long)i * PAGE] = 1; // which ends when there is no frame left
    exit(0);
  }
  EXPECT(wait(&status) > 0 && status == -1);
  return true;
}

int main(void) {
  static const struct test tests[] = {
      {"mapped memory is zeroed", memory_is_zeroed},
      {"pages are made at the first touch", pages_come_by_touch},
      {"fork copies private memory", private_memory_is_copied},
      {"fork shares shared memory", shared_memory_is_shared},
      {"a private mapping of a file does not change it", private_file},
      {"a shared mapping of a file does, within its size", shared_file},
      {"a file is mapped from an offset", file_at_offset},
      {"a mapped file outlives its descriptor and its name", file_outlives_name},
      {"exit and exec write shared pages back", write_back_at_exit},
      {"memory is unmapped at the ends and in the middle", unmap_ends_and_middle},
      {"part of a file is unmapped and written back", unmap_part_of_file},
      {"neighbours are unmapped together", neighbours_unmap_together},
      {"protection holds", protection_holds},
      {"code runs where it may", code_can_be_mapped},
      {"an address that is asked for is taken if it is free", hints_are_taken},
      {"system calls reach pages not touched yet", calls_reach_untouched_pages},
      {"wrong arguments are refused and change nothing", wrong_arguments_are_refused},
      {"a process that takes all memory is ended", memory_runs_out},
  };
  int status = run_tests("mmaptest", TESTS(tests));
  unlink(FILE_NAME);
  return status;
}
