/*
 * checks.c -- the frame allocator: kernel tasks take and give back frames, on one hart and on several, with many free frames and
 * with almost none. A table beside the allocator's own remembers who has which frame.
 */
#include "labs/kernel_check.h"

#define FRAMES_MAX 32768                /* of the 128 MiB the checks get */

struct note { struct note *next; };     /* held frames are chained through themselves */

static uint32_t owner[FRAMES_MAX];      /* 0: not handed out by a check; atomic */

static size_t index_of(const void *frame) { return ((uintptr_t)frame - frame_table.first) >> PAGE_SHIFT; }

static bool is_a_frame(const void *frame)
{
    return (uintptr_t)frame >= frame_table.first && index_of(frame) < FRAMES_MAX && ((uintptr_t)frame & PAGE_MASK) == 0
        && (uintptr_t)frame - frame_table.first < frame_table.bytes;
}

/* take -- a frame that is `who`s now, or NULL. No frame may be somebody else's already. */
static void *take(unsigned who)
{
    void *frame = alloc_page_raw();
    if (frame == NULL)
        return NULL;
    if (!is_a_frame(frame)) {
        EXPECT(false, "no-frame", "alloc_page gives 0x%lx, which is no frame of RAM", (long)(uintptr_t)frame);
        return NULL;
    }
    unsigned before = __atomic_exchange_n(&owner[index_of(frame)], who, __ATOMIC_RELAXED);
    EXPECT(before == 0, "twice", "frame 0x%lx is given to worker %u, but worker %u has it", (long)(uintptr_t)frame, who, before);
    return frame;
}

static void give(void *frame)
{
    __atomic_store_n(&owner[index_of(frame)], 0, __ATOMIC_RELAXED);
    free_page(frame);
}

static void give_all(struct note *held)
{
    while (held != NULL) {
        struct note *next = held->next;
        give(held);
        held = next;
    }
}

/* ---- One hart */

static void every_frame_is_there(void)
{
    size_t expected = frame_table.bytes / PAGE_SIZE, free = 0;
    EXPECT(frames_total() == expected, "wrong-count", "frames of all: expected %zu, from 0x%lx to the end of RAM, saw %zu", expected,
           (long)frame_table.first, frames_total());
    for (unsigned tries = 0; tries < 20; tries++) {     /* other harts may still be busy with their start */
        size_t before = frames_free();
        free = 0;
        for (size_t i = 0; i < expected; i++)
            free += frame_table.pages[i].refs == 0;
        if (free == before)
            break;
        sleep_until_us(clock_uptime_us() + 10000);
    }
    EXPECT(frames_free() == free, "wrong-count", "free frames: %zu have no reference, the lists count %zu", free, frames_free());
}

/* The lists hold what they say: all of it can be had, from the first frame to the last of RAM, each once; then there is NULL. */
static void every_frame_and_null(void)
{
    size_t before = frames_free(), taken = 0;
    uintptr_t lowest = UINTPTR_MAX, highest = 0;
    struct note *held = NULL, *frame;
    while (taken <= before && (frame = take(1)) != NULL) {
        frame->next = held;
        held = frame;
        lowest = MIN(lowest, (uintptr_t)frame);
        highest = MAX(highest, (uintptr_t)frame);
        taken++;
    }
    uintptr_t last = frame_table.first + frame_table.bytes - PAGE_SIZE;
    EXPECT(taken == before, "wrong-count", "%zu frames were free, alloc_page gave %zu", before, taken);
    EXPECT(frames_free() == 0, "wrong-count", "all frames are taken: frames_free() must be 0, saw %zu", frames_free());
    EXPECT(highest == last, "last-frame", "the highest frame that can be had is 0x%lx, RAM's last is 0x%lx", (long)highest, (long)last);
    EXPECT(alloc_page() == NULL && alloc_page() == NULL, "not-null", "no frame is left: expected NULL");
    give_all(held);
    EXPECT(frames_free() == before, "wrong-count", "all frames are back: expected %zu free ones, saw %zu", before, frames_free());
}

