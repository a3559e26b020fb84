/*
 * tests/pages.h -- looking at memory from a test program: counters, states of pages, rows of statistics; and partners,
 * children that go on step by step as the test tells them, so that nothing happens while it looks.
 */
#ifndef TAMAL_TESTS_PAGES_H
#define TAMAL_TESTS_PAGES_H

#include "user/tests/support.h"

#define REGION_START ((char *)REGION_BASE)
#define REGION_BYTES (4ul << 20)

/* ---- What the kernel tells */

static inline struct kcounters counters_now(void)
{
    struct kcounters c = { 0 };
    CHECK_EQ(kcounters(&c), 0);
    return c;
}

/* Frames that somebody could have: free ones, and cached blocks that would be given back with what describes them. */
static inline long frames_to_have(const struct kcounters *c)
{
    return (long)(c->frames_free + c->frames_cached + c->frames_cache_index);
}

/* What the row of a task says: pid 0 is this task. All zeros: there is no such task. */
static inline struct process_mem_info row_of(int pid)
{
    struct process_mem_info row;

    if (get_mem_stats(pid != 0 ? pid : getpid(), &row) != 0)
        memset(&row, 0, sizeof row);
    return row;
}

/* PAGE_IS_* of one page; 0xff: the call failed. */
static inline unsigned state_of(int pid, const void *page)
{
    uint8_t state = 0xff;
    return pagemap(pid, page, &state, 1) == 0 ? state : 0xff;
}

/* Pages of [start, start + npages) whose bits in `mask` are `bits`. */
static inline size_t pages_with(int pid, const void *start, size_t npages, unsigned mask, unsigned bits)
{
    uint8_t states[512];
    size_t found = 0;

    for (size_t done = 0, n; done < npages; done += n) {
        n = npages - done < sizeof states ? npages - done : sizeof states;
        if (pagemap(pid, (const char *)start + done * PAGE, states, n) != 0)
            return 0;
        for (size_t i = 0; i < n; i++)
            found += (states[i] & mask) == bits;
    }
    return found;
}

static inline char *page_down(const void *address) { return (char *)((uintptr_t)address & ~(PAGE - 1)); }

/* ---- Own pages */

static inline void touch_again(volatile char *page) { page[0] = page[0]; }

/* After a fork every write to the stack or to a variable may copy a page, at any moment. This does all of that now: what is
 * counted afterwards is what the test does on purpose. Heap, malloco and tamalloc stay as they are. */
static inline void own_stack_and_variables(void)
{
    static struct area_info areas[64];
    volatile char below[2 * PAGE];
    int n = arealist(0, areas, COUNT(areas));

    touch_again(below);                         /* the calls that follow use this much stack at most */
    for (int i = 0; i < n && i < (int)COUNT(areas); i++) {
        if ((areas[i].access & AREA_WRITE) == 0 || (areas[i].kind != AREA_IMAGE && areas[i].kind != AREA_STACK))
            continue;
        for (uintptr_t page = areas[i].start; page < areas[i].end; page += PAGE)
            touch_again((volatile char *)page);
    }
}

/* ---- Partners */

struct partner {
    int pid;
    int read_fd, write_fd;                      /* this side's ends of two pipes */
};

static inline void tell(struct partner *p) { CHECK_EQ(write(p->write_fd, "x", 1), 1); }

/* True: the other side told us to go on; false: it has ended. */
static inline int await(struct partner *p)
{
    char byte;
    return read(p->read_fd, &byte, 1) == 1;
}

/* A child that runs body(self, argument) and exits with its result. */
static inline struct partner partner_start(int (*body)(struct partner *self, void *argument), void *argument)
{
    int down[2] = { -1, -1 }, up[2] = { -1, -1 };
    struct partner p = { .pid = -1 };

    CHECK_EQ(pipe(down), 0);
    CHECK_EQ(pipe(up), 0);
    int pid = fork();
    if (pid == 0) {
        struct partner self = { .pid = getpid(), .read_fd = down[0], .write_fd = up[1] };
        close(down[1]);
        close(up[0]);
        exit(body(&self, argument));
    }
    close(down[0]);
    close(up[1]);
    p = (struct partner){ .pid = pid, .read_fd = up[0], .write_fd = down[1] };
    CHECK(pid > 0);
    return p;
}

/* Wait for its end; the exit status. */
static inline int partner_end(struct partner *p)
{
    int status = -2;

    if (p->pid > 0)
        CHECK_EQ(wait_for_task(p->pid, &status), p->pid);
    close(p->read_fd);
    close(p->write_fd);
    return status;
}

#endif
