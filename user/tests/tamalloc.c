/*
 * tamalloc -- large areas that cost nothing until they are touched: its edge cases in section 5, too.
 *
 * If it fails: a size is refused or granted that must not be, memory is taken that was not touched, is not zero, or
 * belongs to two areas.
 */
#include <inttypes.h>
#include "user/tests/pages.h"

#define TASK_BYTES USER_LIMIT                   /* TASK_SIZE: what the argument is compared with */

static long pages_reserved(void) { return (long)row_of(0).reserved_memory / 4; }
static long pages_resident(void) { return (long)row_of(0).committed_memory / 4; }

/* An address that may be an area's: not an error, below TASK_SIZE, on a page. */
static int is_area(const void *area)
{
    return area != TAMALLOC_ERROR && ((uintptr_t)area & (PAGE - 1)) == 0 && area != 0 && (uintptr_t)area < TASK_BYTES;
}

/* ---- Sizes */

TEST(sizes_that_are_refused)                    /* R002-1, R004-1, A002-2 */
{
    static const uint64_t too_large[] = {
        TASK_BYTES + 1, TASK_BYTES + PAGE, TASK_BYTES + TASK_BYTES / 2, 2ull * TASK_BYTES, 1ull << 62, (1ull << 63) - 1,
        1ull << 63, (1ull << 63) + 1,
        ~0ul - 2 * PAGE, ~0ul - PAGE, ~0ul - PAGE + 1, ~0ul - PAGE + 2, ~0ul - 1, ~0ul,     /* rounding these up would wrap */
    };
    long before = pages_reserved();

    FAILS(tamalloc(0), EINVAL);
    for (size_t i = 0; i < COUNT(too_large); i++)               /* some are no sizes where a size has 32 bits */
        if (too_large[i] <= SIZE_MAX && !FAILS(tamalloc((size_t)too_large[i]), EINVAL))
            printf("size %" PRIx64 "\n", too_large[i]);
    FAILS(tamalloc(TASK_BYTES), ENOMEM);        /* small enough for the argument, too large beside the program */
    FAILS(tamalloc(TASK_BYTES - 1), ENOMEM);
    FAILS(tamalloc(TASK_BYTES - PAGE), ENOMEM);
    CHECK_EQ(pages_reserved(), before);
}

TEST(sizes_are_rounded_up)                      /* R002-1; section 5: 1 and 5000 */
{
    static const struct { size_t nbytes; long pages; } sizes[] = {
        { 1, 1 }, { 2, 1 }, { 4095, 1 }, { 4096, 1 }, { 4097, 2 }, { 5000, 2 }, { 8192, 2 }, { 8193, 3 }, { 10ul << 20, 2560 },
    };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        long before = pages_reserved();
        char *area = tamalloc(sizes[i].nbytes);
        CHECK(is_area(area));
        CHECK_EQ(pages_reserved() - before, sizes[i].pages);
        size_t pages = (size_t)sizes[i].pages;
        CHECK_EQ(pages_with(0, area, pages, PAGE_IS_GRANTED | PAGE_IS_RESIDENT, PAGE_IS_GRANTED), pages);
        area[0] = area[pages * PAGE - 1] = 'x';
    }
}

static int take_all_addresses(void *unused)
{
    int areas = 0;

    (void)unused;
    for (size_t nbytes = TASK_BYTES; nbytes > 0; nbytes /= 2)
        for (void *area; (area = tamalloc(nbytes)) != TAMALLOC_ERROR; areas++) {
            if (!is_area(area) || areas > 1000)
                return 1;
            *(volatile char *)area = 1;
            ((volatile char *)area)[nbytes - 1] = 1;
        }
    long before = pages_reserved(), resident = pages_resident();
    if (errno != ENOMEM || tamalloc(1) != TAMALLOC_ERROR || errno != ENOMEM)
        return 2;
    if (pages_reserved() != before || pages_resident() != resident)
        return 3;
    if (before < (long)(TASK_BYTES / PAGE / 2))                 /* nearly all there is was granted */
        return 4;
    return malloco(PAGE) != REGION_START;       /* and its addresses are its own */
}

