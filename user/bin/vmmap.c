/*
 * vmmap [-a] [PID] -- the memory of a task: its areas, and in each one character for each page. Without PID: its own.
 *
 * An area may have millions of pages, nearly all of them untouched. So lines that say nothing are folded into one, and
 * the kernel is not asked any more when all pages in frames were seen, or (without -a) LOOK_MAX pages of an area.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "pagesign.h"
#include "tool.h"
#include "user/user.h"

#define LOOK_MAX (1ul << 22)                    /* pages, 16 GiB: a fraction of a second */

static const char legend[] =
    "  .  granted, never touched                -  not granted\n"
    "  W  own frame, may be written             R  own frame, read-only\n"
    "  C  frame shared, copied on a write       S  frame shared, read-only\n"
    "  c  as C, but nobody else has it any more\n"
    "  x  after chau(), until the next sweep    ,  the same, never touched\n"
    "  |  a block of malloco begins\n";

static const char *const kinds[] = {
    [AREA_IMAGE] = "image", [AREA_HEAP] = "heap", [AREA_STACK] = "stack", [AREA_TAMALLOC] = "tamalloc",
    [AREA_REGION] = "malloco",
};

static int pid;
static size_t look_max = LOOK_MAX;

/* The task may end at any time. */
static _Noreturn void task_failed(void)
{
    if (errno == ESRCH)
        errx(1, "%d: no user task has this number", pid);
    err(1, "%d", pid);
}

/* All areas. Asked with no room at first, to learn how many there are; more may have come meanwhile. */
static struct area_info *all_areas(int *count)
{
    struct area_info *areas = NULL;
    for (int room = 0; ; room = *count) {
        areas = must_realloc(areas, (size_t)room * sizeof *areas);
        *count = arealist(pid, areas, room);
        if (*count < 0)
            task_failed();
        if (*count <= room)
            return areas;
    }
}

/* ---- Lines of the map. Lines in a row that are all of one sign are held back, and told as one. */

struct stretch {
    uintptr_t start;
    size_t    npages;                           /* 0: nothing is held back */
    uint8_t   state;
};

static void print_line(uintptr_t start, const uint8_t *states, size_t npages)
{
    printf("    %#012lx  %s\n", (unsigned long)start, map_text(states, npages));
}

static void print_stretch(struct stretch *stretch)
{
    uint8_t states[MAP_WIDTH];
    char sign = page_sign(stretch->state);

    memset(states, stretch->state, sizeof states);
    if (stretch->npages > MAP_WIDTH)
        printf("    %#012lx  ... %zu pages %c%s\n", (unsigned long)stretch->start, stretch->npages, sign,
               sign == '.' ? " untouched" : sign == '-' ? " not granted" : "");
    else if (stretch->npages > 0)
        print_line(stretch->start, states, stretch->npages);
    stretch->npages = 0;
}

static void add_to_stretch(struct stretch *stretch, uintptr_t start, uint8_t state, size_t npages)
{
    if (stretch->state != state)
        print_stretch(stretch);
    if (stretch->npages == 0)
        *stretch = (struct stretch){ .start = start, .state = state };
    stretch->npages += npages;
}

static bool all_the_same(const uint8_t *states, size_t npages)
{
    for (size_t i = 0; i < npages; i++)
        if (states[i] != states[0] || (states[i] & PAGE_IS_FIRST))
            return false;
    return true;
}

static size_t count_resident(const uint8_t *states, size_t npages)
{
    size_t resident = 0;

    for (size_t i = 0; i < npages; i++)
        resident += (states[i] & PAGE_IS_RESIDENT) != 0;
    return resident;
}

static void print_map(const struct area_info *area)
{
    struct stretch stretch = { .npages = 0 };
    uint8_t states[MAP_WIDTH];
    size_t seen = 0, asked = 0, npages;
    uintptr_t va = area->start;

    for (; va < area->end; va += npages * PAGE_BYTES, asked += npages) {
        bool rest_is_known = seen >= area->resident_pages && asked > 0 && area->kind != AREA_REGION;
        if (rest_is_known || asked >= look_max)
            break;
        npages = (area->end - va) / PAGE_BYTES < MAP_WIDTH ? (area->end - va) / PAGE_BYTES : MAP_WIDTH;
        if (pagemap(pid, (void *)va, states, npages) < 0)
            task_failed();
        seen += count_resident(states, npages);
        if (all_the_same(states, npages)) {
            add_to_stretch(&stretch, va, states[0], npages);
        } else {
            print_stretch(&stretch);
            print_line(va, states, npages);
        }
    }
    npages = (area->end - va) / PAGE_BYTES;
    if (npages > 0 && seen >= area->resident_pages)
        add_to_stretch(&stretch, va, PAGE_IS_GRANTED, npages);
    print_stretch(&stretch);
    if (npages > 0 && seen < area->resident_pages)
        printf("    %#012lx  ... %zu pages not looked at, %lu of them in frames: try -a\n", (unsigned long)va, npages,
               (unsigned long)area->resident_pages - seen);
}

static void print_area(const struct area_info *area)
{
    printf("%#012lx-%#012lx %c%c%c %-8s pages %lu, in frames %lu\n", (unsigned long)area->start,
           (unsigned long)area->end, (area->access & AREA_READ) ? 'R' : '-', (area->access & AREA_WRITE) ? 'W' : '-',
           (area->access & AREA_EXEC) ? 'X' : '-', kinds[area->kind], (unsigned long)area->reserved_pages,
           (unsigned long)area->resident_pages);
    print_map(area);
}

int main(int argc, char **argv)
{
    struct process_mem_info row;
    int count, option;

    while ((option = getopt(argc, argv, "a")) != -1) {
        if (option != 'a')
            usage("[-a] [PID]");
        look_max = SIZE_MAX;
    }
    if (argc - optind > 1)
        usage("[-a] [PID]");
    long number = optind < argc ? number_argument(argv[optind]) : getpid();
    pid = number < INT32_MAX ? (int)number : INT32_MAX;
    if (get_mem_stats(pid, &row) < 0)
        task_failed();
    setvbuf(stdout, NULL, _IOFBF, 0);           /* before the areas are asked for: its buffer is on the heap */
    printf("%d %s: reserved %lu KiB, committed %lu KiB, %u%%\n", row.pid, row.process_name,
           (unsigned long)row.reserved_memory, (unsigned long)row.committed_memory, (unsigned)row.committed_percent);
    struct area_info *areas = all_areas(&count);
    for (int i = 0; i < count; i++)
        print_area(&areas[i]);
    printf("%s", legend);
    fflush(stdout);
    check_stdout();
    return 0;
}
