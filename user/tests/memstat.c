/*
 * memstat -- the statistics calls 466, 467, 468: exact, whatever the buffer, at any moment.
 *
 * If it fails: a number is not what page table and areas say, a task is listed that must not be or is missing, something
 * is written outside the rows, or rows taken while others fork, fault and exit contradict themselves.
 */
#include <inttypes.h>
#include "user/tests/pages.h"

#define ROWS_MAX 512
#define CANARY   0xC5

static struct process_mem_info rows[ROWS_MAX + 1];

static void spread_canaries(void *at, size_t nbytes) { memset(at, CANARY, nbytes); }

static int canaries_are_intact(const void *from, const void *to)
{
    for (const unsigned char *byte = from; byte < (const unsigned char *)to; byte++)
        if (*byte != CANARY)
            return 0;
    return 1;
}

static struct process_mem_info *find_row(struct process_mem_info *in, int n, int pid)
{
    for (int i = 0; i < n; i++)
        if (in[i].pid == pid)
            return &in[i];
    return 0;
}

/* What must be true of every row at any moment: R004-2..5, A004-5. */
static int row_is_sound(const struct process_mem_info *row)
{
    size_t length = 0;

    while (length < sizeof row->process_name && row->process_name[length] != '\0')
        length++;
    if (length == 0 || length == sizeof row->process_name)
        return 0;
    for (size_t i = length; i < sizeof row->process_name; i++)
        if (row->process_name[i] != '\0')
            return 0;
    return row->pid > 0 && row->padding == 0 && row->committed_memory <= row->reserved_memory
        && row->reserved_memory % 4 == 0 && row->committed_memory % 4 == 0
        && row->committed_percent <= 100
        && row->committed_percent == (row->reserved_memory == 0 ? 0 : row->committed_memory * 100 / row->reserved_memory)
        && row->oom_score >= 0 && row->oom_score <= 1000;
}

static int rows_are_sound(const struct process_mem_info *in, int n)
{
    for (int i = 0; i < n; i++)
        if (!row_is_sound(&in[i]) || (i > 0 && in[i - 1].pid >= in[i].pid)) {
            printf("row %d of %d: pid %d name %.16s reserved %" PRIu64 " committed %" PRIu64 " percent %u score %d\n", i, n,
                   in[i].pid, in[i].process_name, in[i].reserved_memory, in[i].committed_memory,
                   (unsigned)in[i].committed_percent, (int)in[i].oom_score);
            return 0;
        }
    return 1;
}

/* ---- The numbers of a task against its areas and page table */

static struct area_info areas[64];

struct account { uint64_t reserved, resident; long tables; };   /* pages */

/* Tables: one root, and on each level below one for each span in which a page is present. */
static struct account account_of(int pid)
{
    static const unsigned long spans[] = TABLE_SPANS;
    struct account sum = { 0, 0, 1 };
    uint64_t last[COUNT(spans)];
    int n = arealist(pid, areas, COUNT(areas));

    memset(last, 0xff, sizeof last);
    for (int i = 0; i < n; i++) {
        sum.reserved += areas[i].reserved_pages;
        sum.resident += areas[i].resident_pages;
        for (uint64_t at = areas[i].start; areas[i].resident_pages > 0 && at < areas[i].end; ) {
            uint64_t next = (at | (spans[0] - 1)) + 1;
            uint64_t end = next < areas[i].end ? next : areas[i].end;
            size_t npages = (size_t)((end - at) / PAGE);
            if (pages_with(pid, (void *)(uintptr_t)at, npages, PAGE_IS_RESIDENT, PAGE_IS_RESIDENT) > 0)
                for (size_t level = 0; level < COUNT(spans); level++) {
                    sum.tables += at / spans[level] != last[level];
                    last[level] = at / spans[level];
                }
            at = end;
        }
    }
    return sum;
}

