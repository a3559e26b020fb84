/* crash.c -- kernel bugs on purpose, to see (and test) how they are reported: demo=panic, demo=fault, demo=overflow. */
#include "arch/arch.h"
#include "demo/demo.h"
#include "lib/printk.h"
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
