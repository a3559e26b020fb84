/* Checks of L9: fork shares frames, and a write copies one page. S001; requirements R001-2 to R001-13, M2 and M6.
 *
 * The child of most checks is a sleeper: it touches no memory at all, so that what is looked at stays as fork left it, also where
 * fork left it wrong. */
#include "calls.h"                              /* user/tests/$(ARCH)/ */
#include "labs/user_check.h"
#include <errno.h>

#define SHARING (PAGE_IS_RESIDENT | PAGE_IS_SHARED | PAGE_IS_COW | PAGE_IS_WRITABLE)
#define SHARED_COW (PAGE_IS_RESIDENT | PAGE_IS_SHARED | PAGE_IS_COW)
#define PIECES 4
#define PIECE_PAGES_MAX 12

/* fork by registers only; the child pauses for ever. */
long fork_sleeper(void);
/* Words of the program's text that nobody executes. */
extern const char unused_text[];
__asm__(
    ".text\n"
    ".globl fork_sleeper\n"
    "fork_sleeper:\n"
    "    li a7, 222\n"
    "    ecall\n"
    "    beqz a0, 1f\n"
    "    ret\n"
    "1:  li a0, 600\n"
    "    li a7, 13\n"                           /* pause */
    "    ecall\n"
    "    j 1b\n"
    ".balign 8\n"
    "unused_text:\n"
    "    .dword 0x6f6e206568742021\n"
    ".previous\n");

static void end_sleeper(long pid)
{
    int status;

    if (pid <= 0)
        return;
    kill((int)pid);
    wait_for_task((int)pid, &status);
}

/* ---- Private memory of every kind, each page with contents of its own */

static char *pieces[PIECES];
static size_t piece_pages;
static const char *const kinds[PIECES] = { "heap", "lazy heap", "malloco", "tamalloc" };

static void make_pieces(void)
{
    piece_pages = 5 + check_random() % (PIECE_PAGES_MAX - 5);
    sbrk((intptr_t)(-(uintptr_t)sbrk(0) & (PAGE - 1)));
    pieces[0] = sbrk((intptr_t)(piece_pages * PAGE));
    pieces[1] = sbrklazy((intptr_t)(piece_pages * PAGE));
    pieces[2] = malloco(piece_pages * PAGE);
    pieces[3] = tamalloc(piece_pages * PAGE);
}

static size_t pages_of_all(void) { return PIECES * piece_pages; }
static uint64_t *page_number(size_t n) { return (uint64_t *)(pieces[n / piece_pages] + n % piece_pages * PAGE); }
static uint64_t word_of(uint64_t tag, size_t n, size_t i) { return tag << 40 ^ (uint64_t)n << 20 ^ i * 0x9E3779B9u; }

static void fill(size_t n, uint64_t tag)
{
    uint64_t *page = page_number(n);
    for (size_t i = 0; i < PAGE / 8; i++)
        page[i] = word_of(tag, n, i);
}

static int has(size_t n, uint64_t tag)
{
    uint64_t *page = page_number(n), wrong = 0;
    for (size_t i = 0; i < PAGE / 8; i++)
        wrong |= page[i] ^ word_of(tag, n, i);
    return wrong == 0;
}

static void fill_all(uint64_t tag)
{
    for (size_t n = 0; n < pages_of_all(); n++)
        fill(n, tag);
}

static size_t pages_without(uint64_t tag)
{
    size_t other = 0;
    for (size_t n = 0; n < pages_of_all(); n++)
        other += !has(n, tag);
    return other;
}

static size_t all_with(int pid, unsigned mask, unsigned bits)
{
    size_t found = 0;
    for (size_t i = 0; i < PIECES; i++)
        found += pages_with(pid, pieces[i], piece_pages, mask, bits);
    return found;
}

/* ---- The call */