static int row_is_exact(int pid, const struct account *is, const struct process_mem_info *row)
{
    long total = (long)counters_now().frames_total;
    int score = (int)(1000 * ((long)is->resident + is->tables) / total);

    return CHECK_EQ(row->pid, pid) & CHECK_EQ(row->reserved_memory, is->reserved * 4)
         & CHECK_EQ(row->committed_memory, is->resident * 4) & CHECK_EQ(row->oom_score, score) & CHECK(row_is_sound(row));
}

static int rest(struct partner *self, void *unused)
{
    (void)unused;
    own_stack_and_variables();
    tell(self);
    await(self);
    return 0;
}

TEST(own_numbers_are_exact_at_every_step)       /* R004-3, R004-4: to the page */
{
    char *area = tamalloc(400 * PAGE), *block, *heap;
    struct account is;
    struct process_mem_info row;

    own_stack_and_variables();
    is = account_of(getpid());
    for (size_t i = 0; i < 400; i++) {          /* through several steps of the score */
        area[i * PAGE] = 1;
        if (i % 10 != 9 && i > 40)
            continue;
        is = account_of(getpid());
        row = row_of(0);
        if (!row_is_exact(getpid(), &is, &row))
            return;
    }
    block = malloco(100 * PAGE);
    CHECK_EQ(row_of(0).reserved_memory, is.reserved * 4 + 400);
    memset(block, 1, 50 * PAGE);
    heap = sbrklazy(100 * PAGE);
    memset(heap, 1, 30 * PAGE);
    is = account_of(getpid());
    row = row_of(0);
    row_is_exact(getpid(), &is, &row);
    CHECK(is.reserved >= 400 + 200 && is.resident >= 480);
    CHECK_EQ(chau(block), 0);                   /* MARKED still counts, until the sweep */
    for (int i = 0; i < 100 && row_of(0).reserved_memory == is.reserved * 4; i++)
        pause(1);
    CHECK_EQ(row_of(0).reserved_memory, (is.reserved - 100) * 4);
    CHECK_EQ(row_of(0).committed_memory, (is.resident - 50) * 4);
    sbrk(-100 * (long)PAGE);                    /* A004-2: what is resident now, no peak */
    CHECK_EQ(row_of(0).committed_memory, (is.resident - 80) * 4);
    is = account_of(getpid());
    row = row_of(0);
    row_is_exact(getpid(), &is, &row);
}

TEST(a_shared_frame_counts_in_each_sharer)      /* R004-3 */
{
    char *area = tamalloc(300 * PAGE);

    memset(area, 1, 300 * PAGE);
    struct partner p = partner_start(rest, 0);
    await(&p);
    struct account is = account_of(p.pid);
    struct process_mem_info row = row_of(p.pid);
    row_is_exact(p.pid, &is, &row);
    CHECK(row.committed_memory >= 1200);
    CHECK(row_of(0).committed_memory >= 1200);
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
}

static int touch_ten_megabytes(struct partner *self, void *unused)
{
    (void)unused;
    char *area = tamalloc(10ul << 20);
    own_stack_and_variables();
    tell(self);
    await(self);
    for (size_t i = 0; i < 10ul << 20; i += PAGE)
        area[i] = 1;
    tell(self);
    await(self);
    return 0;
}

TEST(ten_megabytes_raise_the_score)             /* R004-4, A004-3 */
{
    struct partner p = partner_start(touch_ten_megabytes, 0);
    long total = (long)counters_now().frames_total, expected = 1000 * 2560 / total;

    await(&p);
    struct process_mem_info before = row_of(p.pid);
    tell(&p);
    await(&p);
    struct process_mem_info after = row_of(p.pid);
    CHECK(after.oom_score - before.oom_score >= expected - 1 && after.oom_score - before.oom_score <= expected + 1);
    CHECK_EQ(after.committed_memory - before.committed_memory, 10240);
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
}

/* ---- 466: which rows, and nothing but the rows */

