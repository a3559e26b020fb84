/*
 * tamalloc [-i] [MIB] -- a large lazy area, step by step: reserved, touched, its end, a fork, and what exit gives back.
 *
 * 10 MiB unless said otherwise; more than the machine has is fine. -i waits for ENTER after each step. A child makes
 * the steps, so that at the end it can be seen that all came back.
 */
#include <err.h>
#include <stdio.h>
#include "memdemo.h"
#include "tool.h"
#include "user/user.h"

#define TOUCH_MAX 1024ul                        /* pages: 4 MiB, which the smallest machine has */
#define SHOWN     16                            /* pages in a map */

/* Which byte of a page is used: any, but not one of the first. While a frame is free, the kernel's list is there, so
 * these may be zero by chance. */
#define SPOT 100

static volatile char *area;
static size_t area_pages, touched;              /* touched: the first pages of the area, and no other */
static struct process_mem_info had, has;        /* this task's memory before and after a step */

/* Writes to each of them before it counts, so that the step does not. */
static void begin_step(void)
{
    get_mem_stats(getpid(), &has);
    get_mem_stats(getpid(), &had);
    kcounters(&after);
    kcounters(&before);
}

static void measure(void)
{
    kcounters(&after);
    get_mem_stats(getpid(), &has);
}

static void show(void)
{
    printf("   reserved %lu KiB (%+ld)  committed %lu KiB (%+ld), %u%%\n",
           (unsigned long)has.reserved_memory, (long)(has.reserved_memory - had.reserved_memory),
           (unsigned long)has.committed_memory, (long)(has.committed_memory - had.committed_memory),
           (unsigned)has.committed_percent);
    printf("   frames free %lu (%+ld)  demand faults %lu (%+ld)\n", CHANGE(frames_free), CHANGE(demand_faults));
    end_step();
}

static void reserve(unsigned long mib)
{
    begin_step();
    area = tamalloc(mib << 20);
    if (area == TAMALLOC_ERROR)
        err(1, "%lu MiB", mib);
    measure();
    area_pages = (mib << 20) / PAGE_BYTES;
    tell("tamalloc(%lu MiB) reserves %lu pages at %p and commits nothing.\n"
         "   The machine has %lu MiB in all.",
         mib, area_pages, area, (unsigned long)after.frames_total * PAGE_BYTES >> 20);
    show();
}

static void touch(void)
{
    size_t npages = area_pages / 4 < TOUCH_MAX ? area_pages / 4 : TOUCH_MAX, nonzero = 0;

    begin_step();
    for (size_t i = 0; i < npages; i++)
        nonzero += area[i * PAGE_BYTES + SPOT] != 0;
    measure();
    touched = npages;
    tell("One byte of each of the first %lu pages is read. A read commits, too;\n"
         "   %lu of the bytes were not zero. The other %ld frames are page tables.",
         npages, nonzero, (long)(before.frames_free - after.frames_free - npages));
    show();

    begin_step();
    for (size_t i = 0; i < npages; i++)
        area[i * PAGE_BYTES + SPOT] = 'A';
    measure();
    tell("A write to the same pages: they are there, nothing happens.");
    show();
}

static void run_over_the_end(void)
{
    int status = 0;

    begin_step();
    int pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        area[area_pages * PAGE_BYTES] = 'A';
        exit(0);                                /* not reached */
    }
    wait_for_task(pid, &status);
    kcounters(&after);
    tell("The page behind the area belongs to nobody. A child writes to it: the kernel\n"
         "   evicts it, and says so.");
    printf("   status of the child %d  evictions %lu (%+ld)\n", status, CHANGE(evictions));
    end_step();
}

/* What both have after a fork, around the border between touched and untouched pages. */
static void share_with_a_child(void)
{
    volatile char *border = area + (touched - SHOWN / 2) * PAGE_BYTES;
    int ready[2], finish[2];                    /* pipes */
    char byte;

    if (pipe(ready) < 0 || pipe(finish) < 0)
        err(1, "pipe");
    int pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        close(finish[1]);
        area[(touched + 1) * PAGE_BYTES] = 'B';
        write(ready[1], "", 1);
        read(finish[0], &byte, 1);              /* until the parent has seen enough, or is gone */
        exit(0);
    }
    close(ready[1]);
    close(finish[0]);
    read(ready[0], &byte, 1);
    tell("After a fork touched pages are shared, C, and untouched ones, ., are lazy in\n"
         "   both tasks. The child wrote to one of them: W.");
    printf("   parent %s\n", map_of(0, border, SHOWN));
    printf("   child  %s\n", map_of(pid, border, SHOWN));
    end_step();
    close(finish[1]);
    wait_for_task(pid, NULL);
}

int main(int argc, char **argv)
{
    int first = demo_start(argc, argv), status = 0;

    if (first < 0 || argc - first > 1)
        usage("[-i] [MIB]");
    unsigned long mib = first < argc ? (unsigned long)number_argument(argv[first]) : 10;
    if (mib == 0 || mib > SIZE_MAX >> 20)
        errx(2, "invalid number: %s", argv[first]);

    printf("tamalloc: a large area that costs nothing until it is touched.\n");
    kcounters(&before);
    int pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        reserve(mib);
        touch();
        run_over_the_end();
        share_with_a_child();
        exit(0);
    }
    wait_for_task(pid, &status);
    kcounters(&after);
    if (status != 0)
        return 1;
    printf("\nThe task that did all this has ended, and what it had came back. Compared with\nthe beginning:\n"
           "   frames free %lu (%+ld)\n", CHANGE(frames_free));
    return 0;
}
