/* Checks of L12: the statistics calls 466, 467 and 468. S004; requirements R004-2 to R004-8 and M12.
 *
 * What the rows say is compared with what arealist() and pagemap() tell of the same task, which the lab does not touch. */
#include "labs/user_check.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define ROWS_MAX 64
#define CANARY   0xC5

static struct process_mem_info rows[ROWS_MAX + 1];

static void spread(void *at, size_t nbytes) { memset(at, CANARY, nbytes); }

static bool intact(const void *from, const void *to)
{
    for (const unsigned char *byte = from; byte < (const unsigned char *)to; byte++)
        if (*byte != CANARY)
            return false;
    return true;
}

static long errno_of(long result) { return result == -1 ? -errno : result; }
static long pid_stats(void *buffer, int max) { return errno_of(get_all_pid_stats(buffer, max)); }
static long mem_stats(int pid, void *buffer) { return errno_of(get_mem_stats(pid, buffer)); }
static long sum_stats(void *buffer) { return errno_of(get_all_mem_stats(buffer)); }

/* A row of a task by 466; 0: it has none, and the check has said so. */
static struct process_mem_info *row_in_list(int pid)
{
    long n = pid_stats(rows, ROWS_MAX);
    if (!EXPECT(n > 0 && n <= ROWS_MAX, "no-rows", "get_all_pid_stats: expected 1 to %d tasks, saw %ld", ROWS_MAX, n))
        return 0;
    for (long i = 0; i < n; i++)
        if (rows[i].pid == pid)
            return &rows[i];
    EXPECT(false, "missing", "get_all_pid_stats: expected a row of task %d among %ld, saw none", pid, n);
    return 0;
}

/* ---- Which tasks */

static int rest(struct partner *self, void *unused)
{
    (void)unused;
    own_stack_and_variables();
    tell(self);
    await(self);
    return 7;
}

/* Everybody else rests: what tasklist() says of user tasks that live. */
static int live_by_list(int pids[ROWS_MAX])
{
    static struct task_info tasks[ROWS_MAX];
    int total = tasklist(tasks, ROWS_MAX), live = 0;
    for (int i = 0; i < total; i++)
        if (!tasks[i].kernel_only && tasks[i].state != ZOMBIE)
            pids[live++] = tasks[i].pid;
    return live;
}

static void every_user_task_has_a_row(void)
{
    int pids[ROWS_MAX], count = 2 + (int)(check_random() % 3);
    static struct partner p[5];

    for (int i = 0; i < count; i++) {
        p[i] = partner_start(rest, 0);
        await(&p[i]);
    }
    int live = live_by_list(pids);
    spread(rows, sizeof rows);
    long n = pid_stats(rows, ROWS_MAX);
    EXPECT(n == live, n < 0 ? "no-rows" : "count",
           "get_all_pid_stats returns the number of live user tasks: expected %d, saw %ld", live, n);
    for (int i = 0; i < live && i < n; i++)
        if (!EXPECT(rows[i].pid == pids[i], "order", "pid of row %d: expected %d (ascending), saw %d", i, pids[i], rows[i].pid))
            break;
    EXPECT(n < 0 || n > ROWS_MAX || intact(&rows[n], &rows[ROWS_MAX + 1]), "too-many", "bytes behind the last row were written");
    for (int i = 0; i < live; i++) {
        struct process_mem_info row;
        spread(&row, sizeof row);
        long result = mem_stats(pids[i], &row);
        EXPECT(result == 0, "one-task", "get_mem_stats(%d): expected 0, saw %ld", pids[i], result);
        EXPECT(row.pid == pids[i], "one-task", "get_mem_stats(%d): expected the row of %d, saw that of %d", pids[i], pids[i],
               row.pid);
        if (pids[i] != getpid() && i < n)
            EXPECT(memcmp(&row, &rows[i], sizeof row) == 0, "one-task", "466 and 468 differ about task %d, which rests", pids[i]);
    }
    for (int i = 0; i < count; i++) {
        tell(&p[i]);
        EXPECT_EQ(partner_end(&p[i]), 7, "", "status of a child");
    }
}

