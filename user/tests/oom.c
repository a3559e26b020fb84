/*
 * oom -- memory ends: who goes, and that everybody else goes on (the out-of-memory policy, section 5). For 32 MiB.
 *
 * If it fails: the wrong task dies, or two where one is enough, or a page, a lock or a promise is lost with it.
 *
 * Whose death is expected is printed, and tests/test_cow_oom.py compares it with the kernel's `oom:` lines:
 *   EXPECT victim=PID toucher=PID score=LOW..HIGH va=LOW..HIGH          toucher -1: whoever it was
 *
 * Nobody has to fill the memory for that. A page that was not promised (tamalloc, malloco, sbrklazy) is given only while more
 * frames are free than were promised; squeeze() has all of them promised to this task.
 *
 * Started as the first program (in the place of /bin/init) it tests that init is never chosen.
 */
#include "abi/fsformat.h"
#include "user/tests/pages.h"

#define AREA_BYTES (256ul << 20)                /* more than there is */

static void expect_death(int victim, int toucher, int score_low, int score_high, const char *low, const char *high)
{
    printf("EXPECT victim=%d toucher=%d score=%d..%d va=0x%lx..0x%lx\n", victim, toucher, score_low, score_high,
           (unsigned long)low, (unsigned long)high);
}

/* ---- Promises: when this task has all that there are, memory has ended for everybody who was not promised any. */

static long squeezed;                           /* pages */

static void squeeze(void)
{
    for (long step = 1024; step > 0; )
        if (sbrk(step * (long)PAGE) == SBRK_ERROR)
            step /= 2;
        else
            squeezed += step;
}

static void let_go(void)
{
    CHECK(sbrk(-squeezed * (long)PAGE) != SBRK_ERROR);
    squeezed = 0;
}

/* ---- Obedient children: they touch as many pages more as they are told, and know what they wrote. */

struct child {
    struct partner partner;
    char *area;                                 /* where its pages are: children of one parent get the same */
};

static uint64_t mark_of(size_t page) { return 0x6f6f6d0000000000ul + page * 0x10001; }

static int obey(struct partner *self, void *where)
{
    char *area = where;
    size_t touched = 0;
    int wrong = 0, n;

    own_stack_and_variables();
    for (;;) {
        tell(self);
        if (read(self->read_fd, &n, sizeof n) != sizeof n || n == 0)
            break;
        for (; n > 0; n--, touched++) {
            uint64_t *page = (uint64_t *)(area + touched * PAGE);
            wrong += page[0] != 0 || page[PAGE / 8 - 1] != 0;
            page[0] = page[PAGE / 8 - 1] = mark_of(touched);
        }
    }
    for (size_t i = 0; i < touched; i++) {
        uint64_t *page = (uint64_t *)(area + i * PAGE);
        wrong += page[0] != mark_of(i) || page[1] != 0 || page[PAGE / 8 - 1] != mark_of(i);
    }
    return wrong != 0;
}

static char *child_area;                        /* tamalloc'ed by the parent, touched by its children only */

static struct child child_start(int (*body)(struct partner *self, void *area))
{
    struct child c = { .area = child_area };
    c.partner = partner_start(body, child_area);
    CHECK(await(&c.partner));
    return c;
}

static void command(struct child *c, int pages) { CHECK_EQ(write(c->partner.write_fd, &pages, sizeof pages), sizeof pages); }

/* True: it did what it was told; false: it is dead. */
static int order(struct child *c, int pages)
{
    command(c, pages);
    return await(&c->partner);
}

static int score(struct child *c) { return row_of(c->partner.pid).oom_score; }

/* Its exit status; a living one is told to end. */
static int end(struct child *c)
{
    int none = 0;
    (void)!write(c->partner.write_fd, &none, sizeof none);
    return partner_end(&c->partner);
}

static struct child hog_of(int pages)
{
    struct child hog = child_start(obey);
    CHECK(order(&hog, pages));
    return hog;
}

