/*
 * tss.c -- the task-state segments, and every task switch: a far jump to a TSS (7.3).
 *
 * The jump saves all registers in the old TSS and loads the new one's, page table and stack included, in one instruction.
 * It sets no back link and no NT flag, as a far call would.
 *
 * Owns:     the TSS in each struct context; the ones that belong to no task: initial, sweeper, double fault; current_task.
 * Locks:    one CPU, interrupts off.
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "sched/sched.h"
#include "i386.h"

#define DESC_TYPE_32BIT_TSS 0x9         /* available; 0xB while it is the current one */

struct task *current_task;
struct tss initial_tss, sweeper_tss, fault_tss;
extern char emergency_stack[];

gdt_entry_t tss_gdt_entry_for_task(const struct tss *tss)
{
    uint32_t base = (uint32_t)tss;
    return (gdt_entry_t){ .limit_15_0 = sizeof(*tss) - 1, .base_15_0 = base & 0xFFFF, .base_23_16 = base >> 16 & 0xFF,
                          .base_31_24 = (uint8_t)(base >> 24), .type = DESC_TYPE_32BIT_TSS, .p = 1 };
}
_Static_assert(sizeof(struct tss) == 104 && sizeof(gdt_entry_t) == 8, "the processor's layouts");

/* tss_for_kernel -- begins at `code` in level 0 with interrupts off, in the kernel's address space. */
void tss_for_kernel(struct tss *tss, uintptr_t stack_end, void (*code)(void))
{
    *tss = (struct tss){ .ss0 = GDT_DATA_0_SEL, .esp0 = stack_end, .esp = stack_end, .cr3 = (uint32_t)kernel_pagetable,
                         .eip = (uint32_t)code, .eflags = EFLAGS_RESERVED, .cs = GDT_CODE_0_SEL, .ss = GDT_DATA_0_SEL,
                         .ds = GDT_DATA_0_SEL, .es = GDT_DATA_0_SEL, .fs = GDT_DATA_0_SEL, .gs = GDT_DATA_0_SEL,
                         .io_map = sizeof(struct tss) };
}

void tss_init(void)
{
    tss_for_kernel(&fault_tss, (uintptr_t)emergency_stack + PAGE_SIZE, double_fault_task);
    __asm__ volatile("ltr %w0" :: "r"(SELECTOR(GDT_TSS_INITIAL)));
}

/* ---- Tasks */

bool context_init(struct task *t, void (*first)(void))
{
    struct context *c = &t->context;
    c->stack = t->kstack;
    c->frame = t->kstack + PAGE_SIZE - TF_SIZE;
    tss_for_kernel(&c->tss, c->frame - 4, first);               /* as after a call: a return address would be there */
    c->tss.esp0 = t->kstack + PAGE_SIZE;
    if (t == &boot_task) {
        c->selector = (uint16_t)SELECTOR(GDT_TSS_IDLE);
        gdt[GDT_TSS_IDLE] = tss_gdt_entry_for_task(&c->tss);
        become_idle_task(&c->tss);
        return true;
    }
    irq_push();                                                 /* a kernel task has interrupts on */
    unsigned index = gdt_take(&c->tss);
    irq_pop();
    c->selector = (uint16_t)SELECTOR(index);
    return index != 0;
}

void context_release(struct task *t)
{
    irq_push();
    gdt_give_back(t->context.selector >> 3);
    irq_pop();
}

/* context_enter_user -- the TSS gets what a return to user mode would load: the first switch to t goes straight there. */
void context_enter_user(struct task *t)
{
    const struct trap_frame *tf = task_frame(t);
    struct tss *tss = &t->context.tss;
    tss->cr3 = (uint32_t)t->space->root;
    tss->eip = tf->eip;
    tss->eflags = tf->eflags;
    tss->esp = tf->esp;
    tss->cs = tf->cs;
    tss->ss = tf->ss;
    tss->ds = tf->ds;
    tss->es = tf->es;
    __asm__ volatile("movl %%fs, %0" : "=r"(tss->fs));          /* the kernel leaves the user's there */
    __asm__ volatile("movl %%gs, %0" : "=r"(tss->gs));
    tss->eax = tf->eax;
    tss->ecx = tf->ecx;
    tss->edx = tf->edx;
    tss->ebx = tf->ebx;
    tss->ebp = tf->ebp;
    tss->esi = tf->esi;
    tss->edi = tf->edi;
}

HOT void context_switch(struct context *save, struct context *load, pte_t *root)
{
    (void)save;                                                 /* the current TSS: the processor knows it */
    load->tss.cr3 = root != NULL ? (uint32_t)root : read_cr3();
    current_task = (struct task *)load;
    jump_to_task(load->selector);
}

/* ---- The sweeper: a task of the processor's alone. It is in no run queue, and current_task stays as it is. */

static unsigned swept_from;                     /* selector of the task that the tick interrupted */

void hardware_sweeper_init(void (*body)(void))
{
    char *stack = alloc_page();
    if (stack == NULL)
        panic("no memory for the sweeper");
    tss_for_kernel(&sweeper_tss, (uintptr_t)stack + PAGE_SIZE - 4, body);
}

void hardware_sweeper_enter(void)
{
    if (read_tr() == SELECTOR(GDT_TSS_SWEEPER))
        return;
    swept_from = read_tr();
    jump_to_task(SELECTOR(GDT_TSS_SWEEPER));
}

void hardware_sweeper_leave(void) { jump_to_task(swept_from); }

/* ---- A fault that found no usable stack: the processor comes here by itself, as a task. */
void double_fault_task(void)
{
    const struct task *self = current();
    panic("double fault: esp 0x%x, stack of task %d (%s) begins at %p, at pc 0x%x", self->context.tss.esp, self->pid, self->name,
          (const void *)self->context.stack, self->context.tss.eip);
}