static void nobody_else_has_one(void)
{
    static struct task_info tasks[ROWS_MAX];
    struct process_mem_info row;
    int status, pid = fork(), total = 0, kernel_tasks = 0;

    if (pid == 0)
        exit(3);
    for (int i = 0, state = RUNNING; i < 500 && state != ZOMBIE; i++) {
        total = tasklist(tasks, ROWS_MAX);
        for (int k = 0; k < total; k++)
            if (tasks[k].pid == pid)
                state = tasks[k].state;
        if (state != ZOMBIE)
            pause(1);
    }
    long n = pid_stats(rows, ROWS_MAX);
    EXPECT(n == 1, "count", "live user tasks, one of them a zombie: expected 1, saw %ld", n);
    for (long i = 0; i < n && i < ROWS_MAX; i++)
        EXPECT(rows[i].pid != pid, "zombie", "the zombie %d has a row", pid);
    spread(&row, sizeof row);
    long result = mem_stats(pid, &row);
    EXPECT(result == -ESRCH, "zombie", "get_mem_stats of the zombie: expected -ESRCH (%d), saw %ld", -ESRCH, result);
    for (int k = 0; k < total; k++) {
        if (!tasks[k].kernel_only)
            continue;
        kernel_tasks++;
        result = mem_stats(tasks[k].pid, &row);
        EXPECT(result == -ESRCH, "kernel-task", "get_mem_stats of the kernel task %s: expected -ESRCH (%d), saw %ld",
               tasks[k].name, -ESRCH,
               result);
        for (long i = 0; i < n && i < ROWS_MAX; i++)
            EXPECT(rows[i].pid != tasks[k].pid, "kernel-task", "the kernel task %s has a row", tasks[k].name);
    }
    EXPECT(kernel_tasks >= 2, "", "kernel tasks: expected at least 2, saw %d", kernel_tasks);
    wait_for_task(pid, &status);
    const int nobody[] = { pid, 0, -1, INT32_MIN, INT32_MAX, 1000 + (int)(check_random() % 1000000) };
    for (size_t i = 0; i < COUNT(nobody); i++) {
        result = mem_stats(nobody[i], &row);
        EXPECT(result == -ESRCH, "nobody", "get_mem_stats(%d), which is nobody's pid: expected -ESRCH (%d), saw %ld", nobody[i],
               -ESRCH, result);
    }
    EXPECT(intact(&row, &row + 1), "nobody", "a refused call wrote into the buffer");
}

/* ---- What is in a row */

/* Leaves many bytes of this value where the next call's variables will be. */
static void soil_kernel_stack(void)
{
    static char path[1024], states[512];
    memset(path, 0xA5, sizeof path - 1);
    for (int i = 0; i < 3; i++) {
        open(path, O_RDONLY);
        write(-1, path, sizeof path);
        pagemap(0, main_text(), (uint8_t *)states, sizeof states);
        arealist(0, (struct area_info *)(void *)states, 8);
    }
}

static void expect_clean(const struct process_mem_info *row, const char *call)
{
    size_t length = 0, dirty = 0;
    while (length < sizeof row->process_name && row->process_name[length] != '\0')
        length++;
    EXPECT(length < sizeof row->process_name, "name-end", "%s: process_name has no NUL in its 16 bytes", call);
    for (size_t i = length; i < sizeof row->process_name; i++)
        dirty += row->process_name[i] != '\0';
    EXPECT(dirty == 0, "name-rest", "%s: bytes behind the name that are not 0: expected 0, saw %ld", call, (long)dirty);
    EXPECT(row->padding == 0, "padding", "%s: padding: expected 0, saw 0x%x (what the kernel's stack held)", call, row->padding);
}

