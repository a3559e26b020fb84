/*
 * cow [limit | shortage] -- what fork shares, and what a write to it does. What fork.c tests is not repeated.
 *
 * If it fails: one task sees the other's bytes, a page is copied that need not be, a page is lost or is freed twice, or a
 * fork that fails costs the parent something.
 *   limit      the boot line says maxtasks=N: the task table is full
 *   shortage   for a machine with little memory: fork meets its end
 */
#include "calls.h"                              /* user/tests/$(ARCH)/ */
#include "user/tests/pages.h"

#define PIECE_PAGES 8
#define ALL_PAGES   (COUNT(pieces) * PIECE_PAGES)
#define SHARED_COW  (PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_SHARED | PAGE_IS_COW)
#define SHARING     (PAGE_IS_RESIDENT | PAGE_IS_SHARED | PAGE_IS_COW | PAGE_IS_WRITABLE)

/* Private writable memory of every kind that a program can ask for, and a bit of .bss. */
static struct piece {
    const char *name;
    char       *start;
} pieces[] = { { "sbrk", 0 }, { "sbrklazy", 0 }, { "malloco", 0 }, { "malloco 2", 0 }, { "tamalloc", 0 }, { "bss", 0 } };
#define BSS_PIECE 5

static char in_bss[PIECE_PAGES][PAGE] __attribute__((aligned(4096)));

static void make_pieces(void)
{
    char *top = sbrk(0);

    sbrk((intptr_t)(-(uintptr_t)top & (PAGE - 1)));
    pieces[0].start = sbrk(PIECE_PAGES * PAGE);
    pieces[1].start = sbrklazy(PIECE_PAGES * PAGE);
    pieces[2].start = malloco(PIECE_PAGES * PAGE);
    pieces[3].start = malloco(PIECE_PAGES * PAGE);
    pieces[4].start = tamalloc(PIECE_PAGES * PAGE);
    pieces[5].start = in_bss[0];
    CHECK(pieces[0].start != SBRK_ERROR && pieces[1].start != SBRK_ERROR && pieces[4].start != TAMALLOC_ERROR);
    CHECK(pieces[2].start == REGION_START && pieces[3].start == REGION_START + PIECE_PAGES * PAGE);
}

static char *page_of_piece(size_t n) { return pieces[n / PIECE_PAGES].start + n % PIECE_PAGES * PAGE; }

/* What chau() gave up is granted again only after a sweep. */
static void wait_for_a_sweep(void)
{
    for (uint64_t seen = counters_now().sweeps; counters_now().sweeps == seen; )
        pause(1);
}

static uint64_t word_of(unsigned tag, size_t n, size_t i) { return (uint64_t)tag << 48 | n << 16 | i; }

static void fill_page(size_t n, unsigned tag)
{
    uint64_t *words = (uint64_t *)page_of_piece(n);
    for (size_t i = 0; i < PAGE / 8; i++)
        words[i] = word_of(tag, n, i);
}

static int page_is(size_t n, unsigned tag)
{
    uint64_t *words = (uint64_t *)page_of_piece(n), wrong = 0;
    for (size_t i = 0; i < PAGE / 8; i++)
        wrong |= words[i] ^ word_of(tag, n, i);
    return wrong == 0;
}

static void fill_all(unsigned tag)
{
    for (size_t n = 0; n < ALL_PAGES; n++)
        fill_page(n, tag);
}

/* How many pages do not hold this tag's contents. */
static int pages_other_than(unsigned tag)
{
    int other = 0;
    for (size_t n = 0; n < ALL_PAGES; n++)
        other += !page_is(n, tag);
    return other;
}

static size_t all_with(int pid, unsigned mask, unsigned bits)
{
    size_t found = 0;
    for (size_t i = 0; i < COUNT(pieces); i++)
        found += pages_with(pid, pieces[i].start, PIECE_PAGES, mask, bits);
    return found;
}

/* ---- The call itself: R001-1, R001-3 */

TEST(every_register_is_the_same_in_both)        /* R001-1, R001-3, A001-2..4 */
{
    for (int i = 0; i < 5; i++) {
        unsigned long wrong = 1;
        int status = -2;
        long pid = fork_with_patterns(&wrong);
        if (pid == 0)
            exit(wrong == 0 ? 21 : 1);
        CHECK(pid > 0);
        CHECK_EQ(wrong, 0);
        CHECK_EQ(wait_for_task((int)pid, &status), pid);
        CHECK_EQ(status, 21);
    }
}

/* ---- Right after fork */

static int only_wait(struct partner *self, void *argument)
{
    (void)argument;
    await(self);
    return 0;
}

