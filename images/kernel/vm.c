// Page tables, and the kernel's own. Sv39: three levels of tables, each one frame of 512 entries; a virtual address
// is three 9-bit indices, from level 2 at the root to level 0, and a 12-bit offset into the page.
#include "fault.h"
#include "memory.h"
#include "param.h"
#include "print.h"
#include "riscv.h"
#include "string.h"

extern char etext[], trampoline[]; // from kernel.ld

static pagetable_t kernel_page_table;

// What the kernel's page table maps, in ascending order, but for the stacks.
static const struct kernel_region {
  const char *name;
  uint64_t start, end, pa;
  int perm;
} kernel_regions[] = {
    {"plic", PLIC_BASE, PLIC_BASE + PLIC_SIZE, PLIC_BASE, PTE_R | PTE_W},
    {"uart", UART_BASE, UART_BASE + PAGE_SIZE, UART_BASE, PTE_R | PTE_W},
    {"disk", DISK_BASE, DISK_BASE + PAGE_SIZE, DISK_BASE, PTE_R | PTE_W},
    {"text", KERNBASE, (uint64_t)etext, KERNBASE, PTE_R | PTE_X},
    {"data and frames", (uint64_t)etext, PHYSTOP, (uint64_t)etext, PTE_R | PTE_W},
    {"trampoline", TRAMPOLINE, MAXVA, (uint64_t)trampoline, PTE_R | PTE_X},
};
#define KERNEL_REGIONS (sizeof kernel_regions / sizeof kernel_regions[0])

// Finds the level-0 PTE of va, going down from the root. A table that is missing on the way is made if `allocate`.
// Returns 0 if one is missing, or memory is out. Panics if va is beyond MAXVA.
PROBE_POINT pte_t *walk(pagetable_t page_table, uint64_t va, int allocate) {
  if (va >= MAXVA)
    panic("walk: va 0x%lx is beyond Sv39", va);
  for (int level = 2; level > 0; level--) {
    pte_t *pte = &page_table[VPN(va, level)];
    if (FAULT(WALK_WRONG_LEVEL) && level == 1 && !allocate)
      return pte;
    if (*pte & PTE_V) {
      page_table = (pagetable_t)PTE_TO_PA(*pte);
      continue;
    }
    if (!allocate || (page_table = kalloc()) == 0)
      return 0;
    memset(page_table, 0, PAGE_SIZE);
    *pte = PA_TO_PTE(page_table) | PTE_V;
  }
  return &page_table[VPN(va, 0)];
}

extern pte_t *pgdir_walk(pagetable_t page_table, uint64_t va, int allocate) __attribute__((alias("walk")));

// Maps the pages that [va, va+size) touches to the frames that [pa, ...) does, with va and pa rounded down and the
// end rounded up to page boundaries. Panics at a page that is mapped already. Returns 0, or, if a table cannot be
// allocated, -1 with no page mapped.
PROBE_POINT int mappages(pagetable_t page_table, uint64_t va, uint64_t size, uint64_t pa, int perm) {
  if (size == 0)
    panic("mappages: no bytes to map at va 0x%lx", va);
  uint64_t first = PAGE_ROUND_DOWN(va);
  uint64_t last = PAGE_ROUND_DOWN(va + size - 1);
  pa = PAGE_ROUND_DOWN(pa);
  if (FAULT(MAPPAGES_OFF_BY_ONE) && first != last)
    last -= PAGE_SIZE;
  if (FAULT(USER_PAGE_WITHOUT_U) && (perm & PTE_U) && (perm & PTE_W))
    perm &= ~PTE_U;
  for (uint64_t page = first; page <= last; page += PAGE_SIZE, pa += PAGE_SIZE) {
    pte_t *pte = walk(page_table, page, 1);
    if (pte == 0) {
      while (page > first)
        *walk(page_table, page -= PAGE_SIZE, 0) = 0;
      return -1;
    }
    if ((*pte & PTE_V) && !FAULT(REMAP_ALLOWED))
      panic("mappages: remap of va 0x%lx, pte 0x%lx, to pa 0x%lx", page, *pte, pa);
    *pte = PA_TO_PTE(pa) | perm | PTE_V;
  }
  return 0;
}