static void rows_are_clean(void)
{
    struct process_mem_info row;

    for (int i = 0; i < 5; i++) {
        soil_kernel_stack();
        spread(rows, sizeof rows);
        long n = pid_stats(rows, ROWS_MAX);
        EXPECT(n == 1, "count", "live user tasks: expected 1, saw %ld", n);
        expect_clean(&rows[0], "466");
        EXPECT(rows[0].pid == 1 && strcmp(rows[0].process_name, "init") == 0, "order",
               "row 0: expected task 1, init, saw %d, %.15s", rows[0].pid,
               rows[0].process_name);
        soil_kernel_stack();
        spread(&row, sizeof row);
        long result = mem_stats(1, &row);
        EXPECT(result == 0, "one-task", "get_mem_stats(1): expected 0, saw %ld", result);
        expect_clean(&row, "468");
    }
}

static int become(struct partner *self, void *path)
{
    char fds[2][12];
    char *argv[] = { path, fds[0], fds[1], 0 };

    snprintf(fds[0], sizeof fds[0], "%d", self->read_fd);
    snprintf(fds[1], sizeof fds[1], "%d", self->write_fd);
    exec(path, argv);
    return 100;
}

static void names_have_fifteen_bytes(void)
{
    static const struct { const char *path, *name; } named[] = {
        { "/tmp/a", "a" }, { "/tmp/fourteen_bytes", "fourteen_bytes" }, { "/tmp/fifteen__bytes_", "fifteen__bytes_" },
        { "/tmp/sixteen__bytes__", "sixteen__bytes_" }, { "/tmp/a_name_that_is_much_longer_than_that", "a_name_that_is_" },
    };
    for (size_t i = 0; i < COUNT(named); i++) {
        int made = symlink("/bin/init", named[i].path);
        EXPECT(made == 0, "", "a link to the program: expected 0, saw %d", made);
        struct partner p = partner_start(become, (void *)(uintptr_t)named[i].path);
        int lives = await(&p);
        EXPECT(lives, "", "the program %s begins", named[i].path);
        struct process_mem_info *row = row_in_list(p.pid), one;
        spread(&one, sizeof one);
        mem_stats(p.pid, &one);
        if (row != 0) {
            expect_clean(row, "466");
            EXPECT(strncmp(row->process_name, named[i].name, 16) == 0, "name", "466, name of %s: expected %s, saw %.16s",
                   named[i].path,
                   named[i].name, row->process_name);
        }
        EXPECT(strncmp(one.process_name, named[i].name, 16) == 0, "name", "468, name of %s: expected %s, saw %.16s",
               named[i].path,
               named[i].name, one.process_name);
        tell(&p);
        EXPECT_EQ(partner_end(&p), 7, "", "status of the program");
        unlink(named[i].path);
    }
}

/* ---- Numbers */

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
            uint64_t next = (at | (spans[0] - 1)) + 1, end = next < areas[i].end ? next : areas[i].end;
            if (pages_with(pid, (void *)(uintptr_t)at, (size_t)((end - at) / PAGE), PAGE_IS_RESIDENT, PAGE_IS_RESIDENT) > 0)
                for (size_t level = 0; level < COUNT(spans); level++) {
                    sum.tables += at / spans[level] != last[level];
                    last[level] = at / spans[level];
                }
            at = end;
        }
    }
    return sum;
}

static void expect_row(int pid, const char *when)
{
    struct account is = account_of(pid);
    struct process_mem_info *row = row_in_list(pid);
    long reserved = (long)is.reserved * 4, committed = (long)is.resident * 4;

    if (row == 0)
        return;
    EXPECT((long)row->reserved_memory == reserved, "reserved", "%s: reserved_memory: expected %ld KiB, saw %ld", when, reserved,
           (long)row->reserved_memory);
    EXPECT((long)row->committed_memory == committed, "committed", "%s: committed_memory: expected %ld KiB, saw %ld", when,
           committed,
           (long)row->committed_memory);
    long percent = reserved == 0 ? 0 : committed * 100 / reserved;
    EXPECT(row->committed_percent == percent, "percent", "%s: committed_percent of %ld and %ld: expected %ld, saw %u", when,
           committed, reserved,
           percent, (unsigned)row->committed_percent);
}

