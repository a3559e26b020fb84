/* arch.h -- all that a machine must provide, and all that it may call back. A port is done when this list links.
 * Portable code includes this header and nothing else from arch/: a CSR or a GDT selector outside arch/ is a bug.
 *
 * "machine.h" (found in arch/$(ARCH)/) holds what must be inline or sized at compile time:
 *   struct context           registers a switch keeps
 *   struct trap_frame        registers a trap saves, at the top of the kernel stack
 *   struct fp_state          floating-point registers of a user task
 *   pte_t and PT_*           shape of a page table, see "Page tables" below
 *   USER_BASE USER_IMAGE_END USER_STACK_TOP USER_LIMIT REGION_BASE    the user's address space
 *   current()                the running task; never changes within one task's code
 *   irq_off() irq_on() irq_enabled()
 *   cpu_relax()              in a loop that waits for another CPU; cpus_take_turns: deterministic mode (clock.c sets it)
 *   io_fence()               memory written before it is seen by a device that is told after it
 *   task_frame(t) frame_set_result(tf, result)      the registers of a task's user mode, and a system call's result in them
 *   io_read8() io_write8()   a device register of 8 bits, where the machine says the device is: memory or a port
 *   MACHINE_NAME TASKS_MAX   what it is called; how many tasks its tables can hold
 *   HARDWARE_SWEEPER         see below
 *   KERNEL_POOL_END          frames below are for the kernel's own objects, the others for anybody; 0: no such border
 *   clock_now()              monotonic, the same on all CPUs, machine.clock_hz a second
 *   user_access_begin() user_access_end()      debug builds: user memory is reachable only in between
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include "lib/types.h"

struct task;
struct cpu;
struct vm;

#include "machine.h"

/* ---- What the boot loader and the device tree told. Filled by arch_init(), constant afterwards. */
#define MACHINE_SLOTS_MAX 32            /* virtio-mmio transports the machine may list */
#define COMMAND_LINE_MAX  1024

struct machine {
    uintptr_t memory_start, memory_end;             /* RAM the kernel may use; frames begin at kernel_end */
    uintptr_t kernel_end;                           /* first frame after the kernel image */
    uintptr_t initrd_start, initrd_end;             /* 0, 0: none */
    uint64_t  clock_hz;                             /* clock_now() counts this often a second */
    unsigned  boot_hart;
    unsigned  harts, hart_ids[64];                  /* all that the machine lists, boot hart included */
    struct { uintptr_t base; unsigned irq, shift; } uart;               /* ns16550; shift: log2 of register spacing */
    struct { uintptr_t base; unsigned irq; } slot[MACHINE_SLOTS_MAX];   /* virtio-mmio, lowest address first */
    unsigned  slots;
    uintptr_t rtc, test_device;                     /* 0: none */
    struct { uintptr_t base, nbytes; } device[MACHINE_SLOTS_MAX + 8];       /* register ranges the kernel maps */
    unsigned  devices;
    char      command_line[COMMAND_LINE_MAX];
};
extern struct machine machine;

/* arch_init -- first thing in kmain(), on the boot CPU: traps have somewhere to go, `machine` is filled.
 * arch_init_cpu -- each CPU, after paging is on: traps, interrupts of its own. Interrupts stay off. */
void arch_init(void);
void arch_init_cpu(void);

/* arch_start_cpu -- start a stopped CPU; it enters cpu_main() (callback) with interrupts off on the idle stack of
 * `cpu`. 0 or -EIO. */
MUST_CHECK int arch_start_cpu(struct cpu *cpu);

/* ---- Time and CPUs */
int64_t  rtc_seconds(void);                         /* seconds since 1970, 0: no clock */
void     timer_set(uint64_t when);                  /* one interrupt on this CPU, not much before clock_now() >= when */
#define  TIMER_NEVER UINT64_MAX
void     cpu_kick(struct cpu *cpu);                 /* interrupt another CPU, so that it leaves cpu_wait() */
void     cpu_wait(void);                            /* sleep until an interrupt is pending; interrupts stay off */
void     cpus_stop_others(void);                    /* panic: every other CPU stops for good */
NORETURN void machine_off(int status);              /* ends the emulator with this exit status */
NORETURN void machine_reboot(void);

/* ---- Device interrupts. Handlers run on any CPU, interrupts off. */
void irq_register(unsigned irq, void (*handler)(void *arg), void *arg);

/* ---- Switching */
/* context_switch -- go on where `load` was saved; its task becomes current(). root: the page table it wants; NULL: the loaded one.
 * context_init -- the first switch to t calls first() on its stack. false: the machine's tables have no room for one more task.
 * context_release -- t never runs again. */
void context_switch(struct context *save, struct context *load, pte_t *root);
MUST_CHECK bool context_init(struct task *t, void (*first)(void));
void context_release(struct task *t);

/* context_enter_user -- t, not yet started, shall begin in user mode with its trap frame. On a machine whose switch can go there
 * directly it does, and finish_switch() is left to t's first trap; else its first() does all that. */
void context_enter_user(struct task *t);

/* ---- The sweeper as a task of the hardware. HARDWARE_SWEEPER: there is one. init: it will run body(), which never returns.
 * enter: the tick switches to it, and comes back when it calls leave. body() runs with interrupts off. */
void hardware_sweeper_init(void (*body)(void));
void hardware_sweeper_enter(void);
void hardware_sweeper_leave(void);
void fp_switch(struct task *from, struct task *to);                     /* saves and loads only what is in use */
MUST_CHECK int fp_copy_to_child(struct task *parent, struct task *child);
void fp_release(struct task *t);                                        /* forget and free its registers */