static void each_side_has_its_result(void)
{
    for (int round = 0; round < 5; round++) {
        int fds[2], said[2] = { -1, -1 }, self = getpid(), status = -2;
        pipe(fds);
        int pid = (int)syscall(222, 0x5A5A);    /* fork, with something in the register of the result */
        if (getpid() != self) {                 /* whatever fork says here */
            int mine[2] = { getpid(), pid };
            write(fds[1], mine, sizeof mine);
            exit(40 + round);
        }
        if (!EXPECT(pid > 0, "no-child", "fork in the parent: expected a pid, saw %d (%s)", pid, strerror(errno)))
            return;
        close(fds[1]);
        long got = read(fds[0], said, sizeof said);
        close(fds[0]);
        EXPECT(got == sizeof said, "child-dies", "the child says which pid it is: expected 8 bytes, saw %ld", got);
        EXPECT(got != sizeof said || said[0] == pid, "wrong-pid", "fork in the parent: expected the child's pid %d, saw %d",
               said[0], pid);
        EXPECT(got != sizeof said || said[1] == 0, "same-result", "fork in the child: expected 0, saw %d", said[1]);
        wait_for_task(pid, &status);
        EXPECT(status == 40 + round, "child-dies", "status of the child: expected %d, saw %d", 40 + round, status);
    }
}

static int forks_down(void *depth)              /* each level is a child of the one above, and returns through all frames */
{
    long level = (long)depth;
    volatile long mine = level * 5;

    if (level == 0)
        return 0;
    int status = in_child(forks_down, (void *)(level - 1));
    return mine == level * 5 && status == level - 1 ? (int)level : 100;
}

static void child_goes_on_where_the_call_was(void)
{
    for (int i = 0; i < 3; i++) {
        unsigned long wrong = 1;
        int status = -2, self = getpid();
        long pid = fork_with_patterns(&wrong);
        if (getpid() != self)
            exit(wrong == 0 ? 21 : 22);
        EXPECT(pid > 0 && wrong == 0, "registers", "registers of the parent that changed: expected 0x0, saw 0x%lx (bits)", wrong);
        wait_for_task((int)pid, &status);
        EXPECT(status == 21, "registers", "the child finds every register as at the call: expected status 21, saw %d", status);
    }
    int depth = 10 + (int)(check_random() % 4), seen = in_child(forks_down, (void *)(long)depth);
    EXPECT(seen == depth, "depth", "forks %d calls deep, each child returns through all frames: expected %d, saw %d", depth,
           depth, seen);
}

/* ---- What fork gives the child */

static struct area_info ours[40], theirs[40];

static int block_is_ours_to_release(void *block) { return chau(block) == 0 ? 7 : 8; }

static int heap_grows(void *top)
{
    char *more = sbrk(2 * PAGE);
    if (more != top)
        return 1;
    memset(more, 1, 2 * PAGE);
    return sbrk(-(intptr_t)(2 * PAGE)) == more + 2 * PAGE ? 7 : 2;
}

static int next_block_is_behind(void *end) { return malloco(PAGE) == end ? 7 : 8; }

static int untouched_is_zero(void *argument)
{
    volatile char *page = argument;
    if ((state_of(0, (char *)argument) & PAGE_IS_RESIDENT) != 0)
        return 1;
    if (page[0] != 0 || page[PAGE - 1] != 0)
        return 2;
    page[9] = 1;
    return 7;
}

static void expect_seven(int seen, const char *what)
{
    EXPECT(seen == 7, "areas", "in the child: %s: expected 7, saw %d", what, seen);
}