static void numbers_are_exact(void)
{
    size_t pages = 300 + check_random() % 200;
    char *area = tamalloc(pages * PAGE);

    own_stack_and_variables();
    expect_row(1, "after tamalloc");
    for (size_t i = 0; i < pages; i++) {
        area[i * PAGE] = 1;
        if (i % 50 == 7)
            expect_row(1, "while it is touched");
    }
    char *block = malloco(100 * PAGE);
    expect_row(1, "after malloco");
    memset(block, 1, 50 * PAGE);
    char *heap = sbrklazy(100 * PAGE);
    memset(heap, 1, 30 * PAGE);
    expect_row(1, "with a heap and a block");
    for (uint64_t seen = counters_now().sweeps; counters_now().sweeps == seen; )    /* the next sweep is far away now */
        pause(1);
    chau(block);
    expect_row(1, "after chau, before the sweep");
    for (uint64_t seen = counters_now().sweeps; counters_now().sweeps == seen; )
        pause(1);
    expect_row(1, "after the sweep");
    sbrk(-100 * (long)PAGE);
    expect_row(1, "after the heap has shrunk");
}

static void a_shared_frame_counts_in_each(void)
{
    char *area = tamalloc(300 * PAGE);

    memset(area, 1, 300 * PAGE);
    struct partner p = partner_start(rest, 0);
    await(&p);
    expect_row(p.pid, "the child, which shares");
    expect_row(1, "the parent, which shares");
    tell(&p);
    EXPECT_EQ(partner_end(&p), 7, "", "status of the child");
    expect_row(1, "the parent, alone again");
}

static void score_is_a_share_of_all_frames(void)
{
    long total = (long)counters_now().frames_total, first = -1;
    size_t pages = 2560, step = 400 + check_random() % 100;
    char *area = tamalloc(pages * PAGE);

    own_stack_and_variables();
    for (size_t i = 0; i <= pages; i++) {
        if (i % step == 0 || i == pages) {
            struct account is = account_of(1);
            struct process_mem_info *row = row_in_list(1);
            long score = 1000 * ((long)is.resident + is.tables) / total;
            if (row == 0)
                return;
            EXPECT(row->oom_score == score, "score", "oom_score with %ld pages and %ld tables of %ld frames: expected %ld, saw "
                                                     "%d",
                   (long)is.resident, is.tables, total, score, (int)row->oom_score);
            first = i == 0 ? row->oom_score : first;
        }
        if (i < pages)
            area[i * PAGE] = 1;
    }
    struct process_mem_info *row = row_in_list(1);
    long rise = row != 0 ? row->oom_score - first : 0;
    EXPECT(rise >= 1000 * 2560 / total - 1 && rise <= 1000 * 2560 / total + 1, "score",
           "10 MiB more: expected the score to rise by %ld or so, saw %ld", 1000 * 2560 / total, rise);
}

/* ---- max */

