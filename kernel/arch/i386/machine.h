/* machine.h -- i386 with two-level paging and hardware task switches: what arch.h needs inline or at compile time.
 * References: Intel's Software Developer's Manual, volume 3A: 3.4 (descriptors), 4.3 (32-bit paging), 7 (task management). */
#ifndef I386_MACHINE_H
#define I386_MACHINE_H

#include "offsets.h"

/* ---- The user's address space (docs/memory-maps.md). The kernel owns [0, 128 MiB) of every directory. */
#define KERNEL_LIMIT    0x08000000ul
#define USER_BASE       0x08000000ul            /* program image, then the heap */
#define USER_IMAGE_END  0x10000000ul            /* where tamalloc areas begin */
#define TASK_SIZE       0x80000000ul            /* the most that tamalloc may be asked for */
#define USER_STACK_TOP  0x80000000ul
#define USER_LIMIT      0x80000000ul            /* one past the highest user address, but for REGION */
#define REGION_BASE     0xA10C0000ul            /* malloco: 4 MiB */
#define REGION_END      0xA14C0000ul
#define MEMORY_LIMIT    0x07000000ul            /* the kernel uses no RAM above: it is mapped 1:1 below USER_BASE */
#define KERNEL_POOL_END 0x00400000ul            /* frames below are for the kernel's objects only */
#define ELF_MACHINE     3                       /* EM_386 */
#define ELF_CLASS       1                       /* ELFCLASS32 */
struct elf_program {                            /* System V ABI, chapter 5: 32-bit; type 1: load */
    uint32_t type, offset, va, pa, file_bytes, memory_bytes, flags, align;
};
#define MACHINE_NAME    "i386"
#define HARDWARE_SWEEPER 1                      /* gdt[20] */
#define TASKS_MAX       (GDT_COUNT - GDT_TSS_START - 1)         /* each has a descriptor; one is the sweeper's */

/* ---- Registers. Field order is known to the processor and to assembly: offsets.h, checked in arch.c. */
struct tss {                                    /* 7.2.1: the processor saves and loads it at a task switch */
    uint32_t previous;
    uint32_t esp0, ss0, esp1, ss1, esp2, ss2;   /* level 0: the stack of a trap from user mode */
    uint32_t cr3, eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t debug_trap, io_map;
};

struct context {                                /* a task that is not running */
    struct tss tss;
    uintptr_t  frame;                           /* its struct trap_frame: where a trap from user mode saves */
    uintptr_t  stack;                           /* lowest address of its kernel stack */
    uint32_t   irq_depth;                       /* irq_push() not yet popped; 0 only where interrupts are on */
    uint16_t   selector;                        /* of the descriptor of `tss` in the GDT */
};

struct trap_frame {
    uint32_t es, ds;
    uint32_t edi, esi, ebp, unused, ebx, edx, ecx, eax;         /* as pushal stores them */
    uint32_t vector, error;
    uint32_t eip, cs, eflags;                                   /* from here on by the processor; 6.12.1 */
    uint32_t esp, ss;                                           /* only from user mode */
};

struct fp_state { uint32_t words[27]; };        /* as fnsave stores it */

extern struct task *current_task;
static inline struct task *current(void) { return current_task; }

/* ---- Interrupts: EFLAGS.IF */
#define EFLAGS_RESERVED 0x2u
#define EFLAGS_IF       0x200u

static inline void irq_off(void) { __asm__ volatile("cli" ::: "memory"); }
static inline void irq_on(void)  { __asm__ volatile("sti; nop" ::: "memory"); }        /* sti takes effect after the next one */
static inline bool irq_enabled(void)
{
    uintptr_t flags;
    __asm__ volatile("pushfl; popl %0" : "=r"(flags));
    return (flags & EFLAGS_IF) != 0;
}