/* its_score -1: it was still growing, any score will do. */
static void expect(struct child *victim, struct child *toucher, int its_score)
{
    expect_death(victim->partner.pid, toucher->partner.pid, its_score < 0 ? 1 : its_score, its_score < 0 ? 1000 : its_score,
                 toucher->area, toucher->area + AREA_BYTES);
}

/* ---- Who goes */

static int touch_until_killed(void *area)
{
    struct kcounters c = counters_now();
    size_t pages = 16 * c.frames_total;         /* section 5: 16 times all memory */
    char *mine = tamalloc(pages * PAGE);

    (void)area;
    expect_death(getpid(), getpid(), 700, 1000, mine, mine + pages * PAGE);
    for (size_t i = 0; i < pages; i++)
        mine[i * PAGE] = 1;
    return 1;
}

TEST(a_toucher_that_is_the_highest_goes)
{
    uint64_t before = evictions_now();

    CHECK_EQ(in_child(touch_until_killed, 0), -1);
    CHECK_EQ(evictions_now(), before + 1);
}

TEST(a_hog_goes_and_a_small_toucher_goes_on)
{
    struct child hog = hog_of(1000), small = child_start(obey);
    uint64_t before = evictions_now();
    int its_score = score(&hog);

    squeeze();
    CHECK(order(&small, 300));                  /* fewer than the hog has */
    expect(&hog, &small, its_score);
    CHECK_EQ(end(&small), 0);                   /* all its pages hold what it wrote */
    CHECK_EQ(end(&hog), -1);
    CHECK_EQ(evictions_now(), before + 1);
    let_go();
}

TEST(the_highest_goes_first)                    /* one after the other, and at last the toucher itself */
{
    struct child hogs[3] = { hog_of(900), hog_of(300), hog_of(600) }, small = hog_of(20);
    static const int order_of_death[] = { 0, 2, 1 };
    int status = 0;

    for (size_t i = 0; i < COUNT(hogs); i++) {
        struct child *victim = &hogs[order_of_death[i]];
        int its_score = score(victim);
        squeeze();
        CHECK(order(&small, 60));               /* before it touches that many the next one is dead */
        expect(victim, &small, its_score);
        CHECK_EQ(end(victim), -1);
    }
    for (int i = 0; i < 100 && status == 0; i++) {
        squeeze();
        status = !order(&small, 1);
    }
    expect(&small, &small, -1);
    CHECK_EQ(end(&small), -1);
    let_go();
}

/* Page by page until its score is `target`: then it has the fewest pages for it. */
static void raise_to(struct child *c, int target)
{
    for (int i = 0; i < 1000 && score(c) < target; i++)
        CHECK(order(c, 1));
    CHECK_EQ(score(c), target);
}

static void tie(struct child *toucher, struct child *other)
{
    int target = (score(toucher) > score(other) ? score(toucher) : score(other)) + 1, alive = 1;

    raise_to(toucher, target);
    raise_to(other, target);
    CHECK(order(other, 4));                     /* it has more, but not a higher score */
    CHECK_EQ(score(other), target);
    for (int i = 0; i < 3 && alive; i++) {
        squeeze();
        alive = order(toucher, 1);
    }
    CHECK(!alive);
    expect(toucher, toucher, target);
    CHECK_EQ(end(toucher), -1);
    CHECK_EQ(end(other), 0);
    let_go();
}

TEST(a_tie_goes_to_the_toucher)                 /* whichever of the two is older */
{
    struct child a = hog_of(500), b = hog_of(500);
    tie(&a, &b);
    a = hog_of(500), b = hog_of(500);
    tie(&b, &a);
}

#define CROWD 6

TEST(several_touchers_at_once_kill_one_hog)
{
    struct child hog, small[CROWD];
    uint64_t before = evictions_now();

    for (int round = 0; round < 4; round++) {
        hog = hog_of(1500);
        for (int i = 0; i < CROWD; i++)
            small[i] = child_start(obey);
        int its_score = score(&hog);
        squeeze();
        for (int i = 0; i < CROWD; i++)
            command(&small[i], 40);
        for (int i = 0; i < CROWD; i++)
            CHECK(await(&small[i].partner));
        expect_death(hog.partner.pid, -1, its_score, its_score, child_area, child_area + AREA_BYTES);
        for (int i = 0; i < CROWD; i++)
            CHECK_EQ(end(&small[i]), 0);
        CHECK_EQ(end(&hog), -1);
        let_go();
    }
    CHECK_EQ(evictions_now(), before + 4);
}