TEST(both_have_the_same_frames_read_only)       /* R001-6, A001-5, A001-13: all private pages that were touched */
{
    fill_all(1);
    CHECK_EQ(all_with(0, SHARING, PAGE_IS_RESIDENT | PAGE_IS_WRITABLE), ALL_PAGES);
    long resident = (long)row_of(0).committed_memory;
    struct partner p = partner_start(only_wait, 0);
    CHECK_EQ(all_with(0, SHARING, PAGE_IS_RESIDENT | PAGE_IS_SHARED | PAGE_IS_COW), ALL_PAGES);
    CHECK_EQ(all_with(p.pid, SHARING, PAGE_IS_RESIDENT | PAGE_IS_SHARED | PAGE_IS_COW), ALL_PAGES);
    struct process_mem_info child = row_of(p.pid);
    CHECK(child.committed_memory >= (uint64_t)resident);        /* R004-3: a shared frame counts in each sharer */
    CHECK_EQ(child.reserved_memory, row_of(0).reserved_memory);
    CHECK_EQ(all_with(0, PAGE_IS_GRANTED, PAGE_IS_GRANTED), ALL_PAGES);
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
    CHECK_EQ(all_with(0, SHARING, PAGE_IS_RESIDENT | PAGE_IS_COW), ALL_PAGES);  /* they were the child's: nobody else has them */
    CHECK_EQ(pages_other_than(1), 0);
}

TEST(text_is_shared_and_never_copied)           /* R001-5, A001-1 */
{
    static const char constant[] = "read-only";
    const void *read_only[] = { main_text(), constant };

    struct partner p = partner_start(only_wait, 0);
    for (size_t i = 0; i < COUNT(read_only); i++) {
        CHECK_EQ(state_of(0, read_only[i]), PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_SHARED);
        CHECK_EQ(state_of(p.pid, read_only[i]), PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_SHARED);
    }
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
    for (size_t i = 0; i < COUNT(read_only); i++)
        CHECK_EQ(state_of(0, read_only[i]), PAGE_IS_GRANTED | PAGE_IS_RESIDENT);
}

/* ---- A write */

static int write_when_told(struct partner *self, void *number)
{
    size_t n = (size_t)number;
    int wrong = 0;

    own_stack_and_variables();
    tell(self);
    await(self);                                /* the parent wrote: its bytes are not seen here */
    wrong += !page_is(n, 2);
    fill_page(n, 4);
    tell(self);
    await(self);
    wrong += !page_is(n, 4);
    return wrong;
}

TEST(a_write_copies_one_page_and_the_last_sharer_none)          /* R001-7, A001-10: from either side */
{
    for (size_t n = 3; n < ALL_PAGES; n += PIECE_PAGES) {
        struct kcounters before, after;
        if (n / PIECE_PAGES == BSS_PIECE)
            continue;                           /* it is owned with the other variables */
        fill_all(2);
        struct partner p = partner_start(write_when_told, (void *)n);
        await(&p);
        own_stack_and_variables();
        before = counters_now();
        before = counters_now();
        page_of_piece(n)[17] = 3;
        after = counters_now();
        CHECK_EQ(after.cow_copies - before.cow_copies, 1);
        CHECK_EQ(after.cow_upgrades, before.cow_upgrades);
        CHECK_EQ(after.demand_faults, before.demand_faults);
        CHECK_EQ(state_of(0, page_of_piece(n)) & SHARING, PAGE_IS_RESIDENT | PAGE_IS_WRITABLE);
        CHECK_EQ(state_of(p.pid, page_of_piece(n)) & SHARING, PAGE_IS_RESIDENT | PAGE_IS_COW);
        for (size_t i = n - 1; i <= n + 1; i += 2) {            /* its neighbours are shared as before */
            CHECK_EQ(state_of(0, page_of_piece(i)) & SHARING, PAGE_IS_RESIDENT | PAGE_IS_SHARED | PAGE_IS_COW);
            CHECK_EQ(state_of(p.pid, page_of_piece(i)) & SHARING, PAGE_IS_RESIDENT | PAGE_IS_SHARED | PAGE_IS_COW);
        }
        before = counters_now();
        tell(&p);
        await(&p);                              /* the child wrote the same page, as the last one that has it */
        after = counters_now();
        CHECK_EQ(after.cow_copies, before.cow_copies);
        CHECK_EQ(after.cow_upgrades - before.cow_upgrades, 1);
        CHECK_EQ(state_of(p.pid, page_of_piece(n)) & SHARING, PAGE_IS_RESIDENT | PAGE_IS_WRITABLE);
        page_of_piece(n)[17] = (char)(word_of(2, n, 2) >> 8);   /* byte 1 of word 2 */
        CHECK(page_is(n, 2));
        tell(&p);
        CHECK_EQ(partner_end(&p), 0);
    }
}

static int look_when_told(struct partner *self, void *tag)
{
    own_stack_and_variables();
    tell(self);
    await(self);
    int other = pages_other_than((unsigned)(uintptr_t)tag);
    tell(self);
    await(self);
    return other != 0;
}