static void child_has_the_same_memory(void)
{
    make_pieces();
    fill_all(3);
    char *marked = malloco(3 * PAGE), *untouched = malloco(2 * PAGE), *area = tamalloc(PAGE);
    memset(marked, 'm', 3 * PAGE);
    for (uint64_t seen = counters_now().sweeps; counters_now().sweeps == seen; )    /* the next sweep is far away now */
        pause(1);
    chau(marked);
    long pid = fork_sleeper();
    if (!EXPECT(pid > 0, "no-child", "fork: expected a pid, saw %ld", pid))
        return;
    int n = arealist(0, ours, COUNT(ours)), m = arealist((int)pid, theirs, COUNT(theirs)), other = 0;
    for (int i = 0; i < n && i < m; i++)
        other += ours[i].start != theirs[i].start || ours[i].end != theirs[i].end || ours[i].kind != theirs[i].kind ||
                 ours[i].access != theirs[i].access;
    EXPECT(n == m, "areas", "areas of the child: expected %d as in the parent, saw %d", n, m);
    EXPECT(other == 0, "areas", "areas that differ in the child: expected 0, saw %d", other);
    long reserved = (long)row_of(0).reserved_memory, its_reserved = (long)row_of((int)pid).reserved_memory;
    EXPECT(its_reserved == reserved, "reserved", "reserved memory of the child: expected %ld KiB as in the parent, saw %ld",
           reserved,
           its_reserved);
    for (size_t i = 0; i < piece_pages + 5; i++) {              /* all blocks, page by page */
        unsigned how = PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_MARKED | PAGE_IS_FIRST;
        unsigned mine = state_of(0, REGION_START + i * PAGE) & how, its = state_of((int)pid, REGION_START + i * PAGE) & how;
        if (!EXPECT(mine == its, "tracker", "page %ld of REGION in the child: expected state 0x%x as in the parent, saw 0x%x",
                    (long)i, mine, its))
            break;
    }
    uint64_t swept = counters_now().blocks_swept;
    for (uint64_t seen = counters_now().sweeps; counters_now().sweeps == seen; )
        pause(1);
    swept = counters_now().blocks_swept - swept;
    EXPECT(swept == 2, "tracker", "the marked block is swept in parent and child: expected 2 blocks, saw %ld", (long)swept);
    end_sleeper(pid);
    expect_seven(in_child(next_block_is_behind, marked), "malloco gives the next block behind the others");
    expect_seven(in_child(block_is_ours_to_release, pieces[2]), "chau releases a block of the parent's");
    expect_seven(in_child(heap_grows, sbrk(0)), "the heap grows from where the parent's ended");
    expect_seven(in_child(untouched_is_zero, untouched), "an untouched page of malloco is absent, then zero");
    expect_seven(in_child(untouched_is_zero, area), "an untouched page of tamalloc is absent, then zero");
    EXPECT((state_of(0, untouched) & PAGE_IS_RESIDENT) == 0, "areas", "a page that only the child touched is in the parent, too");
    size_t without = pages_without(3);
    EXPECT(without == 0, "contents", "pages of the parent that lost their contents: expected 0, saw %ld", (long)without);
}

static const char constant[] = "a constant of the program";

static void text_is_shared_for_good(void)
{
    const void *read_only[] = { page_down(main_text()), page_down(constant), page_down(unused_text) };
    static const char *const names[] = { "main()", "a constant", "its text" };

    unsigned first = (unsigned char)constant[0];                /* touched */
    EXPECT(first == 'a', "", "the constant begins with 0x%x, expected 'a'", first);
    (void)*(volatile const char *)unused_text;
    long pid = fork_sleeper();
    if (!EXPECT(pid > 0, "no-child", "fork: expected a pid, saw %ld", pid))
        return;
    for (size_t i = 0; i < COUNT(read_only); i++) {
        unsigned mine = state_of(0, read_only[i]), its = state_of((int)pid, read_only[i]);
        EXPECT((mine & PAGE_IS_COW) == 0 && (its & PAGE_IS_COW) == 0, "cow-on-text",
               "the page of %s is marked COW: parent 0x%x, child 0x%x, expected no bit 0x%x", names[i], mine, its, PAGE_IS_COW);
        EXPECT((mine & SHARING) == (PAGE_IS_RESIDENT | PAGE_IS_SHARED), "text-copied",
               "the page of %s in the parent: expected present and shared (0x%x), saw 0x%x", names[i],
               PAGE_IS_RESIDENT | PAGE_IS_SHARED, mine & SHARING);
        EXPECT((its & SHARING) == (PAGE_IS_RESIDENT | PAGE_IS_SHARED), "text-copied",
               "the page of %s in the child: expected present and shared (0x%x), saw 0x%x", names[i],
               PAGE_IS_RESIDENT | PAGE_IS_SHARED, its & SHARING);
    }
    end_sleeper(pid);
}

