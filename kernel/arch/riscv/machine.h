/* machine.h -- RISC-V 64 with Sv39: what arch.h needs inline or at compile time.
 * References: the RISC-V privileged architecture 1.12, chapters 4.1 (CSRs) and 4.4 (Sv39). */
#ifndef RISCV_MACHINE_H
#define RISCV_MACHINE_H

#include "offsets.h"

/* ---- The user's address space (docs/memory-maps.md). The kernel owns [0, 4 GiB) of every table, but for REGION. */
#define KERNEL_LIMIT    0x100000000ul
#define USER_BASE       0x100000000ul           /* program image, then the heap */
#define USER_IMAGE_END  0x1000000000ul          /* where tamalloc areas begin */
#define TASK_SIZE       0x4000000000ul          /* the most that tamalloc may be asked for: 2^38 */
#define USER_STACK_TOP  0x3FC0000000ul
#define USER_LIMIT      0x4000000000ul          /* one past the highest user address: 2^38 */
#define REGION_BASE     0xA10C0000ul            /* malloco: 4 MiB */
#define REGION_END      0xA14C0000ul
#define MEMORY_LIMIT    0xA0000000ul            /* the kernel uses no RAM above: REGION shares its gigabyte */
#define ELF_MACHINE     243                     /* EM_RISCV */
#define ELF_CLASS       2                       /* ELFCLASS64 */
struct elf_program {                            /* System V ABI, chapter 5: 64-bit; type 1: load */
    uint32_t type, flags;
    uint64_t offset, va, pa, file_bytes, memory_bytes, align;
};
#define HARDWARE_SWEEPER 0
#define MACHINE_NAME    "RISC-V"
#define TASKS_MAX       INT32_MAX               /* no table of the machine has an entry for each */
#define KERNEL_POOL_END 0                       /* one pool of frames */

/* ---- Registers. Field order is known to assembly: offsets.h, checked in arch.c. */
struct context {                                /* callee-saved registers of a task that is not running */
    uintptr_t ra, sp, s[12];
    uintptr_t tp;                               /* the task itself */
    uintptr_t frame;                            /* its struct trap_frame: where a trap from user mode saves */
    uintptr_t stack;                            /* lowest address of its kernel stack */
    uintptr_t scratch;                          /* trap entry parks a register here */
    uint32_t  irq_depth;                        /* irq_push() not yet popped; 0 only where interrupts are on */
};

struct trap_frame {
    uintptr_t pc, ra, sp, gp, tp, t0, t1, t2, s0, s1;
    uintptr_t a[8], s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6;
    uintptr_t status;                           /* sstatus: saved and used only by traps from the kernel */
    uintptr_t unused;                           /* keeps sp 16-byte aligned */
};

struct fp_state { uint64_t f[32]; uint64_t fcsr; };

static inline struct task *current(void)
{
    struct task *self;
    __asm__("mv %0, tp" : "=r"(self));          /* not volatile: within one task it is constant */
    return self;
}

/* ---- Interrupts of this hart: sstatus.SIE */
#define SSTATUS_SIE  0x2ul
#define SSTATUS_SPIE 0x20ul
#define SSTATUS_SPP  0x100ul
#define SSTATUS_FS   0x6000ul
#define SSTATUS_SUM  0x40000ul

static inline void irq_off(void) { __asm__ volatile("csrci sstatus, 2" ::: "memory"); }
static inline void irq_on(void)  { __asm__ volatile("csrsi sstatus, 2" ::: "memory"); }
static inline bool irq_enabled(void)
{
    uintptr_t status;
    __asm__ volatile("csrr %0, sstatus" : "=r"(status));
    return (status & SSTATUS_SIE) != 0;
}
static inline uint8_t io_read8(uintptr_t address) { return *(volatile uint8_t *)address; }
static inline void io_write8(uintptr_t address, uint8_t value) { *(volatile uint8_t *)address = value; }
static inline void io_fence(void) { __asm__ volatile("fence iorw, iorw" ::: "memory"); }
/* cpu_relax -- in a loop that waits for another hart. In deterministic mode the emulator runs one hart at a time and goes
 * to the next only when this one waits: there it must sleep (its timer interrupts soon). */