static void last_in_first_out(void)
{
    irq_push();                                 /* nobody else on this hart meanwhile */
    void *a = alloc_page(), *b = alloc_page();
    EXPECT(a != NULL && b != NULL && a != b, "twice", "two frames: expected two different ones, saw 0x%lx and 0x%lx", (long)a, (long)b);
    free_page(a);
    free_page(b);
    void *first = alloc_page(), *second = alloc_page();
    EXPECT(first == b, "not-head", "freed last: 0x%lx; alloc_page gives 0x%lx", (long)b, (long)first);
    EXPECT(second == a, "not-head", "freed before that: 0x%lx; alloc_page gives 0x%lx", (long)a, (long)second);
    free_page(first);
    free_page(second);
    irq_pop();
}

static void frames_are_zero(void)
{
    uint64_t *frames[8];
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
            frames[i] = alloc_page();
            EXPECT(frames[i] != NULL, "", "a frame, with many free: expected one, saw NULL");
            if (frames[i] == NULL)
                return;
            for (unsigned word = 0; word < PAGE_SIZE / 8; word++)
                if (frames[i][word] != 0) {
                    EXPECT(false, "not-zero", "word %u of a new frame is 0x%lx, expected 0", word, (long)frames[i][word]);
                    break;
                }
            for (unsigned word = 0; word < PAGE_SIZE / 8; word++)
                frames[i][word] = (uint64_t)check_random() << 32 | 0xD1;
        }
        for (unsigned i = 0; i < ARRAY_SIZE(frames); i++)
            free_page(frames[i]);
    }
    EXPECT(true, "", "reached");
}

/* The count is right after each step, also where a hart's list gives a batch to the pool or takes one. */
static void count_is_exact(void)
{
    static uint64_t *frames[300];
    static uint64_t words[300];
    unsigned held = 0;
    size_t before = frames_free();
    for (unsigned step = 0; step < 3000; step++) {
        bool more = step < 1000 ? check_random() % 3 != 0 : step < 2000 ? check_random() % 2 == 0 : check_random() % 3 == 0;
        if (more && held < ARRAY_SIZE(frames)) {
            frames[held] = take(1);
            EXPECT(frames[held] != NULL, "", "a frame, with many free: expected one, saw NULL");
            if (frames[held] == NULL)
                return;
            words[held] = frames[held][0] = frames[held][1] = (uint64_t)check_random() << 32 | 0xD1;    /* no pointer */
            held++;
        } else if (held > 0) {
            unsigned which = check_random() % held;
            uint64_t *frame = frames[which];
            EXPECT(frame[0] == words[which] && frame[1] == words[which], "twice",
                   "the first words of a frame in use: expected 0x%lx as its owner wrote, saw 0x%lx and 0x%lx", (long)words[which],
                   (long)frame[0], (long)frame[1]);
            frames[which] = frames[--held];
            words[which] = words[held];
            give(frame);
        }
        EXPECT(frames_free() == before - held, "wrong-count", "step %u, %u frames held: expected %zu free, saw %zu", step, held,
               before - held, frames_free());
        if (frames_free() != before - held)
            return;
    }
    while (held > 0)
        give(frames[--held]);
    EXPECT(frames_free() == before, "wrong-count", "all back: expected %zu free frames, saw %zu", before, frames_free());
}

/* ---- What free_page() must refuse: the grader reads the console of these. */

static void free_twice(void)
{
    void *frame = alloc_page();
    printk("check: frees %p\n", frame);
    free_page(frame);
    free_page(frame);
    printk("check: went on\n");
}

static void free_bad(uintptr_t address)
{
    printk("check: frees %p\n", (void *)address);
    free_page((void *)address);
    printk("check: went on\n");
}