/* Everybody else sleeps: both lists must name the same tasks. */
static int same_tasks_as_tasklist(const struct process_mem_info *in, int n)
{
    static struct task_info tasks[ROWS_MAX];
    int total = tasklist(tasks, ROWS_MAX), seen = 0, kernel_tasks = 0;

    for (int i = 0; i < total; i++) {
        kernel_tasks += tasks[i].kernel_only;
        if (tasks[i].kernel_only || tasks[i].state == ZOMBIE)
            continue;
        if (seen >= n || in[seen].pid != tasks[i].pid || in[seen].reserved_memory != tasks[i].reserved_kb
            || memcmp(in[seen].process_name, tasks[i].name, TASK_NAME_SIZE) != 0)
            return 0;
        seen++;
    }
    return seen == n && kernel_tasks >= 2;      /* the sweeper and the flusher are not listed: R000-15 */
}

TEST(every_user_task_and_nobody_else)           /* R004-2, R004-5, A004-4 */
{
    struct partner p = partner_start(rest, 0);
    await(&p);
    spread_canaries(rows, sizeof rows);
    int n = get_all_pid_stats(rows, ROWS_MAX);
    CHECK(n >= 4 && n < ROWS_MAX);              /* init, a shell, this one, its partner */
    CHECK(rows_are_sound(rows, n));
    CHECK(same_tasks_as_tasklist(rows, n));
    CHECK(canaries_are_intact(&rows[n], &rows[ROWS_MAX + 1]));
    CHECK(find_row(rows, n, getpid()) != 0);
    CHECK(find_row(rows, n, p.pid) != 0);
    CHECK_EQ(rows[0].pid, 1);
    CHECK_EQ(strcmp(rows[0].process_name, "init"), 0);
    CHECK_EQ(strcmp(find_row(rows, n, getpid())->process_name, "memstat"), 0);
    for (int i = 0; i < n; i++) {
        struct process_mem_info row = row_of(rows[i].pid);      /* 468 says the same of each that sleeps */
        if (rows[i].pid != getpid())
            CHECK_EQ(memcmp(&row, &rows[i], sizeof row), 0);
    }
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
}

TEST(max_is_obeyed)                             /* R004-6, A004-1, A004-9 */
{
    struct partner p = partner_start(rest, 0), q = partner_start(rest, 0);
    await(&p);
    await(&q);
    int n = get_all_pid_stats(rows, ROWS_MAX);
    static struct process_mem_info some[ROWS_MAX];

    CHECK_EQ(get_all_pid_stats(0, 0), n);       /* a question of size */
    spread_canaries(some, sizeof some);
    CHECK_EQ(get_all_pid_stats(some, 0), n);
    CHECK(canaries_are_intact(some, some + COUNT(some)));
    for (int max = 1; max <= n + 2; max++) {
        int expected = max < n ? max : n;
        spread_canaries(some, sizeof some);
        CHECK_EQ(get_all_pid_stats(some, max), n);
        for (int i = 0; i < expected; i++)
            CHECK_EQ(some[i].pid, rows[i].pid);
        CHECK(rows_are_sound(some, expected));
        CHECK(canaries_are_intact(&some[expected], some + COUNT(some)));
    }
    static const int negative[] = { -1, -2, -1000, INT32_MIN, INT32_MIN + 1 };
    for (size_t i = 0; i < COUNT(negative); i++) {
        spread_canaries(some, sizeof some);
        FAILS(get_all_pid_stats(some, negative[i]), EINVAL);
        FAILS(get_all_pid_stats(0, negative[i]), EINVAL);
        CHECK(canaries_are_intact(some, some + COUNT(some)));
    }
    tell(&p), tell(&q);
    CHECK_EQ(partner_end(&p), 0);
    CHECK_EQ(partner_end(&q), 0);
}

