/*
 * trap.c -- what a decoded trap means: a tick, a page to provide, a task to end, or a bug of ours.
 *
 * A fault from user mode ends at most its task. A fault of the kernel in a user copy is resolved like the user's own or
 * makes the copy fail. Any other fault of the kernel is a panic, but for the body of an expendable kernel task (A000-12).
 */
#include "lib/printk.h"
#include "mm/vm.h"
#include "sched/clock.h"
#include "sys/panic.h"
#include "sys/syscall.h"
#include "task/task.h"

static void report_fault(const struct trap_frame *tf, const struct trap *trap)
{
    struct task *self = current();
    printk("fault: pid=%d name=%s cause=%ld err=0x%lx va=0x%lx pc=0x%lx -> killed\n", self->pid, self->name,
           trap->cause, (unsigned long)trap->error, (unsigned long)trap->address, (unsigned long)frame_pc(tf));
}

/* provide_page -- may the access be retried? */
HOT static bool provide_page(const struct trap *trap)
{
    struct vm *vm = vm_of(current());
    if (vm == NULL || !vm_range_ok(trap->address, 1))
        return false;
    return vm_fault(vm, trap->address, trap->access) == 0;
}

/* An interrupt may have made somebody runnable, or the time slice is over. */
static void handle_interrupt(const struct trap *trap, bool may_yield)
{
    bool slice_is_over = true;
    if (trap->kind == TRAP_TIMER)
        slice_is_over = clock_interrupt();
    else if (trap->kind == TRAP_KICK)
        panic_stop_if_asked();
    if (slice_is_over && may_yield && current() != this_cpu()->idle)
        yield();
}

HOT void trap_from_user(struct trap_frame *tf, const struct trap *trap)
{
    switch (trap->kind) {
    case TRAP_TIMER:
    case TRAP_KICK:
    case TRAP_DEVICE:
        handle_interrupt(trap, true);
        break;
    case TRAP_PAGE:
        if (provide_page(trap) || current()->killed)
            break;
        /* fall through */
    default:
        report_fault(tf, trap);
        task_evict(current());
    }
}

void return_to_user(void)
{
    if (current()->killed)
        terminate(-1);
}

bool trap_from_kernel(struct trap_frame *tf, const struct trap *trap, bool interrupts_were_on)
{
    struct task *self = current();
    switch (trap->kind) {
    case TRAP_TIMER:
    case TRAP_KICK:
    case TRAP_DEVICE:
        handle_interrupt(trap, interrupts_were_on);
        return true;
    case TRAP_PAGE:
        if (trap->in_user_copy && vm_range_ok(trap->address, 1))
            return provide_page(trap);
        /* fall through */
    default:
        if (self->expendable && interrupts_were_on) {   /* interrupts on: it holds no spinlock */
            report_fault(tf, trap);
            __atomic_fetch_add(&evictions, 1, __ATOMIC_RELAXED);
            terminate(-1);
        }
        panic_trap(tf, trap);
    }
}