static void max_is_obeyed(void)
{
    static struct process_mem_info some[ROWS_MAX];
    static struct partner p[3];

    for (size_t i = 0; i < COUNT(p); i++) {
        p[i] = partner_start(rest, 0);
        await(&p[i]);
    }
    int pids[ROWS_MAX], n = live_by_list(pids);
    for (int max = 0; max <= n + 2; max++) {
        int expected = max < n ? max : n;
        spread(some, sizeof some);
        long seen = pid_stats(some, max);
        EXPECT(intact(&some[expected], some + COUNT(some)), "too-many", "max %d, %d tasks: bytes behind row %d were written",
               max, n, expected);
        EXPECT(seen == n, "count", "max %d: expected the number of live tasks %d, saw %ld", max, n, seen);
        for (int i = 0; i < expected; i++)
            EXPECT(some[i].pid == pids[i], "order", "max %d, row %d: expected task %d, saw %d", max, i, pids[i], some[i].pid);
    }
    long seen = pid_stats(0, 0);
    EXPECT(seen == n, "size-question", "get_all_pid_stats(NULL, 0): expected %d, saw %ld", n, seen);
    static const int negative[] = { -1, -2, -1000, INT32_MIN };
    for (size_t i = 0; i < COUNT(negative); i++) {
        spread(some, sizeof some);
        seen = pid_stats(some, negative[i]);
        EXPECT(seen == -EINVAL, "negative", "max %d: expected -EINVAL (%d), saw %ld", negative[i], -EINVAL, seen);
        EXPECT(intact(some, some + COUNT(some)), "negative", "max %d: the buffer was written", negative[i]);
    }
    static const int huge[] = { 0x7fffffff, 0x7ffffffe, 89478486, 1000000 };    /* times 48: beyond 2^31 or 2^32 */
    size_t nbytes = (size_t)n * sizeof rows[0];
    char *area = tamalloc(PAGE), *block = malloco(PAGE);
    for (size_t i = 0; i < COUNT(huge); i++) {
        seen = pid_stats(area + PAGE - nbytes, huge[i]);
        EXPECT(seen == n, "huge", "max %d, with room for just %d rows: expected %d, saw %ld", huge[i], n, n, seen);
        seen = pid_stats(block + PAGE - nbytes, huge[i]);
        EXPECT(seen == n, "huge", "max %d, at the end of a block: expected %d, saw %ld", huge[i], n, seen);
        seen = pid_stats(area + PAGE - nbytes + sizeof rows[0], huge[i]);
        EXPECT(seen == -EFAULT, "huge", "max %d, with room for one row less: expected -EFAULT (%d), saw %ld", huge[i], -EFAULT,
               seen);
    }
    for (size_t i = 0; i < COUNT(p); i++) {
        tell(&p[i]);
        EXPECT_EQ(partner_end(&p[i]), 7, "", "status of a child");
    }
}

/* ---- 467 */

static int some_memory(struct partner *self, void *unused)
{
    (void)unused;
    memset(tamalloc(300 << 10), 1, 300 << 10);
    own_stack_and_variables();
    tell(self);
    await(self);
    return 7;
}

static void sums_are_made_in_kilobytes(void)
{
    static struct partner p[5];
    struct system_mem_summary sum;

    for (size_t i = 0; i < COUNT(p); i++) {
        p[i] = partner_start(some_memory, 0);
        await(&p[i]);
        long n = pid_stats(rows, ROWS_MAX), reserved = 0, committed = 0;
        if (!EXPECT(n == (long)i + 2, "count", "live user tasks: expected %ld, saw %ld", (long)i + 2, n))
            return;
        for (long k = 0; k < n; k++) {
            struct account is = account_of(rows[k].pid);
            reserved += (long)is.reserved * 4;
            committed += (long)is.resident * 4;
        }
        spread(&sum, sizeof sum);
        long result = sum_stats(&sum);
        EXPECT(result == 0, "sum-result", "get_all_mem_stats: expected 0, saw %ld", result);
        EXPECT((long)sum.total_committed_memory == committed >> 10, "sum",
               "%ld tasks with %ld KiB committed: expected %ld MiB, saw %ld", n,
               committed, committed >> 10, (long)sum.total_committed_memory);
        EXPECT((long)sum.total_reserved_memory == reserved >> 10, "sum",
               "%ld tasks with %ld KiB reserved: expected %ld MiB, saw %ld", n,
               reserved, reserved >> 10, (long)sum.total_reserved_memory);
    }
    for (size_t i = 0; i < COUNT(p); i++) {
        tell(&p[i]);
        EXPECT_EQ(partner_end(&p[i]), 7, "", "status of a child");
    }
}

/* ---- Buffers */

static long call_466(void *to) { long n = pid_stats(to, 1); return n > 0 ? 0 : n; }
static long call_468(void *to) { return mem_stats(getpid(), to); }

