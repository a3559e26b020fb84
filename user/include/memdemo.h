/*
 * memdemo.h -- the frame of malloco, tamalloc and cow, which show what memory does step by step. Not a standard header.
 *
 * A step is kcounters(&before), then what is to be seen, then kcounters(&after), and nothing between: printing and
 * calling touch pages, too. The counters are those of the whole machine.
 */
#ifndef TAMAL_MEMDEMO_H
#define TAMAL_MEMDEMO_H

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "pagesign.h"
#include "user/user.h"

static struct kcounters before, after;
static int steps, steps_wait;                   /* told so far; for ENTER, after each one */

/* CHANGE -- for "%lu (%+ld)": a counter now, and by how much the step changed it. */
#define CHANGE(field) (unsigned long)after.field, (long)(after.field - before.field)

/* demo_start -- reads the options: -i makes every step wait for ENTER. The index of the first argument, or -1. */
static inline int demo_start(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "i")) != -1) {
        if (option != 'i')
            return -1;
        steps_wait = 1;
    }
    kcounters(&before);                         /* touches them, so that no step does */
    kcounters(&after);
    return optind;
}

/* tell -- the number of the step and what happened in it. */
static inline void tell(const char *format, ...)
{
    va_list args;

    printf("\n%d. ", ++steps);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static inline void end_step(void)
{
    int c;

    if (!steps_wait)
        return;
    printf("   -- ENTER --");
    while ((c = getchar()) != '\n' && c != EOF)
        ;
}

/* map_of -- signs of at most MAP_WIDTH pages of a task; pid 0: this one. */
static inline const char *map_of(int pid, const volatile void *start, size_t npages)
{
    static uint8_t states[MAP_WIDTH];

    return pagemap(pid, (const void *)start, states, npages) < 0 ? "?" : map_text(states, npages);
}

#endif
