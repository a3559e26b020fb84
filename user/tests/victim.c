/*
 * victim: a page is not used for anything else as long as some hart can reach it (M1), and a task that is killed keeps its
 * memory until it has left its hart (M9).
 *
 * A victim spins on one hart over pages of a block that it has given back; the sweep runs on another one. It must go on
 * seeing its own values, and then be evicted. Any other value is somebody else's: the free list's link, a debug kernel's
 * poison, or a tenant's. The tenant takes and gives back frames and writes all over them; it looks after its own values
 * too, because a victim that may still write to a freed frame spoils them.
 *
 * A sweep at which no victim was running on another hart shows nothing. So the rounds that count are the kernel's remote
 * fences, and the tenant, which is the parent, keeps the boot hart (where sleepers wake and the sweeper runs) for itself.
 *
 *     victim [ROUNDS]         default 200
 */
#include <stdlib.h>
#include "user/tests/region.h"

#define BLOCK_PAGES  256
#define TENANT_PAGES 64
#define MINE  ((unsigned long)0x1111222233334444)
#define OTHER ((unsigned long)0xeeeeeeeeeeeeeeee)
#define SAW_OTHERS 66                           /* exit codes */
#define OUTLIVED   67
#define PATIENCE_NS 60000000000ull              /* of the host's time: only ends what would never end */

static int rounds = 200;

/* ---- Who gets the frames next */

/* Frames that were just freed are the first to be handed out. */
static void be_tenant(void)
{
    volatile unsigned long *words = (unsigned long *)sbrk(TENANT_PAGES * PAGE);
    size_t count = TENANT_PAGES * WORDS_PER_PAGE, spoiled = 0;

    if (!CHECK(words != (void *)SBRK_ERROR))
        return;
    for (size_t i = 0; i < count; i += 8)
        words[i] = OTHER;
    for (size_t i = 0; i < count; i += 8)
        spoiled += words[i] != OTHER;
    CHECK_EQ(spoiled, 0);                       /* M1, M9: nobody else can write here */
    sbrk(-(long)(TENANT_PAGES * PAGE));
}

/* ---- Victims */

static int seen_others(const volatile unsigned long *word, unsigned long value)
{
    printf("FAIL M1: a victim read 0x%lx from 0x%lx: no remote fence, or the frame was freed before it\n", value,
           (unsigned long)word);
    return SAW_OTHERS;
}

/* spin -- read, or write and read, words of the first page that a sweep frees, and of the last, until evicted. */
static int spin(unsigned long *block, bool writes)
{
    unsigned long *last_page = block + (BLOCK_PAGES - 1) * WORDS_PER_PAGE;
    volatile unsigned long *words[] = { block, block + 200, last_page, block + WORDS_PER_PAGE - 1 };
    uint64_t end = clock_ns() + PATIENCE_NS;

    for (unsigned long n = 1; n % 0x100000 != 0 || clock_ns() < end; n++)
        for (size_t i = 0; i < COUNT(words); i++) {
            if (writes)
                *words[i] = MINE;
            unsigned long value = *words[i];
            if (value != MINE)
                return seen_others(words[i], value);
        }
    return OUTLIVED;
}

static unsigned long *own_block(void)
{
    unsigned long *block = malloco(BLOCK_PAGES * PAGE);

    if (block == (void *)REGION)
        for (size_t i = 0; i < BLOCK_PAGES * WORDS_PER_PAGE; i++)
            block[i] = MINE;
    return block;
}

static int use_after_chau(bool writes)
{
    unsigned long *block = own_block();

    if (block != (void *)REGION || chau(block) != 0)
        return 1;
    printf("victim: pid=%d\n", getpid());
    return spin(block, writes);
}

/* Those that are left when one of them has seen what it must not would spin for ever. */
static void await_eviction(const int *pids, int count)
{
    int status;

    for (int left = count; left > 0 && wait(&status) > 0; left--)
        if (status != -1) {
            CHECK_EQ(status, -1);
            for (int i = 0; i < count; i++)
                kill(pids[i]);
        }
}

/* One victim for each other hart: all of them are evicted. */
static void one_sweep(int victims, bool writes)
{
    int pids[9];
    uint64_t sweeps = counters().sweeps;

    pause(1);                                   /* who wakes up is on the boot hart; what it forks others take from it ... */
    for (int i = 0; i < victims; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            exit(use_after_chau(writes));
    }
    while (counters().sweeps == sweeps) {
        be_tenant();                            /* ... while it is busy */
        pause(1);
    }
    be_tenant();
    await_eviction(pids, victims);
}

/* First those that read and can tell what they saw; one that writes to a freed frame may well be the kernel's end. */
TEST(nobody_uses_a_frame_after_its_sweep)
{
    struct kcounters start = counters(), now = start;
    int victims = start.cpus == 1 ? 1 : (int)start.cpus - 1;
    unsigned sweeps = 0, most = start.cpus == 1 ? 10 : 10 * (unsigned)rounds;
    uint64_t goal = start.shootdowns + (unsigned)rounds;

    while (sweeps < most && now.shootdowns < goal && check_failures == 0) {
        one_sweep(victims, now.shootdowns + (unsigned)rounds / 3 >= goal || sweeps >= most / 2);
        now = counters();
        sweeps++;
    }
    if (start.cpus > 1 && check_failures == 0)
        CHECK(now.shootdowns >= goal);
    CHECK_EQ(now.evictions, start.evictions + sweeps * (unsigned)victims);
    CHECK_EQ(now.blocks_swept, start.blocks_swept + sweeps * (unsigned)victims);
    printf("victims: %u sweeps, %lu remote fences\n", sweeps, (unsigned long)(now.shootdowns - start.shootdowns));
}

/* ---- M9: killed while it runs on another hart. Half of its memory is MARKED. */

static int use_while_killed(struct gate *ready, bool writes)
{
    unsigned long *block = own_block(), *marked = malloco(BLOCK_PAGES * PAGE);

    memset(marked, 0, BLOCK_PAGES * PAGE);
    chau(marked);
    say_ready(ready);
    return spin(block, writes);
}

TEST(a_killed_task_keeps_its_memory_until_it_is_off_its_hart)
{
    int victims = (int)counters().cpus, pids[9];

    for (int round = 0; round < 1 + rounds / 4; round++) {
        struct gate ready = gate_new();
        for (int i = 0; i < victims; i++) {
            pids[i] = fork();
            if (pids[i] == 0)
                exit(use_while_killed(&ready, i % 2));
        }
        await_ready(&ready, victims);
        be_tenant();
        for (int i = 0; i < victims; i++)
            CHECK_EQ(kill(pids[i]), 0);
        be_tenant();
        for (int i = 0; i < victims; i++)
            CHECK_EQ(status_of(pids[i]), -1);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = atoi(argv[1]);
    RUN(nobody_uses_a_frame_after_its_sweep);
    RUN(a_killed_task_keeps_its_memory_until_it_is_off_its_hart);
    return check_summary("victim");
}
