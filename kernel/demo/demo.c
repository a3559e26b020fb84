/* demo.c -- which demo was asked for: demo=NAME on the command line, see the table. */
#include "arch/arch.h"
#include "demo/demo.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "task/task.h"

#pragma weak demo_check                 /* NULL when no lab's checks are linked */

bool demo_start(void)
{
    static const struct { const char *name; void (*body)(void *); } demos[] = {
        { "tasks", demo_tasks },
        { "selftest", demo_selftest },
        { "panic", demo_panic },
        { "fault", demo_fault },
        { "overflow", demo_overflow },
        { "writetext", demo_writetext },
        { "rundata", demo_rundata },
        { "doublefree", demo_doublefree },
        { "usefreed", demo_usefreed },
        { "check", demo_check },
    };
    char wanted[16];
    if (!option("demo", wanted, sizeof(wanted)))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(demos); i++)
        if (strcmp(wanted, demos[i].name) == 0 && demos[i].body != NULL) {
            if (task_start_kernel("demo", demos[i].body, NULL) < 0)
                panic("no memory for the demo");
            return true;
        }
    printk("demo=%s is not known; there are:", wanted);
    for (unsigned i = 0; i < ARRAY_SIZE(demos); i++)
        printk(" %s", demos[i].name);
    printk("\n");
    return false;
}
