/*
 * interrupt.c -- decodes a trap's cause for sys/trap.c, and the PLIC that brings device interrupts.
 *
 * Owns:     stvec, sie, the PLIC; the table of device handlers (filled at boot, constant afterwards).
 * Locks:    none. Device interrupts go to the boot hart only: one claims, the sleeping ones are left asleep.
 * References: privileged architecture 1.12, table 4.2 (scause); RISC-V PLIC 1.0.
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "sched/sched.h"
#include "riscv.h"

#define INTERRUPT      (1ul << 63)
#define IRQ_SOFTWARE   1
#define IRQ_TIMER      5
#define IRQ_EXTERNAL   9

#define CAUSE_ILLEGAL      2
#define CAUSE_FETCH_PAGE   12
#define CAUSE_LOAD_PAGE    13
#define CAUSE_STORE_PAGE   15

#define PLIC_SOURCES 128                        /* interrupt numbers below this one may be registered */

static struct { void (*handler)(void *); void *arg; } handlers[PLIC_SOURCES];

static volatile uint32_t *plic(uintptr_t offset) { return (volatile uint32_t *)(platform.plic + offset); }

static uintptr_t boot_context(void)
{
    for (unsigned i = 0; i < machine.harts; i++)
        if (machine.hart_ids[i] == machine.boot_hart)
            return platform.plic_context[i];
    return 0;
}

void interrupt_init(void)
{
    *plic(0x200000 + 0x1000 * boot_context()) = 0;      /* threshold: every priority above 0 comes through */
}

void irq_register(unsigned irq, void (*handler)(void *), void *arg)
{
    if (irq == 0 || irq >= PLIC_SOURCES) {
        printk("irq: device interrupt %u is out of range, ignored\n", irq);
        return;
    }
    handlers[irq].arg = arg;
    handlers[irq].handler = handler;
    *plic(4 * irq) = 1;                                                         /* priority */
    *plic(0x2000 + 0x80 * boot_context() + irq / 32 * 4) |= 1u << irq % 32;     /* enable */
}

static void device_interrupt(void)
{
    volatile uint32_t *claim = plic(0x200004 + 0x1000 * boot_context());
    for (uint32_t irq = *claim; irq != 0; irq = *claim) {
        if (irq < PLIC_SOURCES && handlers[irq].handler != NULL)
            handlers[irq].handler(handlers[irq].arg);
        *claim = irq;
    }
}

void trap_init_cpu(void)
{
    CSR_WRITE(sscratch, 0);
    CSR_WRITE(stvec, trap_entry);
    CSR_WRITE(scounteren, 7);                           /* user mode reads cycle, time, instret */
    CSR_CLEAR(sstatus, SSTATUS_SPP | SSTATUS_SIE);
    CSR_SET(sstatus, SSTATUS_SPIE);                     /* the invariant of trap.S */
#ifdef DEBUG
    CSR_CLEAR(sstatus, SSTATUS_SUM);                    /* user memory only between user_access_begin and _end */
#else
    CSR_SET(sstatus, SSTATUS_SUM);                      /* each change would flush the emulator's TLB */
#endif
    uintptr_t enable = 1ul << IRQ_SOFTWARE | 1ul << IRQ_TIMER;
    if (this_cpu()->hart == machine.boot_hart)
        enable |= 1ul << IRQ_EXTERNAL;
    CSR_WRITE(sie, enable);
}

/* ---- Traps */

HOT static void decode(struct trap *trap, uintptr_t cause)
{
    trap->kind = TRAP_OTHER;
    trap->access = 0;
    trap->protection = false;
    trap->in_user_copy = false;
    trap->cause = (long)(cause & 0xff);
    trap->error = 0;
    trap->address = 0;
    switch (cause) {
    case INTERRUPT | IRQ_SOFTWARE:
        CSR_CLEAR(sip, 1ul << IRQ_SOFTWARE);
        trap->kind = TRAP_KICK;
        if (cpus_take_turns)
            flush_local();                      /* perhaps it was for that: flush_others() */
        return;
    case INTERRUPT | IRQ_TIMER:
        trap->kind = TRAP_TIMER;
        return;
    case INTERRUPT | IRQ_EXTERNAL:
        trap->kind = TRAP_DEVICE;
        device_interrupt();
        return;
    case CAUSE_FETCH_PAGE: trap->kind = TRAP_PAGE; trap->access = PTE_EXEC;  break;
    case CAUSE_LOAD_PAGE:  trap->kind = TRAP_PAGE; trap->access = PTE_READ;  break;
    case CAUSE_STORE_PAGE: trap->kind = TRAP_PAGE; trap->access = PTE_WRITE; break;
    }
    trap->address = CSR_READ(stval);
}

/* Called by trap.S; interrupts are off. */
void user_syscall(struct trap_frame *tf, uintptr_t number);
void user_trap(struct trap_frame *tf, uintptr_t cause);
void kernel_trap(struct trap_frame *tf, uintptr_t cause);
void stack_overflow(uintptr_t sp, uintptr_t pc, uintptr_t fp) NORETURN;

HOT void user_syscall(struct trap_frame *tf, uintptr_t number)
{
    struct task *self = current();
    self->context.irq_depth = 1;
    syscall(tf, number, tf->a);
    if (UNLIKELY(self->killed))
        return_to_user();
    DASSERT(self->context.irq_depth == 1);      /* every irq_push() and lock was undone */
    self->context.irq_depth = 0;
}

HOT void user_trap(struct trap_frame *tf, uintptr_t cause)
{
    struct task *self = current();
    struct trap trap;
    self->context.irq_depth = 1;
    if (cause != CAUSE_ILLEGAL || !fp_first_use(self)) {
        decode(&trap, cause);
        trap_from_user(tf, &trap);
    }
    if (UNLIKELY(self->killed))
        return_to_user();
    DASSERT(self->context.irq_depth == 1);      /* every irq_push() and lock was undone */
    self->context.irq_depth = 0;
}

extern char user_access_start[], user_access_stop[], user_access_failed[];

void kernel_trap(struct trap_frame *tf, uintptr_t cause)
{
    struct task *self = current();
    struct trap trap;
    bool interrupts_were_on = (tf->status & SSTATUS_SPIE) != 0;
    self->context.irq_depth++;
    user_access_end();                          /* the trap frame brings it back; until then others may run here */
    decode(&trap, cause);
    trap.in_user_copy = tf->pc >= (uintptr_t)user_access_start && tf->pc < (uintptr_t)user_access_stop;
    if (!trap_from_kernel(tf, &trap, interrupts_were_on))
        tf->pc = (uintptr_t)user_access_failed;
    self->context.irq_depth--;
}

void stack_overflow(uintptr_t sp, uintptr_t pc, uintptr_t fp)
{
    (void)fp;
    panic("kernel stack overflow: sp %p, stack of task %d (%s) begins at %p, at pc %p", (void *)sp, current()->pid,
          current()->name, (void *)current()->kstack, (void *)pc);
}