static int eat(struct partner *self, void *area)
{
    tell(self);
    await(self);
    for (size_t i = 0; i < AREA_BYTES / PAGE; i++)
        ((char *)area)[i * PAGE] = 1;
    return 1;
}

TEST(two_hogs_at_once)                          /* on as many harts: each dies once, and nobody else */
{
    uint64_t before = evictions_now();
    struct child hogs[2] = { child_start(eat), child_start(eat) };

    for (size_t i = 0; i < COUNT(hogs); i++)
        tell(&hogs[i].partner);
    for (size_t i = 0; i < COUNT(hogs); i++)
        CHECK(!await(&hogs[i].partner));
    for (size_t i = 0; i < COUNT(hogs); i++) {
        CHECK_EQ(partner_end(&hogs[i].partner), -1);
        expect_death(hogs[i].partner.pid, -1, 300, 1000, child_area, child_area + AREA_BYTES);
    }
    CHECK_EQ(evictions_now(), before + 2);
}

/* ---- What was promised comes, and the kernel goes on */

TEST(a_promise_is_kept)                         /* DESIGN 10.7: nobody dies for it */
{
    uint64_t before = evictions_now();
    struct child hog = hog_of(1000);
    char *start = sbrk(0);
    int wrong = 0;

    squeeze();
    long pages = squeezed;
    CHECK(pages > 2000);
    for (long i = 0; i < pages; i++)
        start[(size_t)i * PAGE + 7] = (char)i;
    for (long i = 0; i < pages; i++)
        wrong += start[(size_t)i * PAGE + 7] != (char)i || start[(size_t)i * PAGE] != 0;
    CHECK_EQ(wrong, 0);
    let_go();
    CHECK_EQ(end(&hog), 0);
    CHECK_EQ(evictions_now(), before);
}

TEST(calls_that_need_no_promise_go_on)
{
    char text[8] = "";
    int fds[2];

    squeeze();
    FAILS(fork(), ENOMEM);                      /* a second task could want a copy of every page that was promised */
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(write(fds[1], "pipe", 5), 5);
    CHECK_EQ(read(fds[0], text, 5), 5);
    CHECK_EQ(make_file("oom.file", "still works"), 0);
    CHECK(file_is("oom.file", "still works"));
    CHECK_EQ(unlink("oom.file"), 0);
    CHECK(malloco(PAGE) != 0);                  /* grants cost nothing */
    CHECK(tamalloc(1ul << 30) != TAMALLOC_ERROR);
    close(fds[0]), close(fds[1]);
    let_go();
}

/* ---- Other pages than tamalloc's */

static int touch_a_block(struct partner *self, void *unused)
{
    char *block = malloco(400 * PAGE);

    (void)unused;
    memset(block, 1, 300 * PAGE);
    own_stack_and_variables();
    tell(self);
    await(self);
    memset(block + 300 * PAGE, 1, 100 * PAGE);
    return 1;
}

TEST(a_block_without_frames)                    /* malloco: section 5, no frame left on first touch */
{
    struct child c = child_start(touch_a_block);
    int its_score = score(&c);

    squeeze();
    tell(&c.partner);
    CHECK(!await(&c.partner));
    expect_death(c.partner.pid, c.partner.pid, its_score, its_score + 14, REGION_START + 301 * PAGE,
                 REGION_START + 402 * PAGE);
    CHECK_EQ(partner_end(&c.partner), -1);
    let_go();
}

static int deep(int depth)
{
    volatile char frame[PAGE];

    frame[0] = (char)depth;
    int below = depth > 0 ? deep(depth - 1) : 0;
    return below + (frame[0] != (char)depth);
}

static int grow_stack(struct partner *self, void *unused)
{
    (void)unused;
    own_stack_and_variables();
    tell(self);
    await(self);
    int wrong = deep(100);
    tell(self);
    await(self);
    return wrong;
}