TEST(a_huge_max_is_no_huge_buffer)              /* section 5: only min(max, live) rows are looked at */
{
    int n = get_all_pid_stats(0, 0);
    size_t nbytes = (size_t)n * sizeof rows[0];
    static const int huge[] = { 0x7fffffff, 0x7ffffffe, 89478486, 1000000 };    /* times 48: beyond 2^32 or 2^31 */
    char *area = tamalloc(nbytes), *end = area + ((nbytes + PAGE - 1) & ~(PAGE - 1)), *block = malloco(PAGE);
    struct process_mem_info on_stack[32];

    if (!CHECK(nbytes <= sizeof on_stack))
        return;
    for (size_t i = 0; i < COUNT(huge); i++) {
        struct process_mem_info *last = (struct process_mem_info *)end - n;     /* the guard page follows */
        spread_canaries(area, (size_t)(end - area));
        CHECK_EQ(get_all_pid_stats(last, huge[i]), n);
        CHECK(rows_are_sound(last, n));
        CHECK(canaries_are_intact(area, last));
        FAILS(get_all_pid_stats(last + 1, huge[i]), EFAULT);
        CHECK_EQ(get_all_pid_stats((void *)(block + PAGE - nbytes), huge[i]), n);       /* so much room is nowhere behind these */
        CHECK_EQ(get_all_pid_stats(on_stack, huge[i]), n);
    }
    CHECK_EQ(chau(block), 0);
}

static int at_once(void *status) { return (int)(long)status; }

TEST(zombies_and_kernel_tasks_have_no_row)      /* R004-5; section 5: 468 says -ESRCH */
{
    static struct task_info tasks[ROWS_MAX];
    struct process_mem_info row;
    int status, pid = fork(), n;

    if (pid == 0)
        exit(at_once((void *)3));
    for (int i = 0, state = RUNNING; i < 1000 && state != ZOMBIE; i++) {        /* until it is one */
        n = tasklist(tasks, ROWS_MAX);
        for (int k = 0; k < n; k++)
            if (tasks[k].pid == pid)
                state = tasks[k].state;
        if (state != ZOMBIE)
            pause(1);
    }
    spread_canaries(&row, sizeof row);
    FAILS(get_mem_stats(pid, &row), ESRCH);
    CHECK(canaries_are_intact(&row, &row + 1));
    CHECK(find_row(rows, get_all_pid_stats(rows, ROWS_MAX), pid) == 0);
    CHECK_EQ(wait_for_task(pid, &status), pid);
    CHECK_EQ(status, 3);
    FAILS(get_mem_stats(pid, &row), ESRCH);
    CHECK(find_row(rows, get_all_pid_stats(rows, ROWS_MAX), pid) == 0);
    n = tasklist(tasks, ROWS_MAX);
    int kernel_tasks = 0;
    for (int k = 0; k < n; k++)
        if (tasks[k].kernel_only) {
            kernel_tasks++;
            FAILS(get_mem_stats(tasks[k].pid, &row), ESRCH);
            CHECK(find_row(rows, get_all_pid_stats(rows, ROWS_MAX), tasks[k].pid) == 0);
        }
    CHECK(kernel_tasks >= 2);
    static const int nobody[] = { 0, -1, -2, INT32_MIN, INT32_MAX, INT32_MAX - 1 };
    for (size_t i = 0; i < COUNT(nobody); i++)
        FAILS(get_mem_stats(nobody[i], &row), ESRCH);
    CHECK(canaries_are_intact(&row, &row + 1));
}

/* ---- Names */

static int become(struct partner *self, void *path)
{
    char fds[2][12];
    char *argv[] = { path, "rest", fds[0], fds[1], 0 };

    snprintf(fds[0], sizeof fds[0], "%d", self->read_fd);
    snprintf(fds[1], sizeof fds[1], "%d", self->write_fd);
    exec(path, argv);
    return 100;
}

