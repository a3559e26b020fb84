/* sbrk, sbrklazy, malloc, the stack: memory comes zeroed, only when promised, and goes back. */
#include <stdlib.h>
#include "user/tests/support.h"
#include "instructions.h"

TEST(sbrk_moves_the_end_and_says_the_old_one)
{
    char *start = sbrk(0);

    CHECK_EQ(sbrk(0), start);
    CHECK_EQ(sbrk(1), start);
    CHECK_EQ(sbrk(4095), start + 1);
    CHECK_EQ(sbrk(10000), start + 4096);
    start[0] = start[5000] = 'x';
    CHECK_EQ(sbrk(-10000), start + 14096);
    CHECK_EQ(sbrk(-4096), start + 4096);
    CHECK_EQ(sbrk(0), start);
}

TEST(sbrk_fails_cleanly)
{
    char *end = sbrk(0);

    struct kcounters counters;
    intptr_t room = (intptr_t)(USER_IMAGE_END - (uintptr_t)end);

    kcounters(&counters);
    intptr_t all_frames = (intptr_t)(counters.frames_total * PAGE);
    CHECK(all_frames < room);
    FAILS(sbrk(all_frames), ENOMEM);            /* more than there is: refused while nothing is lost (DESIGN 10.7) */
    FAILS(sbrk(room + 1), ENOMEM);              /* beyond the heap's end */
    FAILS(sbrklazy(room + 1), ENOMEM);
    FAILS(sbrk(INTPTR_MAX), ENOMEM);
    FAILS(sbrklazy(INTPTR_MAX), ENOMEM);
    FAILS(sbrk(INTPTR_MIN), EINVAL);            /* below the heap's start */
    FAILS(sbrklazy(INTPTR_MIN), EINVAL);
    FAILS(sbrk(-room), EINVAL);
    FAILS(sbrk(-(intptr_t)(end - (char *)USER_BASE)), EINVAL);
    CHECK_EQ(sbrk(0), end);
}

TEST(memory_is_zero_and_zero_again)
{
    uint64_t *words = (uint64_t *)sbrk(64 * PAGE), sum = 0;

    for (size_t i = 0; i < 64 * PAGE / 8; i++)
        sum |= words[i];
    CHECK_EQ(sum, 0);
    memset(words, 0xff, 64 * PAGE);
    sbrk(-64 * (long)PAGE);
    words = (uint64_t *)sbrk(64 * PAGE);
    for (size_t i = 0; i < 64 * PAGE / 8; i++)
        sum |= words[i];
    CHECK_EQ(sum, 0);
    sbrk(-64 * (long)PAGE);
}

TEST(part_of_a_page_given_back_is_not_zeroed_unseen)
{
    char *start = sbrk(2 * PAGE);

    start[100] = 'a';
    sbrk(-(long)(2 * PAGE - 200));              /* the page with start[100] stays */
    CHECK_EQ(start[100], 'a');
    sbrk(-200);
}

TEST(nothing_is_used_until_touched)
{
    struct kcounters before, after;

    kcounters(&before);
    char *memory = sbrk(512 * PAGE);
    kcounters(&after);
    CHECK(before.frames_free - after.frames_free < 4);
    CHECK(after.pages_committed >= before.pages_committed + 512 - 4);
    kcounters(&before);
    memory[100 * PAGE] = 1;
    memory[100 * PAGE + 1] = 1;
    memory[300 * PAGE + 4095] = 1;
    kcounters(&after);
    CHECK_EQ(after.demand_faults - before.demand_faults, 2);
    CHECK(before.frames_free - after.frames_free < 8);
    kcounters(&before);
    sbrk(-512 * (long)PAGE);
    kcounters(&after);
    CHECK(after.frames_free >= before.frames_free + 2);
    CHECK(after.pages_committed + 500 < before.pages_committed);
}

TEST(lazy_memory_is_not_promised)
{
    struct kcounters before, after;

    kcounters(&before);
    intptr_t nbytes = (intptr_t)((before.frames_total + 1024) * PAGE);  /* more than the machine has */
    char *memory = sbrklazy(nbytes);
    CHECK(memory != SBRK_ERROR);
    kcounters(&after);
    CHECK_EQ(after.pages_committed, before.pages_committed);
    memory[0] = memory[nbytes - 1] = 'x';
    CHECK_EQ(memory[nbytes / 2], 0);
    sbrk(-nbytes);
}

TEST(mixed_heap_grows_and_shrinks)
{
    char *start = sbrk(0);

    for (int i = 0; i < 40; i++) {
        char *piece = i % 2 ? sbrklazy(3 * PAGE) : sbrk(5 * PAGE);
        CHECK(piece != SBRK_ERROR);
        piece[0] = piece[2 * PAGE] = (char)i;
    }
    CHECK_EQ(sbrk(0), start + 40 * 4 * PAGE);
    CHECK_EQ(start[0], 0);
    CHECK_EQ(start[39 * 4 * PAGE + PAGE], 39);
    CHECK(sbrk(start - sbrk(0)) != SBRK_ERROR);
    CHECK_EQ(sbrk(0), start);
}

static int touch(void *address) { return *(volatile char *)address; }
static int poke(void *address) { *(volatile char *)address = 1; return 0; }

TEST(memory_given_back_is_gone)
{
    char *memory = sbrk(4 * PAGE);

    memset(memory, 1, 4 * PAGE);
    sbrk(-2 * (long)PAGE);
    CHECK_EQ(in_child(touch, memory + 2 * PAGE - 1), 1);
    EVICTED(touch, memory + 2 * PAGE);
    EVICTED(poke, memory + 3 * PAGE);
    sbrk(-2 * (long)PAGE);
}