static void free_misaligned(void) { free_bad((uintptr_t)alloc_page() + 8 * (1 + check_random() % 500)); }
static void free_below(void) { free_bad(frame_table.first - PAGE_SIZE * (1 + check_random() % 8)); }
static void free_above(void) { free_bad(frame_table.first + frame_table.bytes + PAGE_SIZE * (check_random() % 8)); }

/* ---- Several harts */

#define WORKERS 4

static unsigned arrived;

static void start_together(void)
{
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < WORKERS)
        yield();
}

/* In the grader's machine harts take turns when a timer interrupt comes. Here this hart's comes in a moment, so that it stands in the
 * middle of what the allocator does next while the others go on. */
static void shake(uint64_t *random, uint64_t from)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    timer_set(clock_now() + from + (*random >> 33) % 24);
}

/* Each holds up to `most` frames; 10000 calls. */
static void take_and_give(unsigned who, unsigned most)
{
    struct note *held = NULL, *frame;
    uint64_t random = check_seed + who;
    unsigned count = 0;
    for (unsigned calls = 0; calls < 10000; calls++) {
        shake(&random, 1);
        if (count < most && (frame = take(who)) != NULL) {
            frame->next = held;
            held = frame;
            count++;
            continue;
        }
        for (; held != NULL; held = frame) {
            frame = held->next;
            EXPECT(owner[index_of(held)] == who, "twice", "frame 0x%lx of worker %u has been given to worker %u", (long)(uintptr_t)held, who,
                   owner[index_of(held)]);
            give(held);
        }
        count = 0;
    }
    give_all(held);
}

/* ---- Batches: a hart's list exchanges one with the pool at every 32nd call or so. The workers bring their lists to where the next
 * call does it, wait for each other, and then all make that call. How long a list is, is guessed from the time that a call takes: a
 * wrong guess only makes a race less likely to be seen. */
#define LIST_MAX 64                     /* 2 * BATCH of kalloc.c */
#define ROUNDS   160

struct worker {
    unsigned     who;
    struct note *held;
    unsigned     count;
    int          length;                /* of this hart's list, as we guess; -1: no idea */
    struct cpu  *cpu;
    uint64_t     random, give_time;
};

static unsigned arrived_at;

/* meet -- until all workers have come here for the n-th time. */
static void meet(unsigned n)
{
    __atomic_fetch_add(&arrived_at, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&arrived_at, __ATOMIC_SEQ_CST) < n * WORKERS)
        yield();
}

static bool take_one(struct worker *w)
{
    struct note *frame = take(w->who);
    if (frame == NULL)
        return false;
    frame->next = w->held;
    w->held = frame;
    w->count++;
    w->length = w->length > 0 ? w->length - 1 : w->length == 0 ? LIST_MAX / 2 - 1 : -1;
    return true;
}

static void give_one(struct worker *w)
{
    struct note *frame = w->held;
    if (frame == NULL)
        return;
    EXPECT(owner[index_of(frame)] == w->who, "twice", "frame 0x%lx of worker %u has been given to worker %u", (long)(uintptr_t)frame, w->who,
           owner[index_of(frame)]);
    w->held = frame->next;
    w->count--;
    give(frame);
    if (w->length >= 0 && ++w->length == LIST_MAX)
        w->length = LIST_MAX / 2;
}

/* Interrupts are off: who takes longer than the fastest, but not much, has fetched a batch. */
static void guess_length(struct worker *w)
{
    uint64_t fastest = UINT64_MAX;
    while (w->count > 100)
        give_one(w);
    for (unsigned i = 0; i < 200 && w->length < 0; i++) {
        uint64_t start = clock_now();
        if (!take_one(w))
            return;
        uint64_t time = clock_now() - start;
        fastest = MIN(fastest, time);
        if (i > 8 && time > fastest + 8 && time < fastest + 40)
            w->length = LIST_MAX / 2 - 1;
    }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t start = clock_now();
        give_one(w);
        w->give_time = MIN(w->give_time, clock_now() - start);
    }
}