static void both_have_the_frames_read_only(void)
{
    make_pieces();
    fill_all(1);
    long pid = fork_sleeper();
    if (!EXPECT(pid > 0, "no-child", "fork: expected a pid, saw %ld", pid))
        return;
    for (size_t i = 0; i < PIECES; i++)
        for (size_t at = 0; at < piece_pages; at++) {
            unsigned mine = state_of(0, pieces[i] + at * PAGE), its = state_of((int)pid, pieces[i] + at * PAGE);
            long page = (long)at;
            EXPECT((its & PAGE_IS_RESIDENT) != 0, "absent", "page %ld of the %s is absent in the child, expected the parent's "
                                                            "frame", page, kinds[i]);
            if ((its & PAGE_IS_RESIDENT) == 0)
                continue;
            EXPECT((mine & PAGE_IS_SHARED) != 0, "not-counted",
                   "page %ld of the %s: the frame has one reference, expected two (parent 0x%x, child 0x%x)", page, kinds[i],
                   mine, its);
            EXPECT((mine & PAGE_IS_WRITABLE) == 0, "parent-writable", "page %ld of the %s is still writable in the parent "
                                                                      "(0x%x)", page,
                   kinds[i], mine);
            EXPECT((its & PAGE_IS_WRITABLE) == 0, "child-writable", "page %ld of the %s is writable in the child (0x%x)", page,
                   kinds[i], its);
            EXPECT((mine & PAGE_IS_COW) != 0 && (its & PAGE_IS_COW) != 0, "no-mark",
                   "page %ld of the %s has no COW mark: parent 0x%x, child 0x%x", page, kinds[i], mine, its);
        }
    long resident = (long)row_of(0).committed_memory, its = (long)row_of((int)pid).committed_memory;
    EXPECT(its > resident - 64 && its <= resident, "resident", "committed memory of the child: expected about %ld KiB as in the "
                                                               "parent, saw %ld",
           resident, its);
    end_sleeper(pid);
}

/* ---- A write */

static int child_writes(void *argument)
{
    (void)argument;
    if (pages_without(1) != 0)
        return 1;
    for (size_t n = 0; n < pages_of_all(); n++) {
        size_t i = (n * 37 + 5) % (PAGE / 8);
        uint64_t *word = page_number(n) + i;
        *word = ~*word;                         /* one word: what becomes of the others? */
        uint64_t seen = *word;
        *word = word_of(1, n, i);
        if (seen != ~word_of(1, n, i))
            return 3;
        if (!has(n, 1))
            return 4;
        fill(n, 2);
        if (n + 1 < pages_of_all() && !has(n + 1, 1))
            return 2;
    }
    return pages_without(2) == 0 ? 7 : 3;
}

static int child_looks(struct partner *self, void *argument)
{
    (void)argument;
    await(self);                                /* until the parent has written */
    return pages_without(1) == 0 ? 7 : 1;
}

static void a_write_is_seen_by_the_writer_only(void)
{
    make_pieces();
    fill_all(1);
    int seen = in_child(child_writes, 0);
    EXPECT(seen != 1, "contents", "the child does not find the parent's bytes");
    EXPECT(seen != 2, "contents", "a write of the child changed its next page, too");
    EXPECT(seen != 3, "contents", "the child wrote and reads something else");
    EXPECT(seen != 4, "contents", "the child wrote one word of a page, and the others are no longer the parent's");
    EXPECT(seen == 7 || (seen > 0 && seen < 5), "child-dies", "the child that writes: expected status 7, saw %d", seen);
    size_t without = pages_without(1);
    EXPECT(without == 0, "leaks-to-parent", "pages of the parent that show what the child wrote: expected 0, saw %ld of %ld",
           (long)without,
           (long)pages_of_all());
    fill_all(1);
    struct partner p = partner_start(child_looks, 0);
    fill_all(4);
    tell(&p);
    int status = partner_end(&p);
    EXPECT(status != 1, "leaks-to-child", "the child sees what the parent wrote after fork");
    EXPECT(status == 7 || status == 1, "child-dies", "the child that only reads: expected status 7, saw %d", status);
    without = pages_without(4);
    EXPECT(without == 0, "contents", "pages of the parent without what it wrote: expected 0, saw %ld", (long)without);
}