TEST(names_are_cut_at_fifteen_bytes)            /* R004-5, A004-5 */
{
    static const struct { const char *path, *name; } named[] = {
        { "a", "a" }, { "fourteen_bytes", "fourteen_bytes" }, { "fifteen__bytes_", "fifteen__bytes_" },
        { "sixteen__bytes__", "sixteen__bytes_" }, { "a_name_that_is_much_longer_than_that", "a_name_that_is_" },
    };
    for (size_t i = 0; i < COUNT(named); i++) {
        char expected[16] = { 0 };
        memcpy(expected, named[i].name, strlen(named[i].name));
        unlink(named[i].path);
        CHECK_EQ(symlink("/tests/memstat", named[i].path), 0);
        struct partner p = partner_start(become, (void *)named[i].path);
        await(&p);
        struct process_mem_info row = row_of(p.pid);
        CHECK_EQ(row.pid, p.pid);
        CHECK_EQ(memcmp(row.process_name, expected, sizeof expected), 0);
        int n = get_all_pid_stats(rows, ROWS_MAX);
        struct process_mem_info *same = find_row(rows, n, p.pid);
        CHECK(same != 0 && memcmp(same->process_name, expected, sizeof expected) == 0);
        tell(&p);
        CHECK_EQ(partner_end(&p), 0);
        unlink(named[i].path);
    }
}

/* ---- 467 */

static int small_amounts(struct partner *self, void *unused)
{
    (void)unused;
    memset(tamalloc(300 << 10), 1, 300 << 10);
    own_stack_and_variables();
    tell(self);
    await(self);
    return 0;
}

TEST(the_sum_is_made_in_kilobytes)              /* R004-7; section 5: four times 300 KB are 1 MB, not 0 */
{
    struct system_mem_summary before, after, bytes;
    struct partner p[4];

    CHECK_EQ(get_all_mem_stats(&before), 0);
    for (size_t i = 0; i < COUNT(p); i++) {
        p[i] = partner_start(small_amounts, 0);
        await(&p[i]);
    }
    int n = get_all_pid_stats(rows, ROWS_MAX);
    uint64_t reserved = 0, committed = 0, reserved_cut = 0, committed_cut = 0;
    for (int i = 0; i < n; i++) {
        reserved += rows[i].reserved_memory;
        committed += rows[i].committed_memory;
        reserved_cut += rows[i].reserved_memory >> 10;
        committed_cut += rows[i].committed_memory >> 10;
    }
    spread_canaries(&after, sizeof after);
    CHECK_EQ(get_all_mem_stats(&after), 0);
    CHECK_EQ(after.total_reserved_memory, reserved >> 10);
    CHECK_EQ(after.total_committed_memory, committed >> 10);
    CHECK(reserved_cut < reserved >> 10 && committed_cut < committed >> 10);    /* cutting each would have been less */
    CHECK(after.total_committed_memory >= before.total_committed_memory + 1);
    for (size_t i = 0; i < COUNT(p); i++) {
        tell(&p[i]);
        CHECK_EQ(partner_end(&p[i]), 0);
    }
    CHECK_EQ(get_all_mem_stats(&bytes), 0);
    CHECK(bytes.total_committed_memory < after.total_committed_memory);
}

/* ---- Buffers: R004-8 and the rows of section 5. Each of the three calls, each result. */

static long call_466(void *to) { return get_all_pid_stats(to, 1) > 0 ? 0 : -1; }
static long call_467(void *to) { return get_all_mem_stats(to); }
static long call_468(void *to) { return get_mem_stats(getpid(), to); }

static const struct { const char *name; long (*call)(void *to); size_t nbytes; } calls[] = {
    { "466", call_466, sizeof(struct process_mem_info) },
    { "467", call_467, sizeof(struct system_mem_summary) },
    { "468", call_468, sizeof(struct process_mem_info) },
};