static const struct call { const char *name; long (*call)(void *to); size_t nbytes; } calls[] = {
    { "466", call_466, sizeof(struct process_mem_info) },
    { "467", sum_stats, sizeof(struct system_mem_summary) },
    { "468", call_468, sizeof(struct process_mem_info) },
};

static void bad_buffers_are_refused(void)
{
    static const char constant[64] = "constant";
    char *area = tamalloc(2 * PAGE), *block = malloco(PAGE);

    for (size_t c = 0; c < COUNT(calls); c++) {
        const struct call *call = &calls[c];
        long seen;
        for (size_t i = 0; i < BAD_POINTERS; i++) {
            if (bad_pointers[i] == (char *)0xA10BFFFF || bad_pointers[i] == REGION_START)
                continue;
            seen = call->call(bad_pointers[i]);
            EXPECT(seen == -EFAULT, "bad-pointer", "call %s, buffer %p, which is no program's: expected -EFAULT (%d), saw %ld",
                   call->name,
                   bad_pointers[i], -EFAULT, seen);
        }
        char *const places[] = { REGION_START - 1, main_text(), (char *)(uintptr_t)constant, area + 2 * PAGE, block + 2 * PAGE };
        static const char *const names[] = { "before REGION", "text", "a constant", "behind an area", "never granted" };
        for (size_t i = 0; i < COUNT(places); i++) {
            seen = call->call(places[i]);
            EXPECT(seen == -EFAULT, "bad-pointer", "call %s, buffer in %s: expected -EFAULT (%d), saw %ld", call->name, names[i],
                   -EFAULT, seen);
        }
        for (size_t inside = 1; inside < call->nbytes; inside += 7) {
            seen = call->call(area + 2 * PAGE - inside);
            EXPECT(seen == -EFAULT, "bad-pointer", "call %s, only %ld bytes of the buffer are there: expected -EFAULT (%d), saw "
                                                   "%ld", call->name,
                   (long)inside, -EFAULT, seen);
        }
        seen = call->call(area + 2 * PAGE - call->nbytes);
        EXPECT(seen == 0, "good-pointer", "call %s, buffer up to the end of an area: expected 0, saw %ld", call->name, seen);
    }
    EXPECT(strcmp(constant, "constant") == 0, "bad-pointer", "a constant of the program was changed");
}

static int keeps_canaries(struct partner *self, void *buffer)
{
    await(self);
    return intact(buffer, (char *)buffer + PAGE) ? 7 : 1;
}

static void any_good_buffer_will_do(void)
{
    for (size_t c = 0; c < COUNT(calls); c++) {
        const struct call *call = &calls[c];
        char *area = tamalloc(4 * PAGE), *block = malloco(2 * PAGE), *heap = sbrklazy(4 * PAGE);
        const struct { const char *name; char *at; } places[] = {
            { "an untouched area, misaligned", area + 1 + check_random() % 50 }, { "two untouched pages of an area",
                                                                                  area + 2 * PAGE - 3 },
            { "two untouched pages of a block", block + PAGE - 5 }, { "an untouched heap", heap + 100 },
        };
        for (size_t i = 0; i < COUNT(places); i++) {
            long seen = call->call(places[i].at);
            EXPECT(seen == 0, "good-pointer", "call %s, buffer in %s: expected 0, saw %ld", call->name, places[i].name, seen);
        }
        spread(area, PAGE);
        size_t at = 100 + check_random() % 1000;
        call->call(area + at);
        EXPECT(intact(area, area + at) && intact(area + at + call->nbytes, area + PAGE), "too-many",
               "call %s wrote outside the %ld bytes of its result", call->name, (long)call->nbytes);
        spread(area, PAGE);
        struct partner p = partner_start(keeps_canaries, area);
        long seen = call->call(area + 8);
        tell(&p);
        int status = partner_end(&p);
        EXPECT(seen == 0 && status == 7, "good-pointer",
               "call %s, buffer shared with a child: expected 0 and the child's bytes (7), saw %ld and %d",
               call->name, seen, status);
        chau(block);
    }
}