static void one_write_copies_one_page(void)
{
    make_pieces();
    fill_all(1);
    long pid = fork_sleeper();
    if (!EXPECT(pid > 0, "no-child", "fork: expected a pid, saw %ld", pid))
        return;
    own_stack_and_variables();
    for (size_t i = 0; i < PIECES; i++) {
        size_t n = i * piece_pages + 1 + check_random() % (piece_pages - 2);
        struct kcounters before = counters_now();
        before = counters_now();
        ((volatile char *)page_number(n))[check_random() % PAGE] ^= 1;
        struct kcounters after = counters_now();
        long copies = (long)(after.cow_copies - before.cow_copies), upgrades = (long)(after.cow_upgrades - before.cow_upgrades);
        unsigned mine = state_of(0, page_number(n)), its = state_of((int)pid, page_number(n));
        EXPECT(copies == 1 && upgrades == 0, "count", "one write to a shared page of the %s: expected 1 copy and 0 upgrades, saw "
                                                      "%ld and %ld",
               kinds[i], copies, upgrades);
        EXPECT((mine & SHARING) == (PAGE_IS_RESIDENT | PAGE_IS_WRITABLE), "entry",
               "the writer's page of the %s: expected writable and its own (0x%x), saw 0x%x", kinds[i],
               PAGE_IS_RESIDENT | PAGE_IS_WRITABLE,
               mine & SHARING);
        EXPECT((its & SHARING) == (PAGE_IS_RESIDENT | PAGE_IS_COW), "not-dropped",
               "the other's page of the %s: expected COW with one reference left (0x%x), saw 0x%x", kinds[i],
               PAGE_IS_RESIDENT | PAGE_IS_COW,
               its & SHARING);
    }
    size_t shared = all_with(0, SHARING, SHARED_COW);
    EXPECT(shared == pages_of_all() - PIECES, "neighbours", "after %d writes pages shared as before: expected %ld, saw %ld",
           PIECES,
           (long)pages_of_all() - PIECES, (long)shared);
    end_sleeper(pid);
}

static void the_last_sharer_copies_nothing(void)
{
    make_pieces();
    fill_all(1);
    long pid = fork_sleeper();
    if (!EXPECT(pid > 0, "no-child", "fork: expected a pid, saw %ld", pid))
        return;
    end_sleeper(pid);
    own_stack_and_variables();
    struct kcounters before = counters_now();
    before = counters_now();
    long frames = frames_to_have(&before);
    for (size_t n = 0; n < pages_of_all(); n++)
        ((volatile char *)page_number(n))[n] ^= 1;
    struct kcounters after = counters_now();
    long copies = (long)(after.cow_copies - before.cow_copies), upgrades = (long)(after.cow_upgrades - before.cow_upgrades);
    EXPECT(copies == 0, "copies-last", "the child has ended; %ld pages are written: expected 0 copies, saw %ld",
           (long)pages_of_all(), copies);
    EXPECT(upgrades == (long)pages_of_all(), "upgrades", "entries that became writable again: expected %ld, saw %ld",
           (long)pages_of_all(),
           upgrades);
    EXPECT(frames - frames_to_have(&after) < 4, "copies-last", "frames taken by these writes: expected none, saw %ld",
           frames - frames_to_have(&after));
    for (size_t n = 0; n < pages_of_all(); n++)
        ((volatile char *)page_number(n))[n] ^= 1;
    size_t without = pages_without(1);
    EXPECT(without == 0, "contents", "pages that lost their contents: expected 0, saw %ld", (long)without);
}

static int poke(void *address)
{
    volatile char *byte = address;
    *byte = (char)~*byte;                       /* must be the end of this task, which has just been forked */
    return 2;
}

static void a_write_to_text_ends_the_writer(void)
{
    const char *places[] = { unused_text, constant };
    static const char *const names[] = { "code", "a constant" };

    for (size_t i = 0; i < COUNT(places); i++) {
        char before = places[i][0];
        int status = in_child(poke, (void *)(uintptr_t)places[i]);
        EXPECT(status == -1, "text-written", "a write to %s after fork: expected the end of the writer (-1), saw status %d",
               names[i], status);
        EXPECT(places[i][0] == before, "text-written", "the byte of %s is 0x%x now, expected 0x%x", names[i],
               (unsigned char)places[i][0],
               (unsigned char)before);
    }
}

