/*
 * interrupt.c -- decodes a trap for sys/trap.c and a system call for sys/syscall.c, and the two PICs that bring device interrupts.
 *
 * Owns:     the 8259 PICs; the table of device handlers (filled at boot, constant afterwards).
 * Locks:    none: one CPU, interrupts off.
 * References: Intel SDM 3A, 6.15 (exceptions); Intel 8259A data sheet.
 */
#include "abi/syscall.h"
#include "lib/printk.h"
#include "sched/sched.h"
#include "i386.h"

#define PIC1 0x20
#define PIC2 0xA0
#define PIC_EOI      0x20
#define PIC_READ_ISR 0x0B
#define VECTOR_DEBUG  1
#define VECTOR_NO_FP  7
#define VECTOR_PAGE   14
#define VECTOR_IRQ    32                /* of IRQ 0, the clock; the others follow */
#define VECTOR_SYSCALL 128
#define IRQ_CASCADE   2
#define IRQS          16

#define FAULT_PRESENT 1                 /* error code of a page fault; 4.7 */
#define FAULT_WRITE   2

static struct { void (*handler)(void *); void *arg; } handlers[IRQS];
static uint16_t masked = 0xFFFF;        /* interrupt lines that are off */

static void set_masks(void)
{
    io_write8(PIC1 + 1, (uint8_t)masked);
    io_write8(PIC2 + 1, (uint8_t)(masked >> 8));
}

static void enable(unsigned irq)
{
    masked &= (uint16_t)~(1u << irq);
    set_masks();
}

void interrupt_init(void)
{
    const uint8_t start = 0x11, mode_8086 = 0x01;
    io_write8(PIC1, start);
    io_write8(PIC2, start);
    io_write8(PIC1 + 1, VECTOR_IRQ);
    io_write8(PIC2 + 1, VECTOR_IRQ + 8);
    io_write8(PIC1 + 1, 1 << IRQ_CASCADE);
    io_write8(PIC2 + 1, IRQ_CASCADE);
    io_write8(PIC1 + 1, mode_8086);
    io_write8(PIC2 + 1, mode_8086);
    enable(IRQ_CASCADE);
    enable(0);                          /* the clock */
}

void irq_register(unsigned irq, void (*handler)(void *arg), void *arg)
{
    if (irq == 0 || irq >= IRQS) {
        printk("irq: device interrupt %u is out of range, ignored\n", irq);
        return;
    }
    handlers[irq].arg = arg;
    handlers[irq].handler = handler;
    enable(irq);
}

/* end_of_interrupt -- false: the PIC was mistaken, there is no interrupt (lines 7 and 15 stand for that, too). The second PIC's
 * mistake is still an interrupt to the first one, by the cascade line. */
static bool end_of_interrupt(unsigned irq)
{
    uintptr_t pic = irq < 8 ? PIC1 : PIC2;
    bool real = true;
    if (irq % 8 == 7) {
        io_write8(pic, PIC_READ_ISR);
        real = (io_read8(pic) & 0x80) != 0;
    }
    if (irq >= 8 && real)
        io_write8(PIC2, PIC_EOI);
    if (irq >= 8 || real)
        io_write8(PIC1, PIC_EOI);
    return real;
}

/* ---- Traps */

static void decode_interrupt(struct trap *trap, unsigned irq)
{
    trap->kind = irq == 0 ? TRAP_TIMER : TRAP_DEVICE;
    if (end_of_interrupt(irq) && handlers[irq].handler != NULL)         /* first: what comes from now on interrupts again */
        handlers[irq].handler(handlers[irq].arg);
}

HOT static void decode(struct trap *trap, const struct trap_frame *tf)
{
    *trap = (struct trap){ .kind = TRAP_OTHER, .cause = (long)tf->vector, .error = (long)tf->error };
    if (tf->vector == VECTOR_PAGE) {
        trap->kind = TRAP_PAGE;
        trap->address = read_cr2();
        trap->access = (tf->error & FAULT_WRITE) ? PTE_WRITE : PTE_READ;
        trap->protection = (tf->error & FAULT_PRESENT) != 0;
    } else if (tf->vector >= VECTOR_IRQ && tf->vector < VECTOR_IRQ + IRQS) {
        decode_interrupt(trap, tf->vector - VECTOR_IRQ);
    }
}

static bool is_system_call(unsigned vector)
{
    return vector == VECTOR_SYSCALL || vector == SYS_malloco || vector == SYS_chau || vector == SYS_fork;
}

/* int 0x80: number in EAX, arguments in EBX, ECX, EDX, ESI, EDI. The calls with a vector of their own: argument in EAX. */
HOT static void system_call(struct trap_frame *tf)
{
    if (tf->vector == VECTOR_SYSCALL)
        syscall(tf, tf->eax, (const uintptr_t[6]){ tf->ebx, tf->ecx, tf->edx, tf->esi, tf->edi });
    else
        syscall(tf, tf->vector, (const uintptr_t[6]){ tf->eax });
}

/* Called by isr.S; interrupts are off. */
void user_trap(struct trap_frame *tf);
void kernel_trap(struct trap_frame *tf);
void stack_overflow(uintptr_t sp, uintptr_t pc) NORETURN;

HOT void user_trap(struct trap_frame *tf)
{
    struct task *self = current();
    struct trap trap;
    self->context.irq_depth = 1;
    if (UNLIKELY(this_cpu()->previous != NULL))
        finish_switch();                        /* a forked task began in user mode: see context_enter_user() */
    if (is_system_call(tf->vector)) {
        system_call(tf);
    } else if (tf->vector != VECTOR_NO_FP || !fp_first_use()) {
        decode(&trap, tf);
        trap_from_user(tf, &trap);
    }
    if (UNLIKELY(self->killed))
        return_to_user();
    DASSERT(self->context.irq_depth == 1);      /* every irq_push() and lock was undone */
    self->context.irq_depth = 0;
}

extern char user_access_start[], user_access_stop[], user_access_failed[];

void kernel_trap(struct trap_frame *tf)
{
    struct task *self = current();
    struct trap trap;
    bool interrupts_were_on = (tf->eflags & EFLAGS_IF) != 0;
    if (tf->vector == VECTOR_DEBUG)
        return;                                 /* a program loaded SS with TF set, right before its system call */
    self->context.irq_depth++;
    decode(&trap, tf);
    trap.in_user_copy = tf->eip >= (uintptr_t)user_access_start && tf->eip < (uintptr_t)user_access_stop;
    if (!trap_from_kernel(tf, &trap, interrupts_were_on))
        tf->eip = (uint32_t)user_access_failed;
    self->context.irq_depth--;
}

void stack_overflow(uintptr_t sp, uintptr_t pc)
{
    panic("kernel stack overflow: sp %p, stack of task %d (%s) begins at %p, at pc %p", (void *)sp, current()->pid,
          current()->name, (void *)current()->kstack, (void *)pc);
}