TEST(reading_copies_nothing)
{
    struct kcounters before, after;

    fill_all(5);
    struct partner p = partner_start(look_when_told, (void *)5);
    await(&p);
    own_stack_and_variables();
    before = counters_now();
    before = counters_now();
    CHECK_EQ(pages_other_than(5), 0);
    tell(&p);
    await(&p);
    after = counters_now();
    CHECK_EQ(after.cow_copies + after.cow_upgrades + after.demand_faults,
             before.cow_copies + before.cow_upgrades + before.demand_faults);
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
}

static int write_first_page_when_told(struct partner *self, void *tag)
{
    own_stack_and_variables();
    tell(self);
    await(self);
    int wrong = !page_is(0, 6);
    fill_page(0, (unsigned)(uintptr_t)tag);
    tell(self);
    await(self);
    return wrong + !page_is(0, (unsigned)(uintptr_t)tag);
}

TEST(three_sharers_two_copies_one_upgrade)      /* R001-7 */
{
    struct kcounters before, after;

    fill_all(6);
    struct partner a = partner_start(write_first_page_when_told, (void *)7);
    await(&a);
    struct partner b = partner_start(write_first_page_when_told, (void *)8);
    await(&b);
    own_stack_and_variables();
    before = counters_now();
    before = counters_now();
    tell(&a);
    await(&a);
    after = counters_now();
    CHECK_EQ(after.cow_copies - before.cow_copies, 1);
    fill_page(0, 9);
    after = counters_now();
    CHECK_EQ(after.cow_copies - before.cow_copies, 2);
    CHECK_EQ(after.cow_upgrades, before.cow_upgrades);
    tell(&b);
    await(&b);
    after = counters_now();
    CHECK_EQ(after.cow_copies - before.cow_copies, 2);
    CHECK_EQ(after.cow_upgrades - before.cow_upgrades, 1);
    CHECK(page_is(0, 9));
    tell(&a);
    tell(&b);
    CHECK_EQ(partner_end(&a), 0);
    CHECK_EQ(partner_end(&b), 0);
}

/* M6: the parent has just written the pages, so its CPU knows them as writable; it writes again at once after fork. */
TEST(the_parent_writes_right_after_fork)
{
    volatile char *page = page_of_piece(0), *other = page_of_piece(4 * PIECE_PAGES);
    int fds[2], bad = 0;
    char byte;

    for (int i = 0; i < 60; i++) {
        int status = -2;
        CHECK_EQ(pipe(fds), 0);
        page[5] = other[5] = 'b';
        int pid = fork();
        if (pid != 0)
            page[5] = other[5] = 'a';
        if (pid == 0) {
            close(fds[1]);
            read(fds[0], &byte, 1);             /* until the parent has closed its end, long after it wrote */
            exit(page[5] == 'b' && other[5] == 'b' ? 0 : 1);
        }
        close(fds[0]);
        close(fds[1]);
        bad += wait_for_task(pid, &status) != pid || status != 0 || page[5] != 'a';
    }
    CHECK_EQ(bad, 0);
}

/* ---- R001-8: what is read-only for good is never copied */

static int poke(void *address) { *(volatile char *)address = 1; return 0; }

static uint64_t sum_of_page(const void *address)
{
    const uint64_t *words = (const uint64_t *)page_down(address);
    uint64_t sum = 0;
    for (size_t i = 0; i < PAGE / 8; i++)
        sum = sum * 31 + words[i];
    return sum;
}

struct poke_order { void *address; int go, answer; };

/* Forks, so that the page is shared; the child, which only looks, tells on a pipe what it sees after this task was killed. */
static int poke_after_fork(void *argument)
{
    struct poke_order *order = argument;
    uint64_t before = sum_of_page(order->address);
    char byte;

    if (fork() == 0) {
        read(order->go, &byte, 1);
        byte = sum_of_page(order->address) == before ? 'y' : 'n';
        byte = state_of(0, order->address) & (PAGE_IS_COW | PAGE_IS_WRITABLE) ? 'w' : byte;
        write(order->answer, &byte, 1);
        exit(0);
    }
    return poke(order->address);
}

TEST(a_write_to_text_after_fork_is_an_eviction)
{
    static const char constant[] = "constant";
    void *read_only[] = { main_text(), (void *)constant };
    int go[2], answer[2];
    char byte;

    for (size_t i = 0; i < COUNT(read_only); i++) {
        CHECK_EQ(pipe(go), 0);
        CHECK_EQ(pipe(answer), 0);
        struct poke_order order = { read_only[i], go[0], answer[1] };
        uint64_t sum = sum_of_page(read_only[i]);
        EVICTED(poke_after_fork, &order);
        CHECK_EQ(write(go[1], "x", 1), 1);
        byte = 0;
        CHECK_EQ(read(answer[0], &byte, 1), 1);
        CHECK_EQ(byte, 'y');
        CHECK(sum_of_page(read_only[i]) == sum);
        close(go[0]), close(go[1]), close(answer[0]), close(answer[1]);
    }
}

/* ---- R001-4: blocks in every state are copied as they are */

struct blocks { char *active, *untouched, *marked, *marked_untouched, *area, *untouched_area; };