TEST(bad_buffers)
{
    static const char constant[64] = "constant";
    char *area = tamalloc(2 * PAGE), *block = malloco(PAGE), *marked = malloco(PAGE);

    CHECK_EQ(chau(marked), 0);
    for (size_t c = 0; c < COUNT(calls); c++) {
        for (size_t i = 0; i < BAD_POINTERS; i++)
            if (bad_pointers[i] != (char *)0xA10BFFFF && bad_pointers[i] != REGION_START
                && !FAILS(calls[c].call(bad_pointers[i]), EFAULT))
                printf("call %s, address %p\n", calls[c].name, bad_pointers[i]);
        FAILS(calls[c].call(REGION_START - 1), EFAULT);
        FAILS(calls[c].call(REGION_START - PAGE), EFAULT);
        FAILS(calls[c].call(main_text()), EFAULT);              /* read-only */
        FAILS(calls[c].call((void *)constant), EFAULT);
        FAILS(calls[c].call(area + 2 * PAGE), EFAULT);          /* the guard page */
        FAILS(calls[c].call(block + 2 * PAGE), EFAULT);         /* never granted */
        FAILS(calls[c].call(marked), EFAULT);                   /* given back and never touched */
        for (size_t inside = 1; inside < calls[c].nbytes; inside += 7)          /* the rest of it is unmapped */
            FAILS(calls[c].call(area + 2 * PAGE - inside), EFAULT);
        CHECK_EQ(calls[c].call(area + 2 * PAGE - calls[c].nbytes), 0);
    }
    FAILS(get_all_pid_stats(0, 1), EFAULT);
    CHECK_EQ(strcmp(constant, "constant"), 0);
    CHECK_EQ(chau(block), 0);
}

TEST(good_buffers_of_every_kind)                /* R004-8, A004-6: misaligned, across pages, never touched before */
{
    for (size_t c = 0; c < COUNT(calls); c++) {
        size_t nbytes = calls[c].nbytes;
        char *area = tamalloc(4 * PAGE), *block = malloco(2 * PAGE), *heap = sbrk(4 * PAGE), expected[64], seen[64];

        CHECK_EQ(calls[c].call(expected), 0);
        CHECK_EQ(calls[c].call(area + 1), 0);
        CHECK_EQ(calls[c].call(area + 2 * PAGE - 3), 0);        /* on two pages, and misaligned */
        CHECK_EQ(calls[c].call(block + PAGE - nbytes / 2), 0);
        CHECK_EQ(calls[c].call(heap + 2 * PAGE - 5), 0);
        CHECK_EQ(pages_with(0, area, 4, PAGE_IS_RESIDENT, PAGE_IS_RESIDENT), 3);
        CHECK_EQ(pages_with(0, block, 2, PAGE_IS_RESIDENT, PAGE_IS_RESIDENT), 2);
        for (size_t offset = 0; offset < 16; offset++) {
            spread_canaries(area, PAGE);
            CHECK_EQ(calls[c].call(area + 100 + offset), 0);
            CHECK(canaries_are_intact(area, area + 100 + offset));
            CHECK(canaries_are_intact(area + 100 + offset + nbytes, area + PAGE));
        }
        CHECK_EQ(calls[c].call(expected), 0);                   /* and nothing changes any more: the same everywhere */
        CHECK_EQ(calls[c].call(heap + 2 * PAGE - 5), 0);
        memcpy(seen, heap + 2 * PAGE - 5, nbytes);
        CHECK_EQ(memcmp(seen, expected, nbytes), 0);
        CHECK_EQ(chau(block), 0);
        sbrk(-4 * (long)PAGE);
    }
}

static int read_into_shared(struct partner *self, void *buffer)
{
    unsigned char *byte = buffer;

    await(self);                                /* the parent's three calls */
    return byte[0] != CANARY || byte[PAGE - 1] != CANARY || !canaries_are_intact(byte, byte + PAGE);
}

TEST(a_shared_buffer_is_copied_first)           /* R001-13; section 5 */
{
    for (size_t c = 0; c < COUNT(calls); c++) {
        char *buffer = c == 0 ? tamalloc(PAGE) : c == 1 ? malloco(PAGE) : sbrk(PAGE);
        spread_canaries(buffer, PAGE);
        struct partner p = partner_start(read_into_shared, buffer);
        CHECK_EQ(calls[c].call(buffer + 8), 0);
        CHECK(canaries_are_intact(buffer, buffer + 8));
        CHECK(!canaries_are_intact(buffer + 8, buffer + PAGE));
        tell(&p);
        CHECK_EQ(partner_end(&p), 0);
    }
}

