// exec: replaces a process's memory by a program from the disk, a static 64-bit ELF file.
#include "fault.h"
#include "fs.h"
#include "memory.h"
#include "print.h"
#include "proc.h"
#include "riscv.h"
#include "string.h"

#define ELF_MAGIC 0x464c457fU // "\x7fELF"
#define MACHINE_RISCV 243
#define SEGMENT_LOAD 1
#define SEGMENT_EXECUTE 1
#define SEGMENT_WRITE 2

struct elf_header {
  uint32_t magic;
  uint8_t class_and_padding[12];
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, segments_offset, sections_offset;
  uint32_t flags;
  uint16_t header_size, segment_size, segment_count, section_size, section_count, section_names;
};

struct elf_segment {
  uint32_t type, flags;
  uint64_t offset, va, pa, file_size, memory_size, alignment;
};

// A program while it is being loaded.
struct image {
  pagetable_t page_table;
  uint64_t size; // bytes from 0 on that are mapped
  uint64_t sp;
  uint64_t entry;
};

static bool read_exactly(struct inode *inode, void *to, uint64_t offset, uint64_t length) {
  return inode_read(inode, false, (uint64_t)to, offset, length) == (int)length;
}

// Grows the image to hold a segment, and reads it in.
static int load_segment(struct image *image, struct inode *inode, const struct elf_segment *segment) {
  uint64_t end = segment->va + segment->memory_size;
  if (segment->memory_size < segment->file_size || end < segment->va || end > MMAP_TOP ||
      segment->va % PAGE_SIZE != 0 || segment->va < image->size)
    return -1;
  int perm = (segment->flags & SEGMENT_EXECUTE ? PTE_X : 0) | (segment->flags & SEGMENT_WRITE ? PTE_W : 0);
  // A gap between segments is mapped too: memory from 0 to size has no holes.
  uint64_t size = uvmalloc(image->page_table, image->size, end, perm);
  if (size == 0 && end != 0)
    return -1;
  image->size = size;
  for (uint64_t done = 0; done < segment->file_size; done += PAGE_SIZE) {
    uint64_t rest = segment->file_size - done;
    uint64_t frame = walkaddr(image->page_table, segment->va + done);
    if (!read_exactly(inode, (void *)frame, segment->offset + done, rest < PAGE_SIZE ? rest : PAGE_SIZE))
      return -1;
  }
  return 0;
}

static int load_program(struct image *image, struct inode *inode) {
  struct elf_header elf;
  if (!read_exactly(inode, &elf, 0, sizeof elf) || elf.magic != ELF_MAGIC || elf.machine != MACHINE_RISCV)
    return -1;
  image->entry = elf.entry;
  for (int i = 0; i < elf.segment_count; i++) {
    struct elf_segment segment;
    if (!read_exactly(inode, &segment, elf.segments_offset + i * sizeof segment, sizeof segment))
      return -1;
    bool is_loaded = segment.type == SEGMENT_LOAD && segment.memory_size > 0;
    if (is_loaded && load_segment(image, inode, &segment) < 0)
      return -1;
  }
  return 0;
}

// Adds a guard page and the stack, with the arguments: their bytes, then the vector of pointers to them.
static int make_stack(struct image *image, char **arguments, int *count) {
  uint64_t guard = PAGE_ROUND_UP(image->size);
  image->size = guard;
  uint64_t top = uvmalloc(image->page_table, guard, guard + (1 + USER_STACK_PAGES) * PAGE_SIZE, PTE_W);
  if (top == 0)
    return -1;
  image->size = top;
  uvmclear(image->page_table, guard);

  uint64_t vector[MAXARG + 1];
  uint64_t bottom = guard + PAGE_SIZE;
  uint64_t sp = top;
  int argc = 0;
  for (; arguments[argc]; argc++) {
    uint64_t length = strlen(arguments[argc]) + 1;
    if (argc == MAXARG || length > sp - bottom)
      return -1;
    sp -= length;
    if (copyout(image->page_table, sp, arguments[argc], length) < 0)
      return -1;
    vector[argc] = sp;
  }
  vector[argc] = 0;
  uint64_t bytes = (argc + 1) * sizeof vector[0];
  sp &= ~15UL;
  if (PAGE_ROUND_UP(bytes) > PAGE_SIZE || sp < bottom + bytes + 15)
    return -1;
  sp = (sp - bytes) & ~15UL; // the calling convention wants it 16-byte aligned
  if (copyout(image->page_table, sp, vector, bytes) < 0)
    return -1;
  image->sp = sp;
  *count = argc;
  return 0;
}

// Reads the program at path into a new page table. On failure returns -1, and the caller frees the image.
static int load(struct image *image, const char *path) {
  log_begin(); // for inode_put
  struct inode *inode = path_lookup(path);
  int result = -1;
  if (inode) {
    inode_lock(inode);
    result = load_program(image, inode);
    inode_unlock_put(inode);
  }
  log_end();
  return result;
}

static const char *last_name(const char *path) {
  const char *name = path;
  for (; *path; path++)
    if (*path == '/')
      name = path + 1;
  return name;
}

int exec(const char *path, char **arguments) {
  struct process *process = current_process();
  struct image image = {.page_table = proc_pagetable(process)};
  int argc;
  if (image.page_table == 0)
    return -1;
  if (load(&image, path) < 0 || make_stack(&image, arguments, &argc) < 0) {
    if (!FAULT(LEAK_IN_EXEC))
      proc_freepagetable(image.page_table, image.size);
    return -1;
  }

  // From here on nothing fails: the old program goes.
  mmap_release(process);
  pagetable_t old_page_table = process->page_table;
  uint64_t old_size = process->size;
  process->page_table = image.page_table;
  process->size = image.size;
  process->last_hart = -1; // no hart knows this page table yet
  process->trapframe->epc = image.entry;
  process->trapframe->sp = image.sp;
  process->trapframe->a1 = image.sp;
  copy_name(process->name, last_name(path), PROCESS_NAME);
  if (!FAULT(EXEC_KEEPS_OLD))
    proc_freepagetable(old_page_table, old_size);
  return argc; // which becomes a0
}