TEST(a_stack_that_grows)                        /* a stack is promised as it grows: the hog's frames make that possible */
{
    struct child hog = hog_of(1000), c = child_start(grow_stack);
    int its_score = score(&hog);

    squeeze();
    tell(&c.partner);
    CHECK(await(&c.partner));
    expect_death(hog.partner.pid, c.partner.pid, its_score, its_score, (char *)USER_STACK_TOP - (8 << 20),
                 (char *)USER_STACK_TOP);
    tell(&c.partner);
    CHECK_EQ(partner_end(&c.partner), 0);
    CHECK_EQ(end(&hog), -1);
    let_go();
}

/* ---- Copy on write */

#define SHARED_PAGES 200

static int write_shared(struct partner *self, void *shared)
{
    char *pages = shared, *own = tamalloc(60 * PAGE);
    int wrong = 0;

    memset(own, 1, 60 * PAGE);                  /* so that it has more than its parent */
    own_stack_and_variables();
    tell(self);
    await(self);
    for (size_t i = 0; i < SHARED_PAGES; i++) {
        wrong += pages[i * PAGE] != (char)i;
        pages[i * PAGE] = (char)(i + 1);
    }
    for (size_t i = 0; i < SHARED_PAGES; i++)
        wrong += pages[i * PAGE] != (char)(i + 1) || pages[i * PAGE + 1] != (char)i;
    tell(self);
    await(self);
    return wrong;
}

static int all_are_mine(const char *shared)
{
    for (size_t i = 0; i < SHARED_PAGES * PAGE; i++)
        if (shared[i] != (char)(i / PAGE))
            return 0;
    return 1;
}

/* Section 5: COW write with no frame left and count > 1. */
TEST(a_write_to_a_shared_page_without_a_frame)
{
    char *shared = tamalloc(SHARED_PAGES * PAGE);
    struct kcounters before, after;

    for (size_t i = 0; i < SHARED_PAGES * PAGE; i++)
        shared[i] = (char)(i / PAGE);
    struct child writer = { partner_start(write_shared, shared), shared };
    CHECK(await(&writer.partner));
    int its_score = score(&writer);
    CHECK(its_score > row_of(0).oom_score);
    squeeze();
    tell(&writer.partner);
    CHECK(!await(&writer.partner));             /* the writer goes, ... */
    expect_death(writer.partner.pid, writer.partner.pid, its_score, its_score, shared, shared + SHARED_PAGES * PAGE);
    CHECK_EQ(partner_end(&writer.partner), -1);
    CHECK(all_are_mine(shared));                /* ... the sharer is unharmed, and has its pages for itself */
    own_stack_and_variables();
    before = counters_now();
    for (size_t i = 0; i < SHARED_PAGES; i++)
        shared[i * PAGE + 9] = shared[i * PAGE + 9];
    after = counters_now();
    CHECK_EQ(after.cow_copies, before.cow_copies);
    let_go();

    writer.partner = partner_start(write_shared, shared);       /* once more, beside a hog */
    CHECK(await(&writer.partner));
    struct child hog = hog_of(1500);
    its_score = score(&hog);
    squeeze();
    tell(&writer.partner);
    CHECK(await(&writer.partner));
    expect_death(hog.partner.pid, writer.partner.pid, its_score, its_score, shared, shared + SHARED_PAGES * PAGE);
    tell(&writer.partner);
    CHECK_EQ(partner_end(&writer.partner), 0);
    CHECK_EQ(end(&hog), -1);
    CHECK(all_are_mine(shared));
    let_go();
}

/* ---- The kernel touches for a program */

#define BUFFER_PAGES 12
#define BUFFER       (BUFFER_PAGES * PAGE)

static char pattern_of(size_t i) { return (char)(i * 7 + i / 4096); }

static int is_pattern(const char *buffer, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        if (buffer[i] != pattern_of(i))
            return 0;
    return 1;
}

static int is_zero(const char *buffer, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        if (buffer[i] != 0)
            return 0;
    return 1;
}