/* ---- What it costs */

static void a_thousand_pages_cost_few_frames(void)
{
    char *memory = malloco(1024 * PAGE);
    for (size_t i = 0; i < 1024; i++)
        memory[i * PAGE] = (char)i;
    end_sleeper(fork_sleeper());                /* what the kernel keeps for later is kept now */
    struct kcounters before = counters_now();
    before = counters_now();
    long pid = fork_sleeper();
    struct kcounters after = counters_now();
    if (!EXPECT(pid > 0, "no-child", "fork: expected a pid, saw %ld", pid))
        return;
    long taken = frames_to_have(&before) - frames_to_have(&after);
    EXPECT(taken < 32, "eager", "fork with 1024 resident pages takes frames: expected < 32, saw %ld", taken);
    long fences = (long)(after.shootdowns - before.shootdowns);
    EXPECT(fences < 32, "fences", "fences on other harts during fork: expected < 32, saw %ld", fences);
    end_sleeper(pid);
}

static void fails_at_every_step(void)
{
    long left = 1, worst = 0, n;

    for (n = 1; n < 200; n++) {
        fill_all(6);
        own_stack_and_variables();
        struct kcounters before = counters_now();
        before = counters_now();
        int self = getpid();
        long pid = call_with_failure(n, 222, 0, 0, 0, &left);
        if (getpid() != self)
            exit(0);
        if (left != 0) {                        /* fork makes fewer allocations than n: all have been tried */
            EXPECT(pid > 0, "no-child", "fork without a failure: expected a pid, saw %ld", pid);
            wait(0);
            break;
        }
        struct kcounters after = counters_now();
        if (!EXPECT(pid == -ENOMEM, "no-error", "allocation %ld of fork fails: expected -ENOMEM (%d), saw %ld", n, -ENOMEM,
                    pid)) {
            wait(0);
            break;
        }
        long lost = frames_to_have(&before) - frames_to_have(&after);
        if (!EXPECT(lost <= 0, "lost-frames", "allocation %ld of fork fails: free frames lost: expected 0, saw %ld", n, lost))
            break;
        size_t without = pages_without(6);
        EXPECT(without == 0, "contents", "allocation %ld of fork fails: pages of the parent without their bytes: expected 0, saw "
                                         "%ld", n,
               (long)without);
        before = counters_now();
        fill_all(7);                            /* every page can be written, and needs no frame */
        after = counters_now();
        long copies = (long)(after.cow_copies - before.cow_copies);
        worst = copies > worst ? copies : worst;
    }
    EXPECT(worst == 0, "lost-reference", "after a fork that failed the parent's writes copy pages: expected 0, saw %ld", worst);
    EXPECT(n > 5 && n < 200, "", "fork makes some allocations, expected between 5 and 200, saw %ld", n);
}

static void memory_ends_at_any_step(void)
{
    make_pieces();
    end_sleeper(fork_sleeper());
    expects_in_child(fails_at_every_step);
}

static void the_task_table_is_full(void)
{
    static long pids[64];
    int n = 0;

    make_pieces();
    fill_all(1);
    struct kcounters before = counters_now();
    while (n < (int)COUNT(pids) && (pids[n] = fork_sleeper()) > 0)
        n++;
    EXPECT(n > 0 && n < (int)COUNT(pids), "", "tasks until the table is full: expected 1 to 63, saw %d", n);
    EXPECT(n == (int)COUNT(pids) || pids[n] == -EAGAIN, "wrong-error", "fork with a full table: expected -EAGAIN (%d), saw %ld",
           -EAGAIN, pids[n]);
    fill_all(2);
    for (int i = 0; i < n; i++)
        end_sleeper(pids[i]);
    struct kcounters after = counters_now();
    EXPECT(frames_to_have(&after) >= frames_to_have(&before) - 8, "lost-frames", "free frames after all have ended: expected "
                                                                                 "about %ld, saw %ld",
           frames_to_have(&before), frames_to_have(&after));
    size_t without = pages_without(2);
    EXPECT(without == 0, "contents", "pages of the parent without their bytes: expected 0, saw %ld", (long)without);
}

/* ---- Many */

