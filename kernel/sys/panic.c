/*
 * panic.c -- the kernel has a bug: say what, where and who, stop the other CPUs, end the emulator with PANIC_STATUS.
 *
 * Function names come from the symbol table that the build appends to the kernel (tools/symbols.awk): ascending
 * addresses, each with its name.
 */
#include "dev/console.h"
#include "lib/printk.h"
#include "sched/sched.h"
#include "sys/panic.h"
#include "sys/syscall.h"
#include "task/task.h"

struct symbol { uintptr_t address; const char *name; };
extern const struct symbol kernel_symbols[];
extern const uintptr_t kernel_symbols_count;

static struct task *panicking;

const char *symbol_name(uintptr_t pc, uintptr_t *offset)
{
    size_t low = 0, high = kernel_symbols_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (kernel_symbols[middle].address <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || low == kernel_symbols_count)        /* the last symbol is the end of the text */
        return NULL;
    *offset = pc - kernel_symbols[low - 1].address;
    return kernel_symbols[low - 1].name;
}

static void print_location(const char *label, uintptr_t pc)
{
    uintptr_t offset = 0;
    const char *name = symbol_name(pc, &offset);
    printk("  %s %p %s+0x%lx\n", label, (void *)pc, name != NULL ? name : "?", (unsigned long)offset);
}

static void print_backtrace(uintptr_t fp, uintptr_t pc, uintptr_t caller)
{
    printk("backtrace (addr2line -e kernel.elf ADDRESS gives the line):\n");
    print_location(" at", pc);
    if (caller != 0)
        print_location("by", caller - 1);
    for (unsigned depth = 0; depth < 32 && backtrace_step(&fp, &pc); depth++)
        if (pc != 0)
            print_location("by", pc - 1);       /* into the call: a return address may be the next function's */
}

/* take_over -- one CPU reports; a second one that panics meanwhile stops here; a panic in a panic ends at once. */
static void take_over(void)
{
    irq_push();
    struct task *nobody = NULL;
    if (!__atomic_compare_exchange_n(&panicking, &nobody, current(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        if (nobody == current())
            machine_off(PANIC_STATUS);
        for (;;)
            cpu_wait();
    }
    console_panic_mode();
    cpus_stop_others();
}

static NORETURN void finish(uintptr_t fp, uintptr_t pc, uintptr_t caller)
{
    struct task *self = current();
    printk("  cpu %u hart %u, task %d (%s)\n", self->cpu != NULL ? self->cpu->id : 0,
           self->cpu != NULL ? self->cpu->hart : 0, self->pid, self->name);
    print_backtrace(fp, pc, caller);
    tasks_print();
    printk("The kernel stopped. `make gdb` and `break panic` show the moment. If you did not change the kernel, please report the "
           "lines above.\n");
    machine_off(PANIC_STATUS);
}

void panic(const char *format, ...)
{
    static char message[PRINTK_MAX];
    uintptr_t pc, fp = backtrace_here(&pc);
    va_list args;
    take_over();
    va_start(args, format);
    format_va(message, sizeof(message), format, args);
    va_end(args);
    printk("\npanic: %s\n", message);
    finish(fp, pc, 0);
}

void panic_trap(const struct trap_frame *tf, const struct trap *trap)
{
    take_over();
    printk("\npanic: kernel fault: cause=%ld err=0x%lx va=0x%lx pc=0x%lx\n", trap->cause, (unsigned long)trap->error,
           (unsigned long)trap->address, (unsigned long)frame_pc(tf));
    frame_print(tf);
    finish(frame_fp(tf), frame_pc(tf), frame_caller(tf));
}

void panic_stop_if_asked(void)
{
    if (panicking == NULL)
        return;
    for (;;)
        cpu_wait();
}