static int full_pipe[2], empty_pipe[2], pattern_file, new_file, zero_device;

static int call_read_zero(char *to) { return read(zero_device, to, BUFFER) != (long)BUFFER || !is_zero(to, BUFFER); }
static int call_read_file(char *to) { return read(pattern_file, to, BUFFER) != (long)BUFFER || !is_pattern(to, BUFFER); }

static int call_write_file(char *from)
{
    static char back[PAGE];
    int wrong = write(new_file, from, BUFFER) != (long)BUFFER || lseek(new_file, 0, SEEK_SET) != 0;

    for (size_t i = 0; i < BUFFER_PAGES; i++)
        wrong += read(new_file, back, PAGE) != (long)PAGE || !is_zero(back, PAGE);
    return wrong;
}

static int call_read_pipe(char *to) { return read(full_pipe[0], to, BUFFER) != (long)BUFFER || !is_pattern(to, BUFFER); }
static int call_write_pipe(char *from) { return write(empty_pipe[1], from, BUFFER) != (long)BUFFER; }
static int call_466(char *to) { return get_all_pid_stats((struct process_mem_info *)to, 3) < 4; }
static int call_467(char *to) { return get_all_mem_stats((struct system_mem_summary *)to) != 0; }
static int call_kcounters(char *to) { return kcounters((struct kcounters *)to) != 0 || ((struct kcounters *)to)->cpus == 0; }

static const struct { const char *name; int (*call)(char *buffer); } calls[] = {
    { "read of /dev/zero", call_read_zero }, { "read of a file", call_read_file }, { "write to a file", call_write_file },
    { "read of a pipe", call_read_pipe }, { "write to a pipe", call_write_pipe }, { "466", call_466 }, { "467", call_467 },
    { "kcounters", call_kcounters },
};
static size_t call_number;

#define OWN_PAGES 100                           /* what a caller has touched; the buffer follows */

static void expect_in_call(struct child *victim, struct child *caller, int its_score)
{
    expect_death(victim->partner.pid, caller->partner.pid, its_score, its_score, child_area + OWN_PAGES * PAGE,
                 child_area + OWN_PAGES * PAGE + BUFFER);
}

static int make_call(struct partner *self, void *area)
{
    memset(area, 1, OWN_PAGES * PAGE);
    own_stack_and_variables();
    tell(self);
    await(self);
    int wrong = calls[call_number].call((char *)area + OWN_PAGES * PAGE);
    tell(self);
    await(self);
    return wrong;
}

/* What is written must be on the disk before memory is measured: blocks that wait for that are no cache yet. */
static void prepare_files_and_pipes(void)
{
    static char buffer[BUFFER];

    for (size_t i = 0; i < BUFFER; i++)
        buffer[i] = pattern_of(i);
    zero_device = open("/dev/zero", O_RDONLY);
    new_file = open("oom.zeros", O_CREATE | O_RDWR | O_TRUNC);
    pattern_file = open("oom.pattern", O_CREATE | O_RDWR | O_TRUNC);
    CHECK_EQ(write(pattern_file, buffer, BUFFER), BUFFER);
    CHECK_EQ(lseek(pattern_file, 0, SEEK_SET), 0);
    CHECK_EQ(pipe(full_pipe), 0);
    CHECK_EQ(pipe(empty_pipe), 0);
    CHECK_EQ(write(full_pipe[1], buffer, BUFFER), BUFFER);
    CHECK_EQ(sync(), 0);
}

static void close_all(void)
{
    close(full_pipe[0]), close(full_pipe[1]), close(empty_pipe[0]), close(empty_pipe[1]);
    close(pattern_file), close(new_file), close(zero_device);
    unlink("oom.pattern");
    unlink("oom.zeros");
}

TEST(calls_finish_when_a_hog_has_gone)
{
    for (call_number = 0; call_number < COUNT(calls); call_number++) {
        prepare_files_and_pipes();
        struct child hog = hog_of(1000), caller = child_start(make_call);
        int its_score = score(&hog);
        squeeze();
        tell(&caller.partner);
        CHECK(await(&caller.partner));
        expect_in_call(&hog, &caller, its_score);
        tell(&caller.partner);
        if (!CHECK_EQ(partner_end(&caller.partner), 0))
            printf("%s went wrong\n", calls[call_number].name);
        CHECK_EQ(end(&hog), -1);
        let_go();
        close_all();
    }
}

