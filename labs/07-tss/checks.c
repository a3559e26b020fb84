/*
 * checks.c -- the sweeper as a task of the processor, seen from a program: sweeps at their ticks, memory that comes back, and an
 * interrupted task that notices nothing. What only the machine can tell (gdt[20], the TSS, TR) is in checks.py.
 */
#include "labs/user_check.h"

#define TICKS_PER_SWEEP 100

static void wait_until_tick(uint64_t tick)
{
    while (counters_now().ticks < tick)
        pause(1);
}

/* The sweep is over before the tick that began it returns: a program can never see one that is due and has not been. */
static void expect_sweeps(uint64_t at_least_tick)
{
    wait_until_tick(at_least_tick);
    struct kcounters c = counters_now();
    unsigned long ticks = (unsigned long)c.ticks, sweeps = (unsigned long)c.sweeps, due = ticks / TICKS_PER_SWEEP;

    EXPECT(sweeps > 0 || due == 0, "never", "sweeps at tick %lu: expected %lu, saw none", ticks, due);
    EXPECT(sweeps <= due, "too-many", "sweeps at tick %lu: expected %lu, saw %lu", ticks, due, sweeps);
    EXPECT(sweeps >= due || sweeps == 0, "stops", "sweeps at tick %lu: expected %lu, saw %lu", ticks, due, sweeps);
}

static void a_sweep_in_100_ticks(void)
{
    expect_sweeps(20 + check_random() % 60);
    expect_sweeps(110 + check_random() % 80);
    expect_sweeps(210 + check_random() % 80);
    expect_sweeps(310 + check_random() % 20);
}

/* ---- */

#define PAGES 9

static char *touched_block(size_t npages, char tag)
{
    char *block = malloco(npages * PAGE);
    for (size_t i = 0; i < npages; i++)
        block[i * PAGE] = (char)(tag + (char)i);
    return block;
}

static void a_sweep_frees_blocks(void)
{
    size_t n = 2 + check_random() % PAGES;
    char *first = touched_block(n, 'a'), *live = touched_block(3, 'l'), *last = touched_block(2, 'z');

    uint64_t before = counters_now().pages_swept;
    EXPECT_EQ(chau(first), 0, "", "chau of the first block");
    EXPECT_EQ(chau(last), 0, "", "chau of the last block");
    wait_until_tick((counters_now().ticks / TICKS_PER_SWEEP + 1) * TICKS_PER_SWEEP + 1);
    EXPECT_EQ(pages_with(0, first, n, PAGE_IS_RESIDENT, PAGE_IS_RESIDENT), 0, "not-freed",
              "pages of the first block after the sweep");
    EXPECT_EQ(pages_with(0, last, 2, PAGE_IS_RESIDENT, PAGE_IS_RESIDENT), 0, "not-freed",
              "pages of the last block after the sweep");
    EXPECT_EQ(counters_now().pages_swept - before, n + 2, "not-freed", "pages that the sweeps gave back");
    for (char i = 0; i < 3; i++)
        EXPECT_EQ(live[(size_t)i * PAGE], 'l' + i, "", "a byte of the block that lives");
}

/* ---- A program that makes no call while sweeps come: the processor's registers must be what they were. */

#define ROUNDS 75000000u                /* of two instructions: more than a second and less than two of the machine's time */

static unsigned registers_lost(unsigned rounds)
{
    unsigned wrong;

    __asm__ volatile(
        "pushl %%ebp\n"
        "movl $0x1eb1, %%ebx; movl $0x1ea1, %%eax; movl $0x1ed1, %%edx\n"
        "movl $0x1e51, %%esi; movl $0x1ed2, %%edi; movl $0x1eb2, %%ebp\n"
        "1: decl %%ecx\n"
        "jnz 1b\n"
        "xorl $0x1eb1, %%ebx; xorl $0x1ea1, %%eax; xorl $0x1ed1, %%edx\n"
        "xorl $0x1e51, %%esi; xorl $0x1ed2, %%edi; xorl $0x1eb2, %%ebp\n"
        "orl %%eax, %%ebx; orl %%edx, %%ebx; orl %%esi, %%ebx; orl %%edi, %%ebx; orl %%ebp, %%ebx\n"
        "popl %%ebp"
        : "=b"(wrong), "+c"(rounds) :: "eax", "edx", "esi", "edi", "memory", "cc");
    return wrong;
}

static void the_interrupted_task_goes_on(void)
{
    uint64_t sweeps = counters_now().sweeps;
    unsigned wrong = registers_lost(ROUNDS);
    sweeps = counters_now().sweeps - sweeps;
    EXPECT(sweeps > 0, "never", "sweeps while a program computes: expected 1 or more, saw %u", (unsigned)sweeps);
    EXPECT(wrong == 0, "registers", "a program's registers after %u sweeps differ in these bits: expected none, saw 0x%x",
           (unsigned)sweeps, wrong);
}

/* ---- More tasks than there are descriptors before the sweeper's. checks.py looks at gdt[20] meanwhile. */

#define CHILDREN 14

static void many_tasks_and_a_sweep(void)
{
    int pids[CHILDREN], status;
    uint64_t sweeps = counters_now().sweeps;

    for (int i = 0; i < CHILDREN; i++)
        if ((pids[i] = fork()) == 0) {
            wait_until_tick((counters_now().ticks / TICKS_PER_SWEEP + 1) * TICKS_PER_SWEEP + (unsigned)i);
            exit(40 + i);
        }
    for (int i = 0; i < CHILDREN; i++) {
        status = -2;
        EXPECT(pids[i] > 0 && wait_for_task(pids[i], &status) == pids[i], "", "child %d is made and waited for: pid %d", i,
               pids[i]);
        EXPECT(status == 40 + i, "victim", "exit code of child %d, which slept while a sweep came: expected %d, saw %d", i,
               40 + i, status);
    }
    EXPECT(counters_now().sweeps > sweeps, "never", "a sweep came while %d tasks lived: expected 1 more, saw none", CHILDREN);
}

/* ---- For checks.py: one task, blocks to free at each sweep, and no call that gives the processor away. */

static void spin(void)
{
    (void)getpid();
    for (;;) {
        char *block = touched_block(4, 's');
        chau(block);
        for (volatile unsigned i = 0; i < 3000000; i++)
            ;
    }
}

static const struct check checks[] = {
    { "a_sweep_in_100_ticks", a_sweep_in_100_ticks }, { "a_sweep_frees_blocks", a_sweep_frees_blocks },
    { "the_interrupted_task_goes_on", the_interrupted_task_goes_on }, { "many_tasks_and_a_sweep", many_tasks_and_a_sweep },
    { "spin", spin },
};
int main(void) { return run_check(checks, COUNT(checks)); }