/* ---- The stack */

static int deep(void *depth)
{
    volatile char frame[4000];
    long left = (long)depth;

    frame[0] = (char)left;
    frame[3999] = (char)left;
    if (left > 0 && deep((void *)(left - 1)) != 0)
        return 1;
    return frame[0] != (char)left || frame[3999] != (char)left;
}

TEST(stack_grows_on_touch)
{
    CHECK_EQ(in_child(deep, (void *)500), 0);   /* 2 MB */
}

static int endless(void *unused)
{
    volatile char frame[1000];

    frame[0] = 1;
    return unused == (void *)1 ? 0 : endless(unused) + frame[0];
}

TEST(stack_overflow_kills_only_the_program)
{
    EVICTED(endless, 0);
    CHECK_EQ(in_child(deep, (void *)10), 0);
}

static int far_below_the_stack(void *unused)
{
    (void)unused;
    *(volatile char *)(stack_pointer() - (64ul << 20)) = 1;
    return 0;
}

TEST(far_below_the_stack_is_not_stack)
{
    EVICTED(far_below_the_stack, 0);
}

/* ---- malloc on top of it */

TEST(malloc_and_free)
{
    static char *blocks[200];
    int bad = 0;

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 200; i++) {
            size_t size = (size_t)(i * 37 % 3000) + 1;
            blocks[i] = malloc(size);
            bad += blocks[i] == 0 || ((uintptr_t)blocks[i] & 15) != 0;
            memset(blocks[i], i, size);
        }
        for (int i = 0; i < 200; i++) {
            size_t size = (size_t)(i * 37 % 3000) + 1;
            bad += blocks[i][0] != (char)i || blocks[i][size - 1] != (char)i;
            free(blocks[i]);
        }
    }
    CHECK_EQ(bad, 0);
    CHECK(malloc(SIZE_MAX / 4) == 0);
    CHECK(malloc(SIZE_MAX / 2) == 0);
    CHECK(malloc(SIZE_MAX) == 0);
    size_t more_than_root = (size_t)1 << (4 * sizeof(size_t) + 1);
    CHECK(calloc(more_than_root, more_than_root) == 0); /* the product wraps */
    free(0);
}

/* A forked child's heap is its own, also where nothing was touched before. */
static int grow_in_child(void *memory)
{
    char *first = memory;

    if (first[PAGE] != 0)
        return 1;
    first[PAGE] = 5;
    return sbrk(10 * PAGE) == SBRK_ERROR || sbrk(-20 * (long)PAGE) == SBRK_ERROR;
}

TEST(fork_copies_the_promise)
{
    struct kcounters before, during, after;
    char *memory = sbrk(20 * PAGE);
    int fds[2];
    char byte;

    memory[0] = 'm';
    CHECK_EQ(in_child(grow_in_child, memory), 0);
    CHECK(memory[0] == 'm' && memory[PAGE] == 0);
    pipe(fds);
    kcounters(&before);
    if (fork() == 0) {
        close(fds[1]);
        read(fds[0], &byte, 1);
        exit(0);
    }
    kcounters(&during);
    CHECK(during.pages_committed >= before.pages_committed + 20);
    close(fds[0]), close(fds[1]);
    wait(0);
    kcounters(&after);
    CHECK(after.pages_committed <= before.pages_committed);
    sbrk(-20 * (long)PAGE);
}

/* More is promised to nobody than there is: many askers get errors, and whoever got memory can fill it. */
static int hog(void *fd)
{
    long pages = 0;
    char *start = sbrk(0), byte;

    while (sbrk(256 * PAGE) != SBRK_ERROR)
        pages += 256;
    write((int)(long)fd, "r", 1);
    for (long i = 0; i < pages; i++)
        start[(unsigned long)i * PAGE] = (char)i;
    for (long i = 0; i < pages; i++)
        if (start[(unsigned long)i * PAGE] != (char)i)
            return 1;
    (void)byte;
    return 0;
}

TEST(promises_are_kept)
{
    int fds[2], status, hogs = 0;
    char byte;

    pipe(fds);
    for (int i = 0; i < 3; i++) {
        int pid = fork();               /* a hog that is quick leaves no promise for the next one: that is an error too */
        if (pid == 0)
            exit(hog((void *)(long)fds[1]));
        hogs += pid > 0;
    }
    CHECK(hogs > 0);
    for (int i = 0; i < hogs; i++)
        CHECK_EQ(read(fds[0], &byte, 1), 1);
    for (int i = 0; i < hogs; i++) {
        status = -2;
        CHECK(wait(&status) > 0);
        CHECK_EQ(status, 0);
    }
    close(fds[0]), close(fds[1]);
}

int main(void)
{
    RUN(sbrk_moves_the_end_and_says_the_old_one);
    RUN(sbrk_fails_cleanly);
    RUN(memory_is_zero_and_zero_again);
    RUN(part_of_a_page_given_back_is_not_zeroed_unseen);
    RUN(nothing_is_used_until_touched);
    RUN(lazy_memory_is_not_promised);
    RUN(mixed_heap_grows_and_shrinks);
    RUN(memory_given_back_is_gone);
    RUN(stack_grows_on_touch);
    RUN(stack_overflow_kills_only_the_program);
    RUN(far_below_the_stack_is_not_stack);
    RUN(malloc_and_free);
    RUN(fork_copies_the_promise);
    RUN(promises_are_kept);
    return check_summary("memory");
}
