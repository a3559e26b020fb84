/* crash.c -- kernel bugs on purpose, to see (and test) how they are reported: demo=panic, demo=fault, demo=overflow,
 * demo=writetext, demo=rundata, demo=doublefree, demo=usefreed. */
#include "arch/arch.h"
#include "demo/demo.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "sched/sched.h"

void demo_panic(void *unused)
{
    (void)unused;
    panic("asked for by demo=panic");
}

void demo_fault(void *unused)
{
    (void)unused;
    volatile uintptr_t nowhere = 8;
    *(volatile int *)nowhere = 1;
}

/* The kernel's text is not writable and its data not executable. */
void demo_writetext(void *unused)
{
    (void)unused;
    *(volatile int *)(uintptr_t)demo_writetext = 0;
}

static void __attribute__((noinline)) do_nothing(void) { __asm__ volatile(""); }

/* Code, copied to where data lies. */
void demo_rundata(void *unused)
{
    static uint32_t instructions[8];
    (void)unused;
    memcpy(instructions, (const void *)(uintptr_t)do_nothing, sizeof(instructions));
    instruction_fence();
    ((void (*)(void))(uintptr_t)instructions)();
    printk("rundata: this machine executes data\n");
    machine_off(1);
}

void demo_doublefree(void *unused)
{
    void *page = alloc_page();
    (void)unused;
    if (page == NULL)
        panic("no frame for the demo");
    free_page(page);
    free_page(page);
}

/* A write to a free frame: debug builds notice when the frame is handed out again. */
void demo_usefreed(void *unused)
{
    char *page = alloc_page();
    (void)unused;
    if (page == NULL)
        panic("no frame for the demo");
    free_page(page);
    page[1000] = 'x';
    page = alloc_page();
    printk("usefreed: the write to a free frame was not noticed\n");
    machine_off(1);
}

/* Each call takes more of the 4 KiB kernel stack, until too little is left for a trap; then one comes. */
static unsigned __attribute__((noinline)) descend(unsigned depth)
{
    volatile unsigned local[8] = { depth };
    if ((uintptr_t)local - current()->kstack > 256)
        return descend(depth + 1) + local[0];
    while (local[0] == depth)
        cpu_relax();                    /* interrupts are on: the next tick finds no room for its frame */
    return 0;
}

void demo_overflow(void *unused)
{
    (void)unused;
    printk("descended %u\n", descend(0));
}