static inline uint8_t io_read8(uintptr_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"((uint16_t)port) : "memory");
    return value;
}
static inline void io_write8(uintptr_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" :: "a"(value), "Nd"((uint16_t)port) : "memory");
}
static inline uint32_t io_read32(uintptr_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)port) : "memory");
    return value;
}
static inline void io_write32(uintptr_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" :: "a"(value), "Nd"((uint16_t)port) : "memory");
}
static inline uint16_t io_read16(uintptr_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"((uint16_t)port) : "memory");
    return value;
}
static inline void io_write16(uintptr_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" :: "a"(value), "Nd"((uint16_t)port) : "memory");
}
static inline void io_fence(void) { __asm__ volatile("" ::: "memory"); }        /* stores are not reordered here */

extern bool cpus_take_turns;                    /* deterministic mode; there is only one CPU here */
static inline void cpu_relax(void) { __asm__ volatile("pause" ::: "memory"); }

static inline uint64_t clock_now(void)
{
    uint64_t now;
    __asm__ volatile("rdtsc" : "=A"(now));
    return now;
}

/* ---- User registers, at the top of a task's kernel stack; user memory is reachable at any time (CR0.WP is on). */
static inline struct trap_frame *task_frame(const struct task *t)
{
    return (struct trap_frame *)((const struct context *)t)->frame;
}
static inline void frame_set_result(struct trap_frame *tf, long result) { tf->eax = (uint32_t)result; }
static inline void user_access_begin(void) { }
static inline void user_access_end(void)   { }

/* ---- Page tables. A one-member struct, so that an entry is never mistaken for an address. */
typedef struct { uint32_t bits; } pte_t;

#define PT_LEVELS  2
#define PT_ENTRIES 1024

#define PTE_P     0x001u                        /* present */
#define PTE_W     0x002u
#define PTE_U     0x004u                        /* reachable from user mode */
#define PTE_A     0x020u                        /* accessed, dirty: preset */
#define PTE_D     0x040u
#define PTE_LARGE 0x080u                        /* directory: maps 4 MiB itself */
#define PTE_G     0x100u                        /* global: stays when CR3 is loaded */
#define PTE_AVL_COW 0x200u                      /* software: copy on write */

static inline unsigned pt_index(uintptr_t va, unsigned level) { return (va >> (12 + 10 * level)) & 1023; }
static inline uintptr_t pt_span(unsigned level) { return (uintptr_t)1 << (12 + 10 * level); }
static inline bool pte_valid(pte_t e) { return (e.bits & PTE_P) != 0; }
static inline bool pte_none(pte_t e) { return e.bits == 0; }
static inline void *pte_frame(pte_t e) { return (void *)(e.bits & ~0xfffu); }
static inline pte_t *pte_table(pte_t e) { return pte_frame(e); }

/* Here a page that is present can be read and executed; only writing and the user's access are optional. */
static inline pte_t pte_make(void *frame, unsigned flags)
{
    return (pte_t){ (uint32_t)frame | PTE_P | PTE_A | PTE_D | ((flags & 2) ? PTE_W : 0) | ((flags & 8) ? PTE_U : 0)
                    | ((flags & 16) ? PTE_AVL_COW : 0) };
}
static inline unsigned pte_flags(pte_t e)
{
    return 1u | 4u | ((e.bits & PTE_W) ? 2 : 0) | ((e.bits & PTE_U) ? 8 : 0) | ((e.bits & PTE_AVL_COW) ? 16 : 0);
}

/* pte_to_cow -- a writable entry becomes read-only and marked; fork does this for every private page. */
static inline bool pte_writable(pte_t e) { return (e.bits & PTE_W) != 0; }
static inline pte_t pte_to_cow(pte_t e) { return (pte_t){ (e.bits & ~PTE_W) | PTE_AVL_COW }; }

/* pte_invalidate -- not valid any more, but pte_frame() still tells which frame to drop after the fence (M1). */
static inline pte_t pte_invalidate(pte_t e) { return (pte_t){ e.bits & ~PTE_P }; }

#endif