extern bool cpus_take_turns;
void cpu_wait(void);
static inline void cpu_relax(void)
{
    __asm__ volatile("" ::: "memory");
    if (cpus_take_turns)
        cpu_wait();
}

static inline uint64_t clock_now(void)
{
    uint64_t now;
    __asm__ volatile("csrr %0, time" : "=r"(now));
    return now;
}

/* ---- User registers, at the top of a task's kernel stack; and user memory: sstatus.SUM lets the kernel reach it.
 * Each change of SUM flushes the emulator's TLB, so only debug builds take it away between user copies. */
static inline struct trap_frame *task_frame(const struct task *t)
{
    return (struct trap_frame *)((const struct context *)t)->frame;
}
static inline void frame_set_result(struct trap_frame *tf, long result) { tf->a[0] = (uintptr_t)result; }

#ifdef DEBUG
static inline void user_access_begin(void) { __asm__ volatile("csrs sstatus, %0" :: "r"(SSTATUS_SUM) : "memory"); }
static inline void user_access_end(void)   { __asm__ volatile("csrc sstatus, %0" :: "r"(SSTATUS_SUM) : "memory"); }
#else
static inline void user_access_begin(void) { }
static inline void user_access_end(void)   { }
#endif

/* ---- Page tables. A one-member struct, so that an entry is never mistaken for an address. */
typedef struct { uint64_t bits; } pte_t;

#define PT_LEVELS  3
#define PT_ENTRIES 512

#define PTE_V 0x001ul                           /* valid */
#define PTE_R 0x002ul
#define PTE_W 0x004ul
#define PTE_X 0x008ul
#define PTE_U 0x010ul                           /* reachable from user mode */
#define PTE_G 0x020ul                           /* global: in every address space */
#define PTE_A 0x040ul                           /* accessed, dirty: preset, so the hart never needs to set them */
#define PTE_D 0x080ul
#define PTE_RSW_COW 0x100ul                     /* software: copy on write */

static inline unsigned pt_index(uintptr_t va, unsigned level) { return (va >> (12 + 9 * level)) & 511; }
static inline uintptr_t pt_span(unsigned level) { return (uintptr_t)1 << (12 + 9 * level); }
static inline bool pte_valid(pte_t e) { return (e.bits & PTE_V) != 0; }
static inline bool pte_none(pte_t e) { return e.bits == 0; }
static inline bool pte_leaf(pte_t e) { return (e.bits & (PTE_R | PTE_W | PTE_X)) != 0; }
static inline void *pte_frame(pte_t e) { return (void *)((e.bits >> 10) << PAGE_SHIFT); }
static inline pte_t *pte_table(pte_t e) { return pte_frame(e); }

/* The portable PTE_READ.. flags are R, W, X, U shifted down by one, PTE_COW is bit 4 for bit 8. */
static inline pte_t pte_make(void *frame, unsigned flags)
{
    uint64_t bits = ((uint64_t)(flags & 15) << 1) | PTE_V | PTE_A | PTE_D | ((flags & 16) ? PTE_RSW_COW : 0);
    return (pte_t){ ((uint64_t)frame >> PAGE_SHIFT << 10) | bits };
}
static inline unsigned pte_flags(pte_t e) { return ((e.bits >> 1) & 15) | ((e.bits & PTE_RSW_COW) ? 16 : 0); }

/* pte_to_cow -- a writable entry becomes read-only and marked; fork does this for every private page. */
static inline bool pte_writable(pte_t e) { return (e.bits & PTE_W) != 0; }
static inline pte_t pte_to_cow(pte_t e) { return (pte_t){ (e.bits & ~PTE_W) | PTE_RSW_COW }; }

/* pte_invalidate -- not valid any more, but pte_frame() still tells which frame to drop after the fence (M1). */
static inline pte_t pte_invalidate(pte_t e) { return (pte_t){ e.bits & ~PTE_V }; }

#endif
