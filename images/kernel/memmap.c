// Page tables as people read them: for the memmap call.
#include "memory.h"
#include "print.h"
#include "riscv.h"

// Pages with the same permissions at equal distances, which are printed as one line: neighbours, or the kernel's
// stacks with a guard page before each.
struct run {
  uint64_t first, last; // pages
  uint64_t count, stride;
  uint64_t first_pa, last_pa;
  int perm;
  bool in_order; // whether the frames follow one another
};

static void print_run(const struct run *run) {
  if (run->count == 0)
    return;
  char flags[] = "----";
  for (int i = 0; i < 4; i++)
    if (run->perm & (PTE_R << i))
      flags[i] = "rwxu"[i];
  printf("    0x%lx-0x%lx %s %ld page%s", run->first, run->last + PAGE_SIZE - 1, flags, run->count,
         run->count == 1 ? "" : "s");
  if (run->stride > PAGE_SIZE)
    printf(", %ld apart", run->stride);
  if (run->in_order)
    printf(" -> 0x%lx\n", run->first_pa);
  else
    printf(" -> frames in no order\n");
}

static bool belongs_to(const struct run *run, uint64_t va, int perm) {
  if (run->count == 0 || perm != run->perm)
    return false;
  uint64_t stride = va - run->last;
  return run->count == 1 ? stride <= 2 * PAGE_SIZE : stride == run->stride;
}

static void add_page(struct run *run, uint64_t va, pte_t pte) {
  uint64_t pa = PTE_TO_PA(pte);
  int perm = pte & (PTE_R | PTE_W | PTE_X | PTE_U);
  if (belongs_to(run, va, perm)) {
    run->stride = va - run->last;
    run->in_order &= pa == run->last_pa + PAGE_SIZE;
  } else {
    print_run(run);
    *run = (struct run){.first = va, .first_pa = pa, .perm = perm, .in_order = true};
  }
  run->count++;
  run->last = va;
  run->last_pa = pa;
}

static void print_level_1(pagetable_t middle, uint64_t base) {
  struct run run = {0};
  for (int i = 0; i < 512; i++) {
    if (!(middle[i] & PTE_V))
      continue;
    pagetable_t lowest = (pagetable_t)PTE_TO_PA(middle[i]);
    for (int j = 0; j < 512; j++)
      if (lowest[j] & PTE_V)
        add_page(&run, base + ((uint64_t)i << 21 | (uint64_t)j << 12), lowest[j]);
  }
  print_run(&run);
}

static int count_valid(pagetable_t table) {
  int count = 0;
  for (int i = 0; i < 512; i++)
    count += table[i] & PTE_V;
  return count;
}

void print_page_table(const char *title, pagetable_t root) {
  printf("page table of %s, root at 0x%lx\n", title, (uint64_t)root);
  for (int i = 0; i < 512; i++) {
    if (!(root[i] & PTE_V))
      continue;
    pagetable_t middle = (pagetable_t)PTE_TO_PA(root[i]);
    int tables = count_valid(middle);
    printf("  [%d] level 1 at 0x%lx, %d table%s of level 0\n", i, (uint64_t)middle, tables, tables == 1 ? "" : "s");
    print_level_1(middle, (uint64_t)i << 30);
  }
}