static int wait_for_all(const int pids[], int n, int expected)
{
    int bad = 0;
    for (int i = 0; i < n; i++) {
        int status = -2;
        bad += wait_for_task(pids[i], &status) != pids[i] || status != expected;
    }
    return bad;
}

static int generation(void *depth)
{
    size_t level = (size_t)depth;
    int pids[8], n = level == 1 ? 8 : 2;

    for (int i = 0; i < n; i++) {
        fill(level, level * 10 + (size_t)i);
        pids[i] = fork();
        if (pids[i] == 0) {
            int wrong = !has(level, level * 10 + (size_t)i) || !has(0, 1);
            exit(wrong ? 99 : level < 3 ? generation((void *)(level + 1)) : 7);
        }
    }
    return wait_for_all(pids, n, 7) == 0 && has(level, level * 10 + (size_t)n - 1) ? 7 : 98;
}

static void families_leave_nothing_behind(void)
{
    struct kcounters first = { 0 }, last;
    make_pieces();
    for (int round = 0; round < 5; round++) {
        fill_all(1);
        int status = in_child(generation, (void *)1);
        EXPECT(status == 7, "families", "3 generations with up to 8 siblings: expected status 7, saw %d", status);
        if (round == 1)                         /* what the kernel keeps for later is kept by now */
            first = counters_now();
    }
    last = counters_now();
    long lost = frames_to_have(&first) - frames_to_have(&last);
    EXPECT(lost < 12, "lost-frames", "frames lost by 3 families, all ended: expected 0, saw %ld", lost);
    size_t without = pages_without(1);
    EXPECT(without == 0, "contents", "pages of the first parent that changed: expected 0, saw %ld", (long)without);
}

/* ---- The kernel writes for a task */

static int a_pipe[2], zero;

static long by_zero(char *to) { return read(zero, to, 24); }
static long by_pipe(char *to)
{
    write(a_pipe[1], "from the kernel's pipe", 22);
    return read(a_pipe[0], to, 22);
}
static long by_counters(char *to) { return kcounters((struct kcounters *)(void *)to); }
static long by_sum(char *to) { return get_all_mem_stats((struct system_mem_summary *)(void *)to); }
static long by_rows(char *to) { return get_all_pid_stats((struct process_mem_info *)(void *)to, 2); }
static long by_stat(char *to) { return stat("/", (struct stat *)(void *)to); }

static const struct writer { const char *name; long (*write)(char *to); } writers[] = {
    { "read of /dev/zero", by_zero }, { "read of a pipe", by_pipe }, { "kcounters", by_counters }, { "467", by_sum }, { "466",
                                                                                                                       by_rows },
    { "stat", by_stat },
};

static int kernel_writes_in_child(void *argument)
{
    const struct writer *w = argument;
    long result = w->write((char *)page_number(0) + PAGE - 8);  /* on two pages, where it is longer */
    return result < 0 ? 1 : has(0, 1) ? 2 : 7;
}

static int child_compares(struct partner *self, void *argument)
{
    (void)argument;
    await(self);
    return pages_without(1) == 0 ? 7 : 1;
}

static void the_kernel_breaks_sharing_first(void)
{
    make_pieces();
    pipe(a_pipe);
    zero = open("/dev/zero", O_RDONLY);
    for (size_t i = 0; i < COUNT(writers); i++) {
        fill_all(1);
        int seen = in_child(kernel_writes_in_child, (void *)(uintptr_t)&writers[i]);
        EXPECT(seen == 7, "kernel-write-fails", "%s into a shared page: expected status 7, saw %d (1: error, 2: nothing "
                                                "written)", writers[i].name, seen);
        EXPECT(pages_without(1) == 0, "kernel-write", "%s in the child changed the parent's page", writers[i].name);
        fill_all(1);
        struct partner p = partner_start(child_compares, 0);
        long result = writers[i].write((char *)page_number(0) + PAGE - 8);
        tell(&p);
        int status = partner_end(&p);
        EXPECT(result >= 0, "kernel-write-fails", "%s into a shared page: expected no error, saw %ld", writers[i].name, result);
        EXPECT(status == 7, "kernel-write", "%s in the parent: the child expects its old bytes (7), saw status %d",
               writers[i].name, status);
    }
}