static int blocks_are_right_in_child(void *argument)
{
    struct blocks *b = argument;
    int wrong = 0;

    wrong |= b->active[PAGE] != 'a' || b->area[PAGE] != 't' || b->marked[PAGE] != 'm' ? 1 : 0;
    wrong |= b->untouched[0] != 0 || b->untouched_area[0] != 0 ? 2 : 0;         /* R002-8: still zero, and lazily */
    memset(b->untouched, 'c', PAGE);
    memset(b->untouched_area, 'c', PAGE);
    b->active[PAGE] = b->area[PAGE] = 'c';
    return wrong;
}

static int touch(void *address) { return *(volatile char *)address; }

static void make_blocks(struct blocks *b)
{
    *b = (struct blocks){ malloco(3 * PAGE), malloco(2 * PAGE), malloco(3 * PAGE), malloco(2 * PAGE), tamalloc(3 * PAGE),
                          tamalloc(3 * PAGE) };
    CHECK(b->active != 0 && b->untouched != 0 && b->marked != 0 && b->marked_untouched != 0);
    CHECK(b->area != TAMALLOC_ERROR && b->untouched_area != TAMALLOC_ERROR);
    memset(b->active, 'a', 3 * PAGE);
    memset(b->marked, 'm', 3 * PAGE);
    memset(b->area, 't', 3 * PAGE);
    CHECK_EQ(chau(b->marked), 0);
    CHECK_EQ(chau(b->marked_untouched), 0);
}

#define HOW (PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_MARKED | PAGE_IS_FIRST)

static int same_states(int pid, int other, const char *start, size_t npages)
{
    for (size_t i = 0; i < npages; i++)
        if ((state_of(pid, start + i * PAGE) & HOW) != (state_of(other, start + i * PAGE) & HOW))
            return 0;
    return 1;
}

TEST(blocks_are_copied_in_every_state)          /* R001-4, R002-8, R000-13 */
{
    struct blocks b;
    struct partner p;
    uint64_t sweeps;

    for (int i = 0; ; i++) {                    /* until no sweep fell between chau and the look at the child */
        make_blocks(&b);
        sweeps = counters_now().sweeps;
        p = partner_start(only_wait, 0);
        CHECK(same_states(0, p.pid, REGION_START, 1024));
        CHECK(same_states(0, p.pid, b.area, 8));
        unsigned in_child = state_of(p.pid, b.marked), first_untouched = state_of(p.pid, b.marked_untouched);
        if (counters_now().sweeps == sweeps) {
            CHECK_EQ(in_child & HOW, HOW);
            CHECK_EQ(in_child & SHARING, PAGE_IS_RESIDENT | PAGE_IS_SHARED | PAGE_IS_COW);
            CHECK_EQ(first_untouched & HOW, PAGE_IS_GRANTED | PAGE_IS_MARKED | PAGE_IS_FIRST);
            break;
        }
        tell(&p);
        CHECK_EQ(partner_end(&p), 0);
        CHECK(chau(b.active) == 0 && chau(b.untouched) == 0);
        wait_for_a_sweep();                     /* so that nothing is marked, and the next one is far away */
        if (!CHECK(i < 20))
            return;
    }
    CHECK_EQ(state_of(p.pid, b.untouched) & HOW, PAGE_IS_GRANTED | PAGE_IS_FIRST);
    CHECK_EQ(state_of(p.pid, b.untouched_area) & HOW, PAGE_IS_GRANTED);
    struct kcounters before = counters_now();
    wait_for_a_sweep();                         /* takes both copies; a frame that is freed twice is a panic */
    struct kcounters after = counters_now();
    CHECK_EQ(after.blocks_swept - before.blocks_swept, 4);
    CHECK_EQ(after.pages_swept - before.pages_swept, 6);
    CHECK_EQ(state_of(0, b.marked) & HOW, 0);
    CHECK_EQ(state_of(p.pid, b.marked) & HOW, 0);
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
    EVICTED(touch, b.marked);
    EVICTED(touch, b.marked_untouched);
    CHECK_EQ(malloco(3 * PAGE), b.marked);      /* granted again, and zero */
    CHECK_EQ(b.marked[PAGE], 0);
    CHECK_EQ(chau(b.marked), 0);
    CHECK_EQ(chau(b.active), 0);
    CHECK_EQ(chau(b.untouched), 0);
}

TEST(a_childs_blocks_and_areas_are_its_own)     /* R001-4, R002-8 */
{
    struct blocks b;

    make_blocks(&b);
    CHECK_EQ(in_child(blocks_are_right_in_child, &b), 0);
    CHECK(b.active[PAGE] == 'a' && b.area[PAGE] == 't');
    CHECK_EQ(state_of(0, b.untouched) & PAGE_IS_RESIDENT, 0);
    CHECK_EQ(state_of(0, b.untouched_area) & PAGE_IS_RESIDENT, 0);
    CHECK(b.untouched[0] == 0 && b.untouched_area[0] == 0);
    CHECK_EQ(chau(b.active), 0);
    CHECK_EQ(chau(b.untouched), 0);
}