extern int map_region(pagetable_t page_table, uint64_t va, uint64_t size, uint64_t pa, int perm)
    __attribute__((alias("mappages")));

// Frees the tables of a page table. Its leaves must be gone already: panics at one that is not.
PROBE_POINT void freewalk(pagetable_t page_table) {
  for (int i = 0; i < 512; i++) {
    pte_t pte = page_table[i];
    if ((pte & PTE_V) && PTE_IS_LEAF(pte))
      panic("freewalk: leaf 0x%lx left at index %d of table 0x%lx", pte, i, (uint64_t)page_table);
    page_table[i] = 0;
    if (pte & PTE_V)
      freewalk((pagetable_t)PTE_TO_PA(pte));
  }
  kfree(page_table);
  if (FAULT(TABLE_FREED_TWICE))
    kfree(page_table);
}

extern void vm_free(pagetable_t page_table) __attribute__((alias("freewalk")));

// The page table of the first moments: two 2 MiB superpages over the first 4 MiB of memory, one over the UART.
// Everything lies at its physical address, so that turning it on changes nothing.
pte_t entrypgdir[512] __attribute__((aligned(PAGE_SIZE)));
static pte_t boot_memory[512] __attribute__((aligned(PAGE_SIZE)));
static pte_t boot_devices[512] __attribute__((aligned(PAGE_SIZE)));

#define SUPERPAGE_SIZE (512L * PAGE_SIZE)

void boot_page_table_init(void) {
  for (uint64_t pa = KERNBASE; pa < BOOT_MEMORY_END; pa += SUPERPAGE_SIZE)
    boot_memory[VPN(pa, 1)] = PA_TO_PTE(pa) | PTE_R | PTE_W | PTE_X | PTE_V;
  boot_devices[VPN(UART_BASE, 1)] = PA_TO_PTE(UART_BASE) | PTE_R | PTE_W | PTE_V;
  entrypgdir[VPN(KERNBASE, 2)] = PA_TO_PTE(boot_memory) | PTE_V;
  entrypgdir[VPN(UART_BASE, 2)] = PA_TO_PTE(boot_devices) | PTE_V;
  write_csr(satp, MAKE_SATP(0, entrypgdir));
  flush_tlb();
}

static int map_kernel_stack(pagetable_t page_table, int slot) {
  void *frame = kalloc();
  if (frame == 0)
    return -1;
  int guard = FAULT(GUARD_PAGE_MAPPED) ? PAGE_SIZE : 0;
  int perm = PTE_R | PTE_W;
  if (FAULT(KERNEL_PAGE_USER) && slot == NPROC - 1)
    perm |= PTE_U;
  if (mappages(page_table, KERNEL_STACK(slot) - guard, PAGE_SIZE + guard, (uint64_t)frame, perm) == 0)
    return 0;
  kfree(frame);
  return -1;
}

static int region_perm(const struct kernel_region *region) {
  if (FAULT(TEXT_WRITABLE) && region->start == KERNBASE)
    return region->perm | PTE_W;
  if (FAULT(TRAMPOLINE_WRITABLE) && region->start == TRAMPOLINE)
    return region->perm | PTE_W;
  return region->perm;
}

// Undoes a kernel page table that could not be completed.
static void kvm_unmake(pagetable_t page_table) {
  for (int slot = 0; slot < NPROC; slot++) {
    pte_t *pte = walk(page_table, KERNEL_STACK(slot), 0);
    if (pte && (*pte & PTE_V))
      uvmunmap(page_table, KERNEL_STACK(slot), 1, 1);
  }
  for (uint64_t i = 0; i < KERNEL_REGIONS; i++)
    for (uint64_t va = kernel_regions[i].start; va < kernel_regions[i].end; va += PAGE_SIZE) {
      pte_t *pte = walk(page_table, va, 0);
      if (pte)
        *pte = 0;
    }
  freewalk(page_table);
}