TEST(addresses_end)                             /* R002-4; section 5: no hole is -ENOMEM and changes nothing */
{
    CHECK_EQ(in_child(take_all_addresses, 0), 0);
}

static int touch(void *address) { return *(volatile char *)address; }
static int poke(void *address) { *(volatile char *)address = 1; return 0; }
static int jump(void *address) { ((void (*)(void))address)(); return 0; }

static int grow_beside_everything(void *unused)
{
    char *half = tamalloc(TASK_BYTES / 2);
    volatile char frame[64 * PAGE];             /* the stack still grows, and the heap */

    (void)unused;
    for (size_t i = 0; i < 64; i++)
        frame[i * PAGE] = (char)i;
    char *heap = sbrk(64 * PAGE);
    if (!is_area(half) || heap == SBRK_ERROR)
        return 1;
    memset(heap, 1, 64 * PAGE);
    return half[0] + frame[5 * PAGE] - 5 + half[TASK_BYTES / 2 - 1];
}

TEST(stack_and_heap_grow_beside_it) { CHECK_EQ(in_child(grow_beside_everything, 0), 0); }

/* ---- Where */

static struct area_info areas[8192];

/* Areas ascend, do not overlap, and an unmapped page lies on both sides of each that is tamalloc's. */
static int areas_are_apart(int n)
{
    int bad = 0;
    for (int i = 0; i < n; i++) {
        struct area_info *a = &areas[i];
        bad += a->start >= a->end || ((a->start | a->end) & (PAGE - 1)) != 0;
        uint64_t gap = a->kind == AREA_TAMALLOC ? PAGE : 0;
        if (i > 0)
            bad += areas[i - 1].end + (areas[i - 1].kind == AREA_TAMALLOC ? PAGE : gap) > a->start;
        bad += a->kind == AREA_TAMALLOC && (a->access != (AREA_READ | AREA_WRITE) || a->end > TASK_BYTES);
    }
    return bad;
}

TEST(a_page_on_each_side_belongs_to_nobody)     /* R002-1; section 5: the guard page */
{
    char *area[4];

    CHECK_EQ(malloco(PAGE), REGION_START);
    for (size_t i = 0; i < COUNT(area); i++)
        CHECK(is_area(area[i] = tamalloc((i + 1) * PAGE)));
    for (size_t i = 0; i < COUNT(area); i++) {
        char *end = area[i] + (i + 1) * PAGE;
        memset(area[i], 'a', (i + 1) * PAGE);
        CHECK_EQ(state_of(0, area[i] - 1), 0);
        CHECK_EQ(state_of(0, end), 0);
        CHECK_EQ(in_child(touch, end - 1), 'a');
        EVICTED(touch, end);
        EVICTED(poke, end + PAGE - 1);
        EVICTED(touch, area[i] - 1);
        EVICTED(poke, area[i] - 1);
    }
    int n = arealist(0, areas, COUNT(areas));
    CHECK(n > 8);
    CHECK_EQ(areas_are_apart(n), 0);
    for (int i = 0; i < n; i++)                 /* nothing touches REGION but REGION */
        CHECK(areas[i].kind == AREA_REGION || areas[i].end <= (uintptr_t)REGION_START
              || areas[i].start >= (uintptr_t)REGION_START + REGION_BYTES);
    FAILS(chau(area[0]), EINVAL);               /* section 5: it is no block of malloco */
    CHECK_EQ(area[0][0], 'a');
}

TEST(it_executes_only_where_that_cannot_be_forbidden)           /* R002-1 */
{
    char *code = tamalloc(PAGE);

    memcpy(code, return_at_once, sizeof return_at_once);
    if (CAN_FORBID_EXECUTION) {
        EVICTED(jump, code);
        EVICTED(jump, tamalloc(PAGE));          /* nor does what was never touched */
    } else {
        CHECK_EQ(in_child(jump, code), 0);
    }
}