static void bring_length_to(struct worker *w, int length)
{
    irq_push();
    if (w->cpu != this_cpu()) {
        w->cpu = this_cpu();
        w->length = -1;
    }
    if (w->length < 0)
        guess_length(w);
    while (w->length > length && take_one(w))
        ;
    while (w->length >= 0 && w->length < length && w->held != NULL)
        give_one(w);
    irq_pop();
}

static void batch_worker(void *number)
{
    struct worker w = { .who = (unsigned)(uintptr_t)number + 1, .length = -1, .random = check_seed + (uintptr_t)number, .give_time = 1000 };
    for (unsigned round = 0; round < ROUNDS; round++) {
        bring_length_to(&w, 0);
        meet(2 * round + 1);
        irq_push();
        shake(&w.random, 1);
        take_one(&w);
        irq_pop();
        bring_length_to(&w, LIST_MAX - 1);
        meet(2 * round + 2);
        irq_push();
        shake(&w.random, w.give_time);          /* free_page() fills the frame before it comes to its lists */
        give_one(&w);
        irq_pop();
    }
    give_all(w.held);
}

static void all_harts_move_batches(void)
{
    size_t before = frames_free();
    arrived_at = 0;
    run_workers(WORKERS, batch_worker);
    EXPECT(frames_free() == before, "lost", "after %u workers took and gave back 10000 frames each: expected %zu free frames, saw %zu", WORKERS,
           before, frames_free());
}

static void scarce_worker(void *number)
{
    start_together();
    take_and_give((unsigned)(uintptr_t)number + 1, 40);
}

/* Almost no frame is free: the pool is empty, and harts take from each other's lists. */
static void harts_fight_for_the_last(void)
{
    size_t before = frames_free();
    struct note *held = NULL, *frame;
    while (frames_free() > 50 && (frame = take(100)) != NULL) {
        frame->next = held;
        held = frame;
    }
    arrived = 0;
    run_workers(WORKERS, scarce_worker);
    give_all(held);
    EXPECT(frames_free() == before, "lost", "after the harts fought for the last 50 frames: expected %zu free ones, saw %zu", before, frames_free());
}

/* All take until there is nothing: together they have each frame once. */
static size_t got[WORKERS];
static struct note *chains[WORKERS];

static void greedy_worker(void *number)
{
    size_t me = (uintptr_t)number;
    struct note *frame;
    start_together();
    while ((frame = take((unsigned)me + 1)) != NULL) {
        frame->next = chains[me];
        chains[me] = frame;
        got[me]++;
    }
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < 2 * WORKERS)
        yield();                                /* nobody gives back before all have seen NULL */
    give_all(chains[me]);
}

static void all_harts_take_all(void)
{
    for (unsigned round = 0; round < 3; round++) {
        size_t before = frames_free(), sum = 0;
        arrived = 0;
        memset(got, 0, sizeof(got));
        memset(chains, 0, sizeof(chains));
        run_workers(WORKERS, greedy_worker);
        for (unsigned i = 0; i < WORKERS; i++)
            sum += got[i];
        EXPECT(sum <= before && sum + 20 >= before, "lost", "%zu frames were free, the workers got %zu together", before, sum);
        EXPECT(frames_free() == before, "lost", "all gave theirs back: expected %zu free frames, saw %zu", before, frames_free());
    }
}

KERNEL_CHECKS({ "every_frame_is_there", every_frame_is_there }, { "every_frame_and_null", every_frame_and_null },
              { "last_in_first_out", last_in_first_out }, { "frames_are_zero", frames_are_zero }, { "count_is_exact", count_is_exact },
              { "free_twice", free_twice }, { "free_misaligned", free_misaligned }, { "free_below", free_below },
              { "free_above", free_above }, { "all_harts_move_batches", all_harts_move_batches },
              { "harts_fight_for_the_last", harts_fight_for_the_last }, { "all_harts_take_all", all_harts_take_all })