// Builds the kernel's page table: the regions above and a stack for every process. Returns 0 if memory is out,
// having freed all it took.
PROBE_POINT pagetable_t kvmmake(void) {
  pagetable_t page_table = kalloc();
  if (page_table == 0)
    return 0;
  memset(page_table, 0, PAGE_SIZE);
  for (uint64_t i = 0; i < KERNEL_REGIONS; i++) {
    const struct kernel_region *region = &kernel_regions[i];
    if (mappages(page_table, region->start, region->end - region->start, region->pa, region_perm(region)) < 0) {
      kvm_unmake(page_table);
      return 0;
    }
  }
  for (int slot = 0; slot < NPROC; slot++)
    if (map_kernel_stack(page_table, slot) < 0) {
      kvm_unmake(page_table);
      return 0;
    }
  return page_table;
}

PROBE_POINT void kvm_init(void) {
  kernel_page_table = kvmmake();
  if (kernel_page_table == 0)
    panic("kvm_init: no memory for the kernel's page table");
}

// Turns this hart to the kernel's page table.
PROBE_POINT void kvminithart(void) {
  flush_tlb(); // the stores that made the table come before the walks that read it
  write_csr(satp, MAKE_SATP(0, kernel_page_table));
  flush_tlb(); // the boot page table had this identifier too
}

uint64_t kernel_satp(void) { return MAKE_SATP(0, kernel_page_table); }

void print_kernel_page_table(void) { print_page_table("kernel", kernel_page_table); }

// What the PTE of a kernel address should be, A and D aside; 0 where nothing should be mapped. A stack's frame is
// whatever kalloc gave, so that is taken from the PTE found.
static pte_t expected_pte(uint64_t va, pte_t found) {
  for (uint64_t i = 0; i < KERNEL_REGIONS; i++) {
    const struct kernel_region *region = &kernel_regions[i];
    if (va >= region->start && va < region->end)
      return PA_TO_PTE(region->pa + (va - region->start)) | region->perm | PTE_V;
  }
  if (va >= KERNEL_STACK(NPROC - 1) && va < TRAMPOLINE && (TRAMPOLINE - va) / PAGE_SIZE % 2 == 0)
    return PA_TO_PTE(PTE_TO_PA(found)) | PTE_R | PTE_W | PTE_V;
  return 0;
}

static void check_leaf(uint64_t va, pte_t found) {
  pte_t expected = expected_pte(va, found);
  if ((found & ~(PTE_A | PTE_D)) != expected)
    panic("check_vm: va 0x%lx has pte 0x%lx, should be 0x%lx", va, found, expected);
}

// Panics unless the PTEs of a kernel table are as the regions say: all those that should be there, with the right
// frames and permissions, and no others.
static void check_table(pagetable_t table, int level, uint64_t va) {
  uint64_t span = 1L << (12 + 9 * level);
  for (int i = 0; i < 512 && va < MAXVA; i++, va += span) {
    pte_t pte = table[i];
    if (level == 0)
      check_leaf(va, pte);
    else if ((pte & PTE_V) && !PTE_IS_LEAF(pte))
      check_table((pagetable_t)PTE_TO_PA(pte), level - 1, va);
    else if (pte != 0)
      panic("check_vm: va 0x%lx has pte 0x%lx at level %d, should be a table", va, pte, level);
  }
}

PROBE_POINT void check_vm(void) {
  check_table(kernel_page_table, 2, 0);
  for (uint64_t i = 0; i < KERNEL_REGIONS; i++) // what no table covers
    for (uint64_t va = kernel_regions[i].start; va < kernel_regions[i].end; va += SUPERPAGE_SIZE)
      if (walk(kernel_page_table, va, 0) == 0)
        panic("check_vm: va 0x%lx is not mapped", va);
  for (int slot = 0; slot < NPROC; slot++)
    if (walk(kernel_page_table, KERNEL_STACK(slot), 0) == 0)
      panic("check_vm: stack %d at va 0x%lx is not mapped", slot, KERNEL_STACK(slot));
}
