// Where things are: in the physical address space of the board, and in the two kinds of virtual address space.
//
// Physical, and (mapped one to one) the kernel's virtual addresses:
//   0x0c00_0000  PLIC                         0x8000_0000  kernel text, data, then free frames
//   0x1000_0000  UART                         0x8040_0000  BOOT_MEMORY_END: last frame of the boot page table
//   0x1000_1000  virtio-mmio slot 0: disk     PHYSTOP      end of RAM
// High in the kernel's virtual space: kernel stacks, each below a guard page, and the trampoline.
//
// A process's virtual space:
//   0              text, data, guard page, stack, heap up to process.size
//   ...            mmap regions, placed downwards from MMAP_TOP
//   TRAPFRAME      the registers saved at a trap, for the trampoline's use
//   TRAMPOLINE     the code that enters and leaves the kernel; the same page in every address space
#pragma once

#define UART_BASE 0x10000000L
#define UART_IRQ 10

#define DISK_BASE 0x10001000L
#define DISK_IRQ 1

#define PLIC_BASE 0x0c000000L
#define PLIC_SIZE 0x600000L

#define KERNBASE 0x80000000L
#define PHYSTOP (KERNBASE + 128 * 1024 * 1024L)
#define BOOT_MEMORY_END (KERNBASE + 4 * 1024 * 1024L)

#define PAGE_SIZE 4096
#define MAXVA 0x4000000000 // one past the highest address: half of Sv39's space, so that no sign extension occurs
#define TRAMPOLINE (MAXVA - PAGE_SIZE)
#define TRAPFRAME (TRAMPOLINE - PAGE_SIZE)
#define MMAP_TOP (TRAPFRAME - PAGE_SIZE)

// The kernel stack of process slot i: one page, with an unmapped guard page beneath it.
#define KERNEL_STACK(i) (TRAMPOLINE - ((i) + 1) * 2 * PAGE_SIZE)