/* ---- While others live and die */

static int busy(void *kind)
{
    for (int round = 0; round < 1000; round++) {
        char *heap = sbrk(64 * PAGE);
        if (heap == SBRK_ERROR)
            return 1;
        for (size_t i = 0; i < 64; i++)
            heap[i * PAGE] = 1;
        sbrk(-64 * (long)PAGE);
        if ((long)kind == 0 && round % 20 == 19 && in_child((int (*)(void *))getpid, 0) < 0)
            return 2;
    }
    return 7;
}

static void rows_agree_with_themselves(void)
{
    enum { TASKS = 5 };
    int pids[TASKS], status;
    long seen_rows = 0, torn = 0, unordered = 0, percent = 0, strangers = 0;
    unsigned long reserved = 0, committed = 0;

    for (long i = 0; i < TASKS; i++)
        if ((pids[i] = fork()) == 0)
            exit(busy((void *)i));
    for (int round = 0; round < 100; round++) {
        long n = pid_stats(rows, ROWS_MAX);
        if (!EXPECT(n > 0, "no-rows", "get_all_pid_stats while others run: expected some, saw %ld", n))
            break;
        for (long i = 0; i < n && i < ROWS_MAX; i++, seen_rows++) {
            struct process_mem_info *row = &rows[i];
            if (row->committed_memory > row->reserved_memory && torn++ == 0) {
                reserved = row->reserved_memory;
                committed = row->committed_memory;
            }
            percent += row->committed_percent > 100 ||
                (row->reserved_memory > 0 && row->committed_percent != row->committed_memory * 100 / row->reserved_memory);
            unordered += i > 0 && row[-1].pid >= row->pid;
            strangers += row->reserved_memory == 0 || strcmp(row->process_name, "init") != 0;
        }
        if (round % 25 == 0)
            record("note", "round %d", round);
    }
    EXPECT(torn == 0, "torn", "M12: rows with more committed than reserved: expected 0 of %ld, saw %ld, the first one %ld KiB of "
                              "%ld", seen_rows,
           torn, committed, reserved);
    EXPECT(percent == 0, "torn", "M12: rows whose percentage is not that of their numbers: expected 0 of %ld, saw %ld",
           seen_rows, percent);
    EXPECT(unordered == 0, "order", "M12: rows out of order: expected 0 of %ld, saw %ld", seen_rows, unordered);
    EXPECT(strangers == 0, "torn", "M12: rows of tasks that never were: expected 0 of %ld, saw %ld", seen_rows, strangers);
    for (int i = 0; i < TASKS; i++) {
        kill(pids[i]);
        wait_for_task(pids[i], &status);
    }
}

static const struct check checks[] = {
    { "every_user_task_has_a_row", every_user_task_has_a_row },
    { "nobody_else_has_one", nobody_else_has_one },
    { "rows_are_clean", rows_are_clean },
    { "names_have_fifteen_bytes", names_have_fifteen_bytes },
    { "numbers_are_exact", numbers_are_exact },
    { "a_shared_frame_counts_in_each", a_shared_frame_counts_in_each },
    { "score_is_a_share_of_all_frames", score_is_a_share_of_all_frames },
    { "max_is_obeyed", max_is_obeyed },
    { "sums_are_made_in_kilobytes", sums_are_made_in_kilobytes },
    { "bad_buffers_are_refused", bad_buffers_are_refused },
    { "any_good_buffer_will_do", any_good_buffer_will_do },
    { "rows_agree_with_themselves", rows_agree_with_themselves },
};

int main(int argc, char **argv)
{
    if (argc > 2) {                             /* a program with another name, which only waits: names_have_fifteen_bytes */
        struct partner self = { .read_fd = atoi(argv[1]), .write_fd = atoi(argv[2]) };
        tell(&self);
        await(&self);
        return 7;
    }
    return run_check(checks, COUNT(checks));
}