static int sees_block_after_chau(struct partner *self, void *block)
{
    await(self);                                /* the parent's chau, and a sweep */
    return ((char *)block)[PAGE] != 'k' || chau(block) != 0;
}

TEST(chau_of_a_shared_block_takes_only_ones_own)                /* R000-13 */
{
    char *block = malloco(2 * PAGE);

    memset(block, 'k', 2 * PAGE);
    struct partner p = partner_start(sees_block_after_chau, block);
    CHECK_EQ(chau(block), 0);
    wait_for_a_sweep();
    CHECK_EQ(state_of(0, block), 0);
    CHECK_EQ(state_of(p.pid, block) & (SHARING | HOW), PAGE_IS_GRANTED | PAGE_IS_FIRST | PAGE_IS_RESIDENT | PAGE_IS_COW);
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
}

/* ---- R001-13: calls that write to a page which is shared. The other task keeps its bytes. */

static int a_pipe[2], a_file;
static char *link_path = "cow.link";

static long by_read_pipe(char *to)
{
    write(a_pipe[1], "abc", 3);
    return read(a_pipe[0], to, 3) - 3;
}

static long by_read_file(char *to)
{
    lseek(a_file, 0, SEEK_SET);
    return read(a_file, to, 100) - 100;
}

static long by_read_zero(char *to)
{
    int fd = open("/dev/zero", O_RDONLY);
    long n = read(fd, to, 9);
    close(fd);
    return n - 9;
}

static long by_pipe(char *to)
{
    int *fds = (int *)to, result = pipe(fds);
    close(fds[0]);
    close(fds[1]);
    return result;
}

static int child_with_77(void)
{
    int pid = fork();
    if (pid == 0)
        exit(77);
    return pid;
}

static long by_wait(char *to) { return child_with_77() != wait((int *)to) || *(int *)to != 77; }
static long by_wait_for_task(char *to) { return wait_for_task(child_with_77(), (int *)to) < 0 || *(int *)to != 77; }
static long by_fstat(char *to) { return fstat(a_file, (struct stat *)to); }
static long by_stat(char *to) { return stat("/bin", (struct stat *)to); }
static long by_statfs(char *to) { return statfs("/", (struct statfs *)to); }
static long by_readlink(char *to) { return readlink(link_path, to, 64) - 6; }
static long by_getcwd(char *to) { return getcwd(to, 64) != to; }
static long by_time(char *to) { return syscall(24, to) < 0; }
static long by_tasklist(char *to) { return tasklist((struct task_info *)to, 4) < 4; }
static long by_arealist(char *to) { return arealist(0, (struct area_info *)to, 2) < 2; }
static long by_pagemap(char *to) { return pagemap(0, main_text(), (uint8_t *)to, 1); }
static long by_kcounters(char *to) { return kcounters((struct kcounters *)to); }
static long by_466(char *to) { return get_all_pid_stats((struct process_mem_info *)to, 3) < 3; }
static long by_467(char *to) { return get_all_mem_stats((struct system_mem_summary *)to); }
static long by_468(char *to) { return get_mem_stats(getpid(), (struct process_mem_info *)to); }

static const struct writer { const char *name; long (*write)(char *to); } writers[] = {
    { "read pipe", by_read_pipe }, { "read file", by_read_file }, { "read zero", by_read_zero }, { "pipe", by_pipe },
    { "fstat", by_fstat }, { "stat", by_stat }, { "statfs", by_statfs }, { "readlink", by_readlink }, { "getcwd", by_getcwd },
    { "time", by_time }, { "tasklist", by_tasklist }, { "arealist", by_arealist }, { "pagemap", by_pagemap },
    { "kcounters", by_kcounters }, { "466", by_466 }, { "467", by_467 }, { "468", by_468 }, { "wait", by_wait },
    { "wait_for_task", by_wait_for_task },
};

/* The call is made at the end of the first page, so that what it writes lies on two pages, or just on the first. */
static int let_the_kernel_write(void *index)
{
    const struct writer *w = &writers[(size_t)index / 2];
    size_t offset = (size_t)index % 2 ? PAGE - 8 : 0;
    long result = w->write(page_of_piece(0) + offset);
    if (result != 0)
        printf("%s: result off by %ld, errno %d\n", w->name, result, errno);
    return result != 0 || page_is(0, 10);
}

static int let_the_kernel_write_as_partner(struct partner *self, void *index)
{
    int wrong = pages_other_than(10);
    tell(self);
    await(self);
    (void)index;
    return wrong + pages_other_than(10);
}