/* ---- What it costs */

TEST(the_call_takes_nothing)                    /* R002-2, A004-7: no frame, no fault, whatever the size */
{
    struct kcounters before, after;
    long resident = pages_resident();
    int free_of_cost = 0;
    size_t ram = (size_t)counters_now().frames_total * PAGE;
    size_t huge = 16 * ram < TASK_BYTES / 8 ? 16 * ram : TASK_BYTES / 8;        /* three of them find a place */

    CHECK(huge > 2 * ram);

    for (int i = 0; i < 6; i++) {               /* somebody in the kernel may take a frame meanwhile; not each time */
        before = counters_now();
        before = counters_now();
        char *area = tamalloc(i % 2 ? 10ul << 20 : huge);
        after = counters_now();
        CHECK(is_area(area));                   /* section 5: 16 times all memory, if there are addresses */
        CHECK_EQ(after.demand_faults, before.demand_faults);
        CHECK_EQ(after.pages_committed, before.pages_committed);
        free_of_cost += frames_to_have(&after) >= frames_to_have(&before);
    }
    CHECK(free_of_cost >= 4);
    CHECK_EQ(pages_resident(), resident);
}

TEST(each_page_comes_when_touched)              /* R002-3: a first read counts as well as a first write */
{
    struct kcounters before, after;
    char *area = tamalloc(64 * PAGE);
    volatile char sum = 0;

    own_stack_and_variables();
    for (size_t i = 1; i < 64; i += 9) {
        long resident = pages_resident();
        before = counters_now();
        if (i % 2)
            sum += ((volatile char *)area)[i * PAGE + 4095];
        else
            ((volatile char *)area)[i * PAGE] = 1;
        after = counters_now();
        CHECK_EQ(after.demand_faults - before.demand_faults, 1);
        CHECK_EQ(pages_resident() - resident, 1);
        CHECK_EQ(state_of(0, area + i * PAGE), PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_WRITABLE);
        CHECK_EQ(state_of(0, area + (i - 1) * PAGE), PAGE_IS_GRANTED);          /* and no neighbour */
        CHECK_EQ(state_of(0, area + (i + 1) * PAGE), PAGE_IS_GRANTED);
        before = counters_now();
        sum += ((volatile char *)area)[i * PAGE + 1];
        ((volatile char *)area)[i * PAGE + 2] = 1;
        after = counters_now();
        CHECK_EQ(after.demand_faults, before.demand_faults);    /* it is there: no second fault */
    }
    CHECK_EQ(sum, 0);
}

static int soil(void *nbytes)
{
    char *area = tamalloc((size_t)nbytes);
    memset(area, 0xA5, (size_t)nbytes);
    return area[(size_t)nbytes - 1] == (char)0xA5 ? 0 : 1;
}

TEST(memory_is_zero_although_others_used_it)    /* R002-3 */
{
    size_t nbytes = 8ul << 20;

    for (int round = 0; round < 2; round++) {
        CHECK_EQ(in_child(soil, (void *)nbytes), 0);            /* its frames are the next to be handed out */
        uint64_t *area = tamalloc(nbytes / 2), sum = 0;
        CHECK(is_area(area));
        for (size_t i = 0; i < nbytes / 2 / 8; i++)
            sum |= area[i];
        CHECK(sum == 0);
    }
}

static int ten_megabytes(struct partner *self, void *unused)    /* what the program of the course does */
{
    int failures = check_failures;

    (void)unused;
    own_stack_and_variables();
    struct process_mem_info before = row_of(0);
    char *area = tamalloc(10ul << 20);
    struct process_mem_info granted = row_of(0);
    tell(self);
    await(self);
    for (size_t i = 0; i < 10ul << 20; i++) {
        if (area[i] != 0)
            return 1;
        area[i] = (char)('A' + i % 26);
    }
    struct process_mem_info used = row_of(0);
    CHECK_EQ(granted.reserved_memory - before.reserved_memory, 10240);
    CHECK_EQ(granted.committed_memory, before.committed_memory);
    CHECK_EQ(used.reserved_memory, granted.reserved_memory);
    CHECK_EQ(used.committed_memory - granted.committed_memory, 10240);
    tell(self);
    await(self);
    return check_failures != failures;
}