TEST(a_caller_that_is_the_highest_goes)         /* in the middle of its call, and leaves no lock and no page behind */
{
    for (call_number = 0; call_number < COUNT(calls); call_number++) {
        static char buffer[BUFFER];
        prepare_files_and_pipes();
        struct child caller = child_start(make_call);
        int its_score = score(&caller);
        squeeze();
        tell(&caller.partner);
        if (!CHECK(!await(&caller.partner)))
            printf("%s went on\n", calls[call_number].name);
        expect_in_call(&caller, &caller, its_score);
        CHECK_EQ(partner_end(&caller.partner), -1);
        CHECK_EQ(lseek(pattern_file, 0, SEEK_SET), 0);          /* the files are not locked, the pipes are not taken */
        CHECK_EQ(read(pattern_file, buffer, BUFFER), BUFFER);
        CHECK(is_pattern(buffer, BUFFER));
        CHECK_EQ(write(new_file, buffer, 100), 100);
        CHECK_EQ(write(empty_pipe[1], buffer, 100), 100);
        CHECK_EQ(read(full_pipe[0], buffer, 1), 1);
        CHECK_EQ(sync(), 0);
        let_go();
        close_all();
    }
}

/* ---- As init */

/* It has more than anybody and is never chosen: neither as somebody else's victim nor for its own touch. */
TEST(init_is_never_chosen)
{
    char *mine = tamalloc(AREA_BYTES), *more = mine + 2000 * PAGE;
    struct child big = hog_of(600), middle = hog_of(300), small = hog_of(30);
    int wrong = 0, alive = 1, its_score;

    for (size_t i = 0; i < 2000; i++)
        mine[i * PAGE] = (char)i;
    CHECK(row_of(1).oom_score > 3 * score(&big));
    its_score = score(&big);
    squeeze();
    CHECK(order(&small, 100));
    expect(&big, &small, its_score);
    CHECK_EQ(end(&big), -1);

    its_score = score(&middle);
    squeeze();
    for (size_t i = 0; i < 100; i++)
        more[i * PAGE] = (char)i;
    expect_death(middle.partner.pid, 1, its_score, its_score, more, more + 100 * PAGE);
    CHECK_EQ(end(&middle), -1);

    for (int i = 0; i < 500 && alive; i++) {    /* nobody is left but the toucher and init */
        squeeze();
        alive = order(&small, 1);
    }
    CHECK(!alive);
    expect(&small, &small, -1);
    CHECK_EQ(end(&small), -1);
    for (size_t i = 0; i < 2000; i++)
        wrong += mine[i * PAGE] != (char)i;
    CHECK_EQ(wrong, 0);
    let_go();
}

_Noreturn static void as_init(void)
{
    while (dup(open("/dev/console", O_RDWR)) < 2)
        ;
    child_area = tamalloc(AREA_BYTES);
    RUN(init_is_never_chosen);
    int failed = check_summary("oom");
    halt(failed);
    exit(1);
}

int main(void)
{
    if (getpid() == 1)
        as_init();
    chdir("/tmp");
    child_area = tamalloc(AREA_BYTES);
    RUN(a_toucher_that_is_the_highest_goes);
    RUN(a_hog_goes_and_a_small_toucher_goes_on);
    RUN(the_highest_goes_first);
    RUN(a_tie_goes_to_the_toucher);
    RUN(several_touchers_at_once_kill_one_hog);
    RUN(two_hogs_at_once);
    RUN(a_promise_is_kept);
    RUN(calls_that_need_no_promise_go_on);
    RUN(a_block_without_frames);
    RUN(a_stack_that_grows);
    RUN(a_write_to_a_shared_page_without_a_frame);
    RUN(calls_finish_when_a_hog_has_gone);
    RUN(a_caller_that_is_the_highest_goes);
    return check_summary("oom");
}
