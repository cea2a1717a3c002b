// System calls about memory: mmap, and those by which tests exercise the kernel's allocators.
#include "fault.h"
#include "file.h"
#include "memory.h"
#include "print.h"
#include "proc.h"
#include "syscall.h"

uint64_t sys_mmap(void) {
  uint64_t fd = argument_int(4);
  struct file *file = fd < NOFILE ? current_process()->files[fd] : 0;
  return mmap(argument(0), argument(1), argument_int(2), argument_int(3), file, argument(5));
}

uint64_t sys_munmap(void) { return munmap(argument(0), argument(1)); }

// The blocks that users hold by the kmalloc call. They outlive the process that asked, so any process may use or
// free them.
#define USER_BLOCKS 256
static struct {
  void *address;
  uint64_t size;
} blocks[USER_BLOCKS];
static struct spinlock blocks_lock;

void sysmem_init(void) { spinlock_init(&blocks_lock, "user blocks"); }

// The slot of a block, or (for address 0) a free slot; -1 if there is none. Called with blocks_lock held.
static int find_block(uint64_t address) {
  for (int i = 0; i < USER_BLOCKS; i++)
    if ((uint64_t)blocks[i].address == address)
      return i;
  return -1;
}

uint64_t sys_kmalloc(void) {
  uint64_t size = argument(0);
  if (size > PAGE_SIZE && !FAULT(KMALLOC_UNCHECKED))
    return -1;
  acquire(&blocks_lock);
  int slot = find_block(0);
  void *block = slot < 0 ? 0 : kmalloc(size);
  if (block) {
    blocks[slot].address = block;
    blocks[slot].size = size;
  }
  release(&blocks_lock);
  return block ? (uint64_t)block : (uint64_t)-1;
}

uint64_t sys_kmfree(void) {
  uint64_t address = argument(0);
  acquire(&blocks_lock);
  int slot = address ? find_block(address) : -1;
  if (slot >= 0)
    blocks[slot].address = 0;
  if (slot >= 0 || FAULT(KMFREE_STRANGER))
    kmfree((void *)address);
  release(&blocks_lock);
  return slot < 0 ? -1 : 0;
}

// Copies between the start of a block and user memory.
static int copy_block(bool to_user) {
  uint64_t block = argument(0), user = argument(1), length = argument(2);
  user_prefault(user, length, to_user);
  pagetable_t page_table = current_process()->page_table;
  int result = -1;
  acquire(&blocks_lock);
  int slot = block ? find_block(block) : -1;
  if (slot >= 0 && length <= blocks[slot].size)
    result = to_user ? copyout(page_table, user, (void *)block, length)
                     : copyin(page_table, (void *)block, user, length);
  release(&blocks_lock);
  return result;
}

uint64_t sys_kmread(void) { return copy_block(true); }

uint64_t sys_kmwrite(void) { return copy_block(false); }

uint64_t sys_freeframes(void) { return free_frames(); }

uint64_t sys_memmap(void) {
  struct process *process = current_process();
  print_page_table(process->name, process->page_table);
  print_kernel_page_table();
  return 0;
}

uint64_t sys_checkmemory(void) {
  check_free_list();
  check_vm();
  return 0;
}