/* ---- Traps and user mode */
NORETURN void user_enter(void);                     /* to user mode with task_frame(current()) */
void  frame_init(struct trap_frame *tf, vaddr_t entry, vaddr_t stack, uintptr_t arg0, uintptr_t arg1);
uintptr_t frame_pc(const struct trap_frame *tf);
uintptr_t frame_fp(const struct trap_frame *tf);    /* frame pointer, for a backtrace */
uintptr_t frame_caller(const struct trap_frame *tf);        /* return address, if the function saved none itself; else 0 */
void  frame_print(const struct trap_frame *tf);     /* registers, for panic */

/* backtrace_step -- from one kernel frame pointer to its caller's: false at the end. pc 0: not known at this step. */
bool  backtrace_step(uintptr_t *fp, uintptr_t *pc);
uintptr_t backtrace_here(uintptr_t *pc);            /* this function's frame pointer */

/* ---- User memory. Bytes left uncopied: 0 is success. Addresses were range-checked. See mm/usercopy.c.
 * arch_copy_user_string: the length without the NUL, `max` when there is none, (size_t)-1 on a fault.
 * arch_touch_user: makes every page of the range present, and writable if `write`; their bytes stay. */
size_t arch_copy_user(void *dst, const void *src, size_t nbytes);
size_t arch_clear_user(void *dst, size_t nbytes);
size_t arch_touch_user(void *start, size_t nbytes, bool write);
size_t arch_copy_user_string(char *dst, const char *src, size_t max);

/* ---- Page tables. machine.h gives PT_LEVELS, PT_ENTRIES (a power of two), pt_index(va, level) (level 0: leaves),
 * pt_span(level) (bytes one entry of that level maps) and, for pte_t, pte_valid() pte_none() pte_frame() pte_flags()
 * pte_make(frame, flags) pte_table() pte_writable() pte_to_cow() pte_invalidate(). Flags: */
#define PTE_READ   1u
#define PTE_WRITE  2u
#define PTE_EXEC   4u
#define PTE_USER   8u
#define PTE_COW    16u                  /* software: read-only now, private writable page */

extern pte_t *kernel_pagetable;

/* map_page -- map one page whose frame the caller owns. 0; -ENOMEM: no frame for a table, nothing changed; -EEXIST: a
 * valid leaf is there, nothing changed. No fence is needed: an entry gained rights. Lock: vm's, or boot.
 * unmap_page -- clear the leaf, make the old translation unusable on every CPU (M1), then drop the frame if
 * `free_frame`; table pages left empty go too. Absent page or table: nothing happens. Kernel table or a vm's root.
 * pagetable_new -- a root with the kernel's mappings. pagetable_free -- root and its user tables, no leaf left. */
MUST_CHECK int map_page(pte_t *root, vaddr_t va, paddr_t pa, unsigned flags);
void   unmap_page(pte_t *root, vaddr_t va, bool free_frame);
MUST_CHECK pte_t *pagetable_new(void);
void   pagetable_free(pte_t *root);

/* leaf_table -- the table of level 0 that covers va, or NULL: absent and (not alloc, or no memory).
 * leaf_find -- va's entry, or NULL. leaf_table_release -- free the covering leaf table (and its parents) if no entry of
 * it is in use; page_of(table)->entries is what counts them. `cpus`: the mask of who may have walked through it, read after the
 * entry is cleared (M1); NULL: nobody. */
pte_t *leaf_table(pte_t *root, vaddr_t va, bool alloc);
pte_t *leaf_find(pte_t *root, vaddr_t va);
pte_t *leaf_table_seek(pte_t *root, vaddr_t va, uintptr_t *span);  /* as leaf_table; *span: how many bytes around va share the answer */
void   leaf_table_release(pte_t *root, vaddr_t va, const unsigned *cpus);
size_t pagetable_pages(const pte_t *root);          /* table frames of its own, root counted */

void   map_kernel_memory(void);         /* builds kernel_pagetable: devices, RAM 1:1, text R-X, the rest RW- */
void   paging_on(void);                 /* each CPU */
void   pagetable_load(pte_t *root);     /* this CPU; flushes */

/* flush_local -- this CPU forgets every user translation. flush_cpus -- every CPU of the mask (bit = cpu id, this one
 * allowed) forgets them before it returns; CPUs not online are skipped. */
void   flush_local(void);
void   flush_cpus(unsigned mask);
#define ALL_CPUS (~0u)
void   instruction_fence(void);         /* code written by any CPU is fetched right here from now on */

/* ---- Callbacks: what arch code calls, and nothing else of upper floors. */
void kmain(void);                                       /* kmain.c: boot CPU, after the stack is set */
void cpu_main(void);                                    /* kmain.c: every other CPU */
struct trap {                                           /* one trap, decoded */
    enum { TRAP_TIMER, TRAP_KICK, TRAP_DEVICE, TRAP_SYSCALL, TRAP_PAGE, TRAP_OTHER } kind;
    unsigned  access;                                   /* TRAP_PAGE: PTE_READ, PTE_WRITE or PTE_EXEC */
    bool      protection;                               /* TRAP_PAGE: the machine says the page was present */
    bool      in_user_copy;                             /* the faulting instruction may be fixed up */
    long      cause, error;                             /* as the machine numbers them, for messages */
    uintptr_t address;                                  /* faulting address */
};
void syscall(struct trap_frame *tf, unsigned long number, const uintptr_t arg[]);      /* sys/syscall.c; interrupts off */
void trap_from_user(struct trap_frame *tf, const struct trap *trap);    /* sys/trap.c; interrupts off */
/* trap_from_kernel -- true: go on (resolved, or an interrupt); false: take the fix-up of the user copy. */
bool trap_from_kernel(struct trap_frame *tf, const struct trap *trap, bool interrupts_were_on);
void return_to_user(void);                              /* sys/trap.c: last stop; a killed task ends here */

#endif