TEST(rows_end_where_the_buffer_ends)            /* A004-8: -EFAULT, and nothing outside is touched */
{
    struct partner p = partner_start(rest, 0);
    char *area = tamalloc(PAGE), *end = area + PAGE;

    await(&p);
    int n = get_all_pid_stats(0, 0);
    for (int fit = 0; fit < n; fit++) {         /* `fit` rows and a half */
        char *from = end - (size_t)fit * sizeof rows[0] - sizeof rows[0] / 2;
        spread_canaries(area, PAGE);
        FAILS(get_all_pid_stats((void *)from, n), EFAULT);
        CHECK(canaries_are_intact(area, from));
    }
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
}

/* ---- At any moment: R004-3, M12. Eight tasks do all that changes a row; one reads. */

#define WORKERS 8
#define TIGHT   2                               /* of these only grow and shrink */
#define READS   300
#define GONE    40                              /* and until so many pids have come and gone, ... */
#define FULL    50                              /* ... and a task that uses all it has was seen so often */

static char *volatile nowhere = (char *)8;      /* an access ends the task */

static void life_of_a_task(unsigned kind)
{
    char *area = tamalloc(64 * PAGE), *block = malloco(16 * PAGE), *heap = sbrk(16 * PAGE);
    char *argv[] = { "true", 0 };

    for (size_t i = 0; i < 64; i += 1 + kind % 3)
        area[i * PAGE] = 1;
    if (block != 0)
        memset(block, 1, 8 * PAGE);
    if (heap != SBRK_ERROR)
        memset(heap, 1, 16 * PAGE);
    chau(block);
    sbrk(-16 * (long)PAGE);
    switch (kind % 5) {
    case 0: exec("/bin/true", argv); break;
    case 1: *(volatile char *)nowhere = 1; break;
    case 2: sbrk(5 * PAGE)[0] = 1; break;
    case 3: in_child(at_once, 0); break;
    default: break;
    }
    exit(0);
}

/* Forks one after the other, waits for each, and tells the reader who is gone: the pid is nobody's any more. */
static void one_life(int gone, unsigned kind)
{
    int pid = fork();

    if (pid == 0)
        life_of_a_task(kind);
    if (pid > 0 && wait_for_task(pid, 0) == pid)
        write(gone, &pid, sizeof pid);
}

/* Everything this task has is in frames; then a page more, touched, and back: reserved and committed move one after the other
 * all the time, and who does not look at both in one moment sees more committed than reserved. */
static void grow_and_shrink(int rounds)
{
    static struct area_info mine[64];
    int n = arealist(0, mine, COUNT(mine));

    for (int i = 0; i < n; i++)
        for (uint64_t page = mine[i].start; mine[i].kind != AREA_REGION && page < mine[i].end; page += PAGE)
            (void)*(volatile char *)(uintptr_t)page;
    while (rounds-- > 0) {
        char *piece = sbrk(3 * PAGE);
        if (piece != SBRK_ERROR) {
            piece[0] = piece[PAGE] = piece[2 * PAGE] = 1;
            sbrk(-3 * (long)PAGE);
        }
    }
}

_Noreturn static void work(int gone, unsigned number)
{
    for (unsigned i = 0; ; i++) {
        unsigned kind = number + i;
        if (kind % 5 == 1 && i % 8 != 0)        /* few of them, each prints a line */
            kind++;
        if (number >= TIGHT)
            one_life(gone, kind);
        grow_and_shrink(number < TIGHT ? 1000 : 1);
    }
}

static unsigned char is_gone[1 << 16];