/* ---- Harts */

/* The parent has just written, so its hart knows the pages as writable; after fork it writes again at once, by registers only. */
static void old_translations_are_gone(void)
{
    int fds[2], bad = 0, dead = 0;

    make_pieces();
    volatile char *page = (char *)page_number(0), *other = (char *)page_number(3 * piece_pages);
    for (int round = 0; round < 40; round++) {
        int status = -2;
        char byte;
        pipe(fds);
        page[5] = other[5] = 'b';
        int pid = fork();
        if (pid != 0)
            page[5] = other[5] = 'a';
        if (pid == 0) {
            close(fds[1]);
            read(fds[0], &byte, 1);             /* until the parent has closed its end, long after it wrote */
            exit(page[5] == 'b' && other[5] == 'b' ? 7 : 1);
        }
        close(fds[0]);
        close(fds[1]);
        wait_for_task(pid, &status);
        bad += status == 1;
        dead += status != 1 && status != 7;
    }
    EXPECT(bad == 0, "no-fence", "M6: the parent writes right after fork: children that see it: expected 0, saw %d of 40", bad);
    EXPECT(dead == 0, "child-dies", "M6: children that ended otherwise: expected 0, saw %d of 40", dead);
}

static void all_sharers_write_at_once(void)
{
    enum { SIBLINGS = 4 };
    int gate[2], pids[SIBLINGS], bad = 0, mine = 0;
    char byte;

    make_pieces();
    for (uint64_t round = 0; round < 10; round++) {
        uint64_t tag = 20 + round * 8;
        pipe(gate);
        fill_all(tag);
        for (unsigned i = 0; i < SIBLINGS; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                close(gate[1]);
                read(gate[0], &byte, 1);        /* until the parent begins, too */
                int wrong = 0;
                for (size_t n = 0; n < pages_of_all(); n++) {
                    page_number(n)[i] = word_of(tag, n, i);     /* a write that changes nothing */
                    wrong += !has(n, tag);
                    fill(n, tag + 1 + i);
                }
                exit(wrong + (int)pages_without(tag + 1 + i) == 0 ? 7 : 1);
            }
        }
        close(gate[0]), close(gate[1]);
        for (size_t n = 0; n < pages_of_all(); n++) {
            page_number(n)[9] = word_of(tag, n, 9);
            mine += !has(n, tag);
            fill(n, tag + 7);
        }
        bad += wait_for_all(pids, SIBLINGS, 7);
        mine += (int)pages_without(tag + 7);
    }
    EXPECT(bad == 0, "mixed", "M2: %d siblings write the same pages at once, 10 times: children with foreign bytes: expected 0, "
                              "saw %d", SIBLINGS, bad);
    EXPECT(mine == 0, "mixed", "M2: pages of the parent with foreign bytes: expected 0, saw %d", mine);
}

static const struct check checks[] = {
    { "each_side_has_its_result", each_side_has_its_result },
    { "child_goes_on_where_the_call_was", child_goes_on_where_the_call_was },
    { "child_has_the_same_memory", child_has_the_same_memory },
    { "text_is_shared_for_good", text_is_shared_for_good },
    { "both_have_the_frames_read_only", both_have_the_frames_read_only },
    { "a_write_is_seen_by_the_writer_only", a_write_is_seen_by_the_writer_only },
    { "one_write_copies_one_page", one_write_copies_one_page },
    { "the_last_sharer_copies_nothing", the_last_sharer_copies_nothing },
    { "a_write_to_text_ends_the_writer", a_write_to_text_ends_the_writer },
    { "a_thousand_pages_cost_few_frames", a_thousand_pages_cost_few_frames },
    { "memory_ends_at_any_step", memory_ends_at_any_step },
    { "the_task_table_is_full", the_task_table_is_full },
    { "families_leave_nothing_behind", families_leave_nothing_behind },
    { "the_kernel_breaks_sharing_first", the_kernel_breaks_sharing_first },
    { "old_translations_are_gone", old_translations_are_gone },
    { "all_sharers_write_at_once", all_sharers_write_at_once },
};

int main(void) { return run_check(checks, COUNT(checks)); }