TEST(the_kernel_breaks_sharing_before_it_writes)                /* R001-13, A001-11: 466, 467, all others */
{
    a_file = open("cow.file", O_CREATE | O_RDWR | O_TRUNC);
    CHECK_EQ(write(a_file, pieces[5].start, 100), 100);
    unlink(link_path);
    CHECK_EQ(symlink("nowher", link_path), 0);
    CHECK_EQ(pipe(a_pipe), 0);
    for (size_t i = 0; i < 2 * COUNT(writers); i++) {
        fill_all(10);
        CHECK_EQ(in_child(let_the_kernel_write, (void *)i), 0);         /* for the child: the parent keeps its bytes */
        if (!CHECK_EQ(pages_other_than(10), 0))
            printf("the parent's page was written by %s in the child\n", writers[i / 2].name);
        fill_all(10);
        struct partner p = partner_start(let_the_kernel_write_as_partner, (void *)i);
        await(&p);
        CHECK_EQ(let_the_kernel_write((void *)i), 0);                   /* for the parent: the child keeps its own */
        tell(&p);
        if (!CHECK_EQ(partner_end(&p), 0))
            printf("the child's page was written by %s in the parent\n", writers[i / 2].name);
    }
    close(a_file), close(a_pipe[0]), close(a_pipe[1]);
    unlink("cow.file");
    unlink(link_path);
}

/* M5: a page that is there is not mapped again, whoever asks for it to be there. */
TEST(a_present_page_is_left_alone)
{
    struct kcounters before, after;
    char *page = page_of_piece(0);
    int fd = open("/dev/zero", O_RDONLY), bad = 0;

    fill_all(11);
    own_stack_and_variables();
    before = counters_now();
    before = counters_now();
    for (int i = 0; i < 20; i++) {
        bad += read(fd, page + 8, 8) != 8;
        FAILS(wait((int *)(page + 8)), ECHILD);
    }
    after = counters_now();
    CHECK_EQ(bad, 0);
    CHECK_EQ(after.demand_faults, before.demand_faults);
    CHECK_EQ(after.cow_copies + after.cow_upgrades, before.cow_copies + before.cow_upgrades);
    CHECK_EQ(((uint64_t *)page)[1], 0);
    ((uint64_t *)page)[1] = word_of(11, 0, 1);
    CHECK_EQ(pages_other_than(11), 0);
    close(fd);
}

/* ---- Many at once: M2 */

static int wait_for_all(int pids[], int n)
{
    int bad = 0;
    for (int i = 0; i < n; i++) {
        int status = -2;
        bad += wait_for_task(pids[i], &status) != pids[i] || status != 0;
    }
    return bad;
}

#define SIBLINGS 4

TEST(all_sharers_write_at_once)                 /* M2: each ends with pages of its own, and none is lost */
{
    int gate[2], pids[SIBLINGS], bad = 0;
    char byte;

    for (int round = 0; round < 12; round++) {
        unsigned tag = (unsigned)(20 + round * 8);
        CHECK_EQ(pipe(gate), 0);
        fill_all(tag);
        for (unsigned i = 0; i < SIBLINGS; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                close(gate[1]);
                read(gate[0], &byte, 1);        /* until the parent begins, too */
                int wrong = 0;
                for (size_t n = 0; n < ALL_PAGES; n++) {
                    wrong += !page_is(n, tag);
                    fill_page(n, tag + 1 + i);
                }
                exit(wrong + pages_other_than(tag + 1 + i));
            }
            bad += pids[i] < 0;
        }
        close(gate[0]), close(gate[1]);
        for (size_t n = 0; n < ALL_PAGES; n++) {
            bad += !page_is(n, tag);
            fill_page(n, tag + 7);
        }
        bad += wait_for_all(pids, SIBLINGS) + pages_other_than(tag + 7);
    }
    CHECK_EQ(bad, 0);
}

/* R001-12: three generations; each writes pages of its own and finds its ancestors' in the others. A001-7: the frames come back
 * in any order by now, so no two follow each other. */
static int descend(void *depth)
{
    size_t level = (size_t)depth;
    int pids[8], bad = pages_other_than(140), children = level == 1 ? 8 : 2;
    static unsigned written[4];

    if (level > 3)
        return 0;
    for (size_t up = 1; up < level; up++)
        bad -= !page_is(up, 140) && page_is(up, written[up]);           /* what the ancestors wrote is no surprise */
    for (int i = 0; i < children; i++) {
        written[level] = 141 + (unsigned)level * 8 + (unsigned)i;
        fill_page(level, written[level]);
        pids[i] = fork();
        if (pids[i] == 0)
            exit(descend((void *)(level + 1)));
    }
    bad += wait_for_all(pids, children) + !page_is(level, written[level]);
    return bad;
}

TEST(three_generations)
{
    fill_all(140);
    CHECK_EQ(in_child(descend, (void *)1), 0);
    CHECK_EQ(pages_other_than(140), 0);
}

/* ---- All of REGION: a thousand pages, so that long walks through the same pages meet on different harts */

#define REST_PAGES (1024 - 2 * PIECE_PAGES)
static char *rest;

