// The parts of the RISC-V privileged architecture (20240411) that the kernel uses.
#pragma once
#include <stdint.h>

#define read_csr(name)                                                                                              \
  ({                                                                                                                 \
    uint64_t value;                                                                                                  \
    asm volatile("csrr %0, " #name : "=r"(value));                                                                   \
    value;                                                                                                           \
  })
#define write_csr(name, value) asm volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define set_csr(name, bits) asm volatile("csrs " #name ", %0" ::"r"((uint64_t)(bits)) : "memory")
#define clear_csr(name, bits) asm volatile("csrc " #name ", %0" ::"r"((uint64_t)(bits)) : "memory")

// mstatus and sstatus
#define MSTATUS_MPP (3L << 11)
#define MSTATUS_MPP_SUPERVISOR (1L << 11)
#define SSTATUS_SIE (1L << 1)  // interrupts on
#define SSTATUS_SPIE (1L << 5) // ... after sret
#define SSTATUS_SPP (1L << 8)  // sret returns to supervisor mode

// sie
#define SIE_STIE (1L << 5) // timer
#define SIE_SEIE (1L << 9) // external

#define MENVCFG_STCE (1L << 63) // stimecmp exists for supervisor mode
#define MCOUNTEREN_TM (1L << 1) // time may be read below machine mode

// scause
#define CAUSE_INTERRUPT (1UL << 63)
#define CAUSE_TIMER (CAUSE_INTERRUPT | 5)
#define CAUSE_EXTERNAL (CAUSE_INTERRUPT | 9)
#define CAUSE_USER_CALL 8
#define CAUSE_FETCH_PAGE_FAULT 12
#define CAUSE_LOAD_PAGE_FAULT 13
#define CAUSE_STORE_PAGE_FAULT 15

// Sv39 page-table entries: flags in bits 0 to 9, frame number in bits 10 to 53
#define PTE_V (1L << 0)
#define PTE_R (1L << 1)
#define PTE_W (1L << 2)
#define PTE_X (1L << 3)
#define PTE_U (1L << 4)
#define PTE_A (1L << 6)
#define PTE_D (1L << 7)
#define PTE_FLAGS(pte) ((pte) & 0x3ff)
#define PTE_IS_LEAF(pte) ((pte) & (PTE_R | PTE_W | PTE_X))
#define PA_TO_PTE(pa) ((((uint64_t)(pa)) >> 12) << 10)
#define PTE_TO_PA(pte) ((((uint64_t)(pte)) >> 10) << 12)
#define VPN(va, level) ((((uint64_t)(va)) >> (12 + 9 * (level))) & 0x1ff)

// satp: mode, address space identifier, frame of the root table. TLB entries carry the identifier they were made
// under. 0 is the kernel's; the process in slot i has i + 1.
#define SATP_SV39 (8L << 60)
#define SATP_ASID_SHIFT 44
#define MAKE_SATP(asid, page_table) (SATP_SV39 | (uint64_t)(asid) << SATP_ASID_SHIFT | (uint64_t)(page_table) >> 12)

static inline void interrupts_on(void) { set_csr(sstatus, SSTATUS_SIE); }
static inline void interrupts_off(void) { clear_csr(sstatus, SSTATUS_SIE); }
static inline int interrupts_are_on(void) { return (read_csr(sstatus) & SSTATUS_SIE) != 0; }

// Orders earlier stores to page tables before later translations on this hart, for every address.
static inline void flush_tlb(void) { asm volatile("sfence.vma zero, zero" ::: "memory"); }

// The same for one page, of any address space.
static inline void flush_page(uint64_t va) { asm volatile("sfence.vma %0, zero" ::"r"(va) : "memory"); }

// The same for all pages of one address space.
static inline void flush_asid(uint64_t asid) { asm volatile("sfence.vma zero, %0" ::"r"(asid) : "memory"); }