TEST(accounts_of_ten_megabytes)                 /* R002-7; the frames that come back at its end are around's to check */
{
    struct kcounters before, granted, used, after;

    before = counters_now();
    struct partner p = partner_start(ten_megabytes, 0);
    await(&p);
    granted = counters_now();
    tell(&p);
    await(&p);
    used = counters_now();
    CHECK_EQ(used.demand_faults - granted.demand_faults, 2560);
    long frames = frames_to_have(&granted) - frames_to_have(&used);
    CHECK(frames >= 2560 && frames <= 2560 + 5 + 2 + 8);        /* leaf tables, tables above; and a few of the kernel's own */
    long in_user_pool = (long)(granted.frames_user_free + granted.frames_cached - used.frames_user_free - used.frames_cached);
    CHECK(in_user_pool >= 2560);                /* R000-7: none of them is a frame of the kernel's pool, where it has one */
    CHECK(KERNEL_POOL_FRAMES == 0 || used.frames_kernel_free > 0);      /* which would not have lasted until now otherwise */
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
    after = counters_now();
    CHECK(frames_to_have(&after) >= frames_to_have(&before) - 8);
}

/* ---- Many */

static int sees_all_areas(void *first)
{
    static struct area_info one;
    struct process_mem_info row = row_of(0);
    char *base = first;

    if (arealist(0, &one, 1) < 5000 || row.reserved_memory < 5000ul * 4)
        return 1;
    if (base[0] != 'f' || base[2 * PAGE] != 0)
        return 2;
    base[2 * PAGE] = 'c';
    return tamalloc(1) == TAMALLOC_ERROR;
}