TEST(a_thousand_pages_cost_few_frames)          /* R001-10: 1024 touched pages of malloco; and not a fence for each */
{
    struct kcounters before, during;

    memset(rest, 'r', REST_PAGES * PAGE);
    fill_all(12);
    CHECK_EQ(pages_with(0, REGION_START, 1024, PAGE_IS_RESIDENT, PAGE_IS_RESIDENT), 1024);
    before = counters_now();
    struct partner p = partner_start(only_wait, 0);
    during = counters_now();
    CHECK(frames_to_have(&before) - frames_to_have(&during) < 32);
    CHECK(during.shootdowns - before.shootdowns < 32);
    CHECK_EQ(pages_with(p.pid, REGION_START, 1024, SHARING, PAGE_IS_RESIDENT | PAGE_IS_SHARED | PAGE_IS_COW), 1024);
    tell(&p);
    CHECK_EQ(partner_end(&p), 0);
    own_stack_and_variables();
    before = counters_now();
    memset(rest, 's', REST_PAGES * PAGE);       /* R001-7: the last sharer copies none of them */
    during = counters_now();
    CHECK_EQ(during.cow_copies, before.cow_copies);
    CHECK_EQ(during.cow_upgrades - before.cow_upgrades, REST_PAGES);
}

TEST(forks_beside_exits)                        /* M2: the count of a frame goes up here while others take it down */
{
    int gate[2], pids[SIBLINGS], leaving[SIBLINGS] = { 0 }, bad = 0;
    char byte;

    memset(rest, 'f', REST_PAGES * PAGE);
    for (int round = 0; round < 120; round++) {
        CHECK_EQ(pipe(gate), 0);
        for (int i = 0; i < SIBLINGS; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                close(gate[1]);
                read(gate[0], &byte, 1);
                exit(rest[(size_t)round * PAGE] == 'f' ? 0 : 1);
            }
            bad += pids[i] < 0;
        }
        if (round > 0)
            bad += wait_for_all(leaving, SIBLINGS);
        close(gate[0]), close(gate[1]);         /* they all end now, while the next ones are made */
        memcpy(leaving, pids, sizeof leaving);
    }
    CHECK_EQ(bad + wait_for_all(leaving, SIBLINGS), 0);
}

/* Each writes a word of its own on every page, at the same time as the other, and must never see the other's. */
static int write_own_words(size_t mine, size_t others, uint64_t tag)
{
    int wrong = 0;

    for (size_t i = 0; i < REST_PAGES; i++)
        ((uint64_t *)(rest + i * PAGE))[mine] = tag + mine;
    for (size_t i = 0; i < REST_PAGES; i++) {
        uint64_t *words = (uint64_t *)(rest + i * PAGE);
        wrong += words[mine] != tag + mine || words[others] != tag || words[0] != tag || words[PAGE / 8 - 1] != tag;
    }
    return wrong;
}

TEST(two_tasks_write_every_page_at_once)        /* M2 */
{
    int gate[2], bad = 0;
    char byte;

    for (uint64_t round = 1; round <= 20; round++) {
        for (size_t i = 0; i < REST_PAGES * PAGE / 8; i++)
            ((uint64_t *)rest)[i] = round << 32;
        CHECK_EQ(pipe(gate), 0);
        int pid = fork();
        if (pid == 0) {
            close(gate[1]);
            read(gate[0], &byte, 1);
            exit(write_own_words(1, PAGE / 8 - 2, round << 32) != 0);
        }
        bad += pid < 0;
        close(gate[0]), close(gate[1]);
        bad += write_own_words(PAGE / 8 - 2, 1, round << 32) + wait_for_all(&pid, 1);
    }
    CHECK_EQ(bad, 0);
}

/* ---- A fork that fails costs nothing */

struct held { long frames, tasks, promises; };

static struct held held_now(void)
{
    struct kcounters c = counters_now();
    return (struct held){ frames_to_have(&c), (long)c.tasks_live, (long)c.pages_committed };
}

/* 50 forks, none of which succeeds. What is missing afterwards, if it is missing each time, was lost by them. */
static void failing_forks(int error)
{
    struct held before, after;

    for (int i = 0; i < 5; i++) {
        before = held_now();
        for (int k = 0; k < 50; k++)
            FAILS(fork(), error);
        after = held_now();
        if (after.frames >= before.frames && after.tasks == before.tasks && after.promises == before.promises)
            break;
    }
    CHECK(after.frames >= before.frames);
    CHECK_EQ(after.tasks, before.tasks);
    CHECK_EQ(after.promises, before.promises);
}

/* Children that wait until the pipe is closed; ends when fork fails. Returns how many. */
static int fork_until_it_fails(int gate[2], int pids[], int max)
{
    int n = 0;
    char byte;

    CHECK_EQ(pipe(gate), 0);
    while (n < max && (pids[n] = fork()) >= 0) {
        if (pids[n] == 0) {
            close(gate[1]);
            read(gate[0], &byte, 1);
            exit(0);
        }
        n++;
    }
    return n;
}

static void end_all(int gate[2], int pids[], int n)
{
    close(gate[0]), close(gate[1]);
    CHECK_EQ(wait_for_all(pids, n), 0);
}