/* Whoever is in the pipe now was reaped before now. */
static int read_the_gone(int fd)
{
    static int pids[1024];
    struct stat st;
    int seen = 0;

    if (fstat(fd, &st) != 0)
        return 0;
    for (long left = (long)(st.size & ~3ul); left > 0; ) {
        long n = read(fd, pids, left < (long)sizeof pids ? (size_t)left : sizeof pids);
        if (n <= 0)
            break;
        for (long i = 0; i < n / 4; i++, seen++)
            if (pids[i] > 0 && pids[i] < (int)sizeof is_gone)
                is_gone[pids[i]] = 1;
        left -= n;
    }
    return seen;
}

TEST(rows_are_sound_at_any_moment)
{
    static struct process_mem_info seen[ROWS_MAX];
    int fds[2], gone = 0, ghosts = 0, unsound = 0, missing = 0, most = 0, full = 0, reads;

    CHECK_EQ(pipe(fds), 0);
    int leader = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        int pid = fork();
        if (pid == 0) {
            setpgid(0, leader);
            close(fds[0]);
            work(fds[1], i);
        }
        setpgid(pid, leader);
        if (leader == 0)
            leader = pid;
        CHECK(pid > 0);
    }
    for (reads = 0; reads < READS || gone < GONE || full < FULL; reads++) {
        struct system_mem_summary sum;
        gone += read_the_gone(fds[0]);
        int n = get_all_pid_stats(seen, ROWS_MAX);
        unsound += n <= WORKERS || !rows_are_sound(seen, n);
        for (int k = 0; k < n; k++)
            ghosts += seen[k].pid < (int)sizeof is_gone && is_gone[seen[k].pid];
        missing += find_row(seen, n, getpid()) == 0 || find_row(seen, n, leader) == 0;
        most = n > most ? n : most;
        full += find_row(seen, n, leader) != 0 && find_row(seen, n, leader)->committed_percent == 100;
        unsound += get_all_mem_stats(&sum) != 0 || sum.total_committed_memory > sum.total_reserved_memory;
        struct process_mem_info row = row_of(leader);
        unsound += !row_is_sound(&row) || row.pid != leader;
    }
    CHECK_EQ(unsound, 0);
    CHECK_EQ(ghosts, 0);
    CHECK_EQ(missing, 0);
    CHECK(most > WORKERS);
    printf("%d reads, %d tasks came and went\n", reads, gone);
    close(fds[1]);
    for (int kills = 0; kill(-leader) == 0 && kills < 100000; kills++)          /* those that are born meanwhile, too */
        ;
    for (int i = 0; i < WORKERS; i++)
        CHECK(wait(0) > 0);
    while (read_the_gone(fds[0]) > 0)
        ;
    char byte;
    while (read(fds[0], &byte, 1) > 0)          /* until the last of their children has closed it */
        ;
    close(fds[0]);
}

/* memstat rest IN OUT -- tell, wait, end: under another name. */
static int rest_under_a_name(char **argv)
{
    struct partner self = { .pid = getpid(), .read_fd = atoi(argv[2]), .write_fd = atoi(argv[3]) };
    return rest(&self, 0);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "rest") == 0)
        return rest_under_a_name(argv);
    chdir("/tmp");
    RUN(own_numbers_are_exact_at_every_step);
    RUN(a_shared_frame_counts_in_each_sharer);
    RUN(ten_megabytes_raise_the_score);
    RUN(every_user_task_and_nobody_else);
    RUN(max_is_obeyed);
    RUN(a_huge_max_is_no_huge_buffer);
    RUN(zombies_and_kernel_tasks_have_no_row);
    RUN(names_are_cut_at_fifteen_bytes);
    RUN(the_sum_is_made_in_kilobytes);
    RUN(bad_buffers);
    RUN(good_buffers_of_every_kind);
    RUN(a_shared_buffer_is_copied_first);
    RUN(rows_end_where_the_buffer_ends);
    RUN(rows_are_sound_at_any_moment);
    return check_summary("memstat");
}