TEST(five_thousand_areas)
{
    enum { AREAS = 5000 };
    static char *at[AREAS];
    int bad = 0, before = arealist(0, areas, 0);
    long reserved = pages_reserved();

    for (int i = 0; i < AREAS; i++) {
        at[i] = tamalloc(1);
        bad += !is_area(at[i]) || (i > 0 && at[i] == at[i - 1]);
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(pages_reserved() - reserved, AREAS);
    int n = arealist(0, areas, COUNT(areas));
    CHECK_EQ(n, before + AREAS);
    CHECK_EQ(areas_are_apart(n), 0);
    at[0][0] = 'f';
    for (int i = AREAS - 64; i < AREAS; i++) {
        bad += at[i][0] != 0;
        at[i][0] = (char)i;
    }
    for (int i = AREAS - 64; i < AREAS; i++)
        bad += at[i][0] != (char)i || at[i][1] != 0;
    CHECK_EQ(bad, 0);
    CHECK_EQ(in_child(sees_all_areas, at[0]), 0);               /* R001-4: all of them are copied */
    CHECK_EQ(at[1][0], 0);
    for (n = 0; n < 100000 && tamalloc(1) != TAMALLOC_ERROR; n++)
        ;
    CHECK_EQ(errno, ENOMEM);                    /* section 5: no area slot is -ENOMEM and changes nothing */
    reserved = pages_reserved();
    FAILS(tamalloc(PAGE), ENOMEM);
    CHECK_EQ(pages_reserved(), reserved);
    CHECK_EQ(at[0][0], 'f');
}

/* ---- The kernel as the first who touches it */

TEST(calls_use_untouched_areas)                 /* section 5: the page is faulted in */
{
    char *area = tamalloc(8 * PAGE), *text = tamalloc(PAGE), small[8] = "";
    int fds[2], status;

    CHECK_EQ(pipe((int *)(area + PAGE - 4)), 0);                /* two pages at once */
    memcpy(fds, area + PAGE - 4, sizeof fds);
    CHECK_EQ(write(fds[1], area + 3 * PAGE, 8), 8);
    CHECK_EQ(read(fds[0], small, 8), 8);
    CHECK(small[0] == 0 && small[7] == 0);
    CHECK_EQ(write(fds[1], "hello", 6), 6);
    CHECK_EQ(read(fds[0], area + 5 * PAGE - 2, 6), 6);
    CHECK_EQ(strcmp(area + 5 * PAGE - 2, "hello"), 0);
    FAILS(open(text, O_RDONLY), ENOENT);                        /* an empty name */
    int pid = fork();
    if (pid == 0)
        exit(9);
    CHECK_EQ(wait_for_task(pid, (int *)(area + 6 * PAGE)), pid);
    CHECK_EQ(*(int *)(area + 6 * PAGE), 9);
    CHECK_EQ(pages_with(0, area, 8, PAGE_IS_RESIDENT, PAGE_IS_RESIDENT), 6);    /* all but 2 and 7 */
    CHECK_EQ(write(fds[1], "x", 1), 1);
    FAILS(read(fds[0], area + 8 * PAGE, 1), EFAULT);            /* the guard page is nobody's for the kernel, too */
    FAILS(write(fds[1], area + 8 * PAGE - 4, 8), EFAULT);
    FAILS(kcounters((struct kcounters *)(area + 8 * PAGE - 8)), EFAULT);
    FAILS(wait((int *)(area - 4)), EFAULT);
    close(fds[0]), close(fds[1]);
    pid = fork();
    if (pid == 0)
        exit(0);
    CHECK_EQ(wait(&status), pid);               /* and the caller lives */
}

/* ---- After fork */

static int zero_in_child(void *area)
{
    char *page = area;

    if (page[0] != 'p' || page[PAGE] != 0)
        return 1;
    page[0] = page[PAGE] = page[2 * PAGE] = 'c';
    return 0;
}

TEST(an_untouched_page_is_zero_in_each)         /* R002-8 */
{
    struct kcounters before, after;
    char *area = tamalloc(3 * PAGE);

    area[0] = 'p';
    CHECK_EQ(in_child(zero_in_child, area), 0);
    before = counters_now();
    before = counters_now();
    CHECK_EQ(area[0], 'p');
    CHECK_EQ(state_of(0, area + PAGE), PAGE_IS_GRANTED);
    CHECK(area[PAGE] == 0 && area[2 * PAGE] == 0);
    after = counters_now();
    CHECK_EQ(after.demand_faults - before.demand_faults, 2);
}

static int first_area_after_exec(void *unused)
{
    char *argv[] = { "tamalloc", "first", 0 };

    (void)unused;
    tamalloc(1 << 20);
    tamalloc(1 << 20);
    exec("/tests/tamalloc", argv);
    return 100;
}

TEST(a_new_program_starts_without_areas) { CHECK_EQ(in_child(first_area_after_exec, 0), 0); }

static int only_the_programs_own(void)
{
    static struct area_info few[16];
    int n = arealist(0, few, COUNT(few)), foreign = 0;

    for (int i = 0; i < n; i++)
        foreign += few[i].kind == AREA_TAMALLOC || few[i].kind == AREA_REGION;
    return foreign;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "first") == 0)
        return only_the_programs_own();
    RUN(sizes_that_are_refused);
    RUN(sizes_are_rounded_up);
    RUN(addresses_end);
    RUN(stack_and_heap_grow_beside_it);
    RUN(a_page_on_each_side_belongs_to_nobody);
    RUN(it_executes_only_where_that_cannot_be_forbidden);
    RUN(the_call_takes_nothing);
    RUN(each_page_comes_when_touched);
    RUN(memory_is_zero_although_others_used_it);
    RUN(accounts_of_ten_megabytes);
    RUN(calls_use_untouched_areas);
    RUN(an_untouched_page_is_zero_in_each);
    RUN(a_new_program_starts_without_areas);
    RUN(five_thousand_areas);
    return check_summary("tamalloc");
}