static int pids[4000];

/* R001-11, A001-9: -EAGAIN. R001-9: they all wait in the kernel at once, each on a stack of its own, and come back from there. */
TEST(the_task_table_is_full)
{
    int gate[2], status;

    fill_all(200);
    struct held before = held_now();
    int n = fork_until_it_fails(gate, pids, (int)COUNT(pids));
    CHECK_EQ(errno, EAGAIN);
    struct kcounters c = counters_now();
    CHECK_EQ(c.tasks_live, c.tasks_max);
    CHECK_EQ(n, (int)c.tasks_max - before.tasks);
    failing_forks(EAGAIN);
    CHECK_EQ(pages_other_than(200), 0);
    fill_all(201);
    CHECK_EQ(kill(pids[n - 1]), 0);             /* room for one */
    CHECK_EQ(wait_for_task(pids[n - 1], &status), pids[n - 1]);
    CHECK_EQ(in_child(touch, page_of_piece(0)), *page_of_piece(0));
    end_all(gate, pids, n - 1);
    CHECK_EQ(held_now().tasks, before.tasks);
    CHECK_EQ(pages_other_than(201), 0);
}

TEST(more_is_promised_than_a_second_task_could_have)            /* R001-11: -ENOMEM at the promise */
{
    struct kcounters before, after;
    struct kcounters c = counters_now();
    long pages = (frames_to_have(&c) - (long)c.pages_committed) * 6 / 10;
    char *memory = sbrk(pages * (long)PAGE);

    CHECK(memory != SBRK_ERROR);
    for (long i = 0; i < pages; i++)
        memory[(size_t)i * PAGE] = (char)i;
    fill_all(210);
    failing_forks(ENOMEM);
    before = counters_now();
    CHECK_EQ(pages_other_than(210), 0);
    fill_all(211);
    for (long i = 0; i < pages; i++)
        memory[(size_t)i * PAGE]++;
    after = counters_now();
    CHECK_EQ(after.cow_copies, before.cow_copies);              /* its pages are its own as before */
    CHECK_EQ(after.demand_faults, before.demand_faults);
    int wrong = 0;
    for (long i = 0; i < pages; i++)
        wrong += memory[(size_t)i * PAGE] != (char)(i + 1);
    CHECK_EQ(wrong, 0);
    CHECK(sbrk(-pages * (long)PAGE) != SBRK_ERROR);
    CHECK_EQ(in_child(touch, page_of_piece(0)), *page_of_piece(0));
    CHECK_EQ(pages_other_than(211), 0);
}

TEST(frames_end)                                /* R001-11: -ENOMEM at whatever step there is no frame */
{
    int gate[2];

    fill_all(220);
    struct held before = held_now();
    int n = fork_until_it_fails(gate, pids, (int)COUNT(pids));
    CHECK_EQ(errno, ENOMEM);
    CHECK(n > 100);
    CHECK_EQ(held_now().tasks, before.tasks + n);
    failing_forks(ENOMEM);
    CHECK_EQ(pages_other_than(220), 0);
    end_all(gate, pids, n);
    CHECK_EQ(held_now().tasks, before.tasks);
    CHECK_EQ(pages_other_than(220), 0);
    fill_all(221);
    CHECK_EQ(in_child(touch, page_of_piece(0)), *page_of_piece(0));
    CHECK_EQ(pages_other_than(221), 0);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    chdir("/tmp");
    make_pieces();
    if (strcmp(mode, "limit") == 0) {
        RUN(the_task_table_is_full);
        return check_summary("cow");
    }
    if (strcmp(mode, "shortage") == 0) {
        RUN(more_is_promised_than_a_second_task_could_have);
        RUN(frames_end);
        return check_summary("cow");
    }
    RUN(every_register_is_the_same_in_both);
    RUN(both_have_the_same_frames_read_only);
    RUN(text_is_shared_and_never_copied);
    RUN(a_write_copies_one_page_and_the_last_sharer_none);
    RUN(reading_copies_nothing);
    RUN(three_sharers_two_copies_one_upgrade);
    RUN(the_parent_writes_right_after_fork);
    RUN(a_write_to_text_after_fork_is_an_eviction);
    RUN(blocks_are_copied_in_every_state);
    RUN(a_childs_blocks_and_areas_are_its_own);
    RUN(chau_of_a_shared_block_takes_only_ones_own);
    RUN(the_kernel_breaks_sharing_before_it_writes);
    RUN(a_present_page_is_left_alone);
    RUN(all_sharers_write_at_once);
    RUN(three_generations);
    rest = malloco(REST_PAGES * PAGE);          /* all of REGION: nobody else may need any from here on */
    CHECK_EQ(rest, REGION_START + 2 * PIECE_PAGES * PAGE);
    RUN(a_thousand_pages_cost_few_frames);
    RUN(forks_beside_exits);
    RUN(two_tasks_write_every_page_at_once);
    return check_summary("cow");
}
