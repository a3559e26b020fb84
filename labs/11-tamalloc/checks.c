/* Checks of L11: tamalloc, large areas that cost nothing until they are touched. S002 and S004; requirements R002-1 to R002-8,
R004-1. */
#include "labs/user_check.h"
#include "instructions.h"                       /* user/tests/$(ARCH)/ */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* The program of the course document, as it stands there. */
#define main seed_main
#include "user/tests/tamalloc_seed.c"
#undef main

#define TASK_BYTES USER_LIMIT                   /* TASK_SIZE: what the argument is compared with */

static long reserved_pages(void) { return (long)row_of(0).reserved_memory / 4; }
static long resident_pages(void) { return (long)row_of(0).committed_memory / 4; }
static bool failed(const char *area) { return area == TAMALLOC_ERROR; }

static long result_of(size_t nbytes)            /* the address, or -errno */
{
    errno = 0;
    char *area = tamalloc(nbytes);
    return failed(area) ? -errno : (long)area;
}

/* An area of so many pages where a check needs one to go on. */
static char *area_of(size_t npages)
{
    long got = result_of(npages * PAGE);
    EXPECT(got > 0, "no-area", "tamalloc of %ld pages: expected an address, saw %ld", (long)npages, got);
    return got > 0 ? (char *)got : 0;
}

/* ---- Sizes */

static void some_sizes_are_refused(void)
{
    static const size_t too_large[] = {
        TASK_BYTES + 1, TASK_BYTES + PAGE, 2 * TASK_BYTES, 1ul << 62, (1ul << 63) - 1, 1ul << 63,
    };
    long before = reserved_pages(), got = result_of(0);

    EXPECT(got == -EINVAL, "zero", "tamalloc(0): expected -EINVAL (%d), saw %ld", -EINVAL, got);
    for (size_t i = 0; i < COUNT(too_large); i++) {
        got = result_of(too_large[i]);
        EXPECT(got == -EINVAL, "too-large", "tamalloc(0x%lx), more than TASK_SIZE (0x%lx): expected -EINVAL (%d), saw %ld",
               too_large[i], TASK_BYTES, -EINVAL, got);
    }
    for (size_t less = 0; less < 3 * PAGE; less += 1 + check_random() % 700) {
        got = result_of(SIZE_MAX - less);
        if (!EXPECT(got == -EINVAL, "wrap", "tamalloc(0x%lx): expected -EINVAL (%d), saw %ld", SIZE_MAX - less, -EINVAL, got))
            break;
    }
    got = result_of(TASK_BYTES);
    EXPECT(got == -ENOMEM, "does-not-fit", "tamalloc(TASK_SIZE), which does not fit beside the program: expected -ENOMEM (%d), "
                                           "saw %ld",
           -ENOMEM, got);
    EXPECT(reserved_pages() == before, "changed", "refused calls changed the reserved pages: expected %ld, saw %ld", before,
           reserved_pages());
}

static void sizes_are_rounded_up(void)
{
    size_t random = 1 + check_random() % 100000;
    const size_t sizes[] = { 1, 4095, 4096, 4097, 5000, 8192, 8193, 10ul << 20, random };

    for (size_t i = 0; i < COUNT(sizes); i++) {
        long before = reserved_pages(), pages = (long)((sizes[i] + PAGE - 1) / PAGE), got = result_of(sizes[i]);
        if (!EXPECT(got > 0, "no-area", "tamalloc(%ld): expected an address, saw %ld", (long)sizes[i], got))
            return;
        EXPECT(got % (long)PAGE == 0, "not-aligned", "tamalloc(%ld) is 0x%lx: expected the start of a page", (long)sizes[i], got);
        EXPECT(reserved_pages() - before == pages, "reserved", "tamalloc(%ld) reserves pages: expected %ld, saw %ld",
               (long)sizes[i], pages,
               reserved_pages() - before);
        size_t granted = pages_with(0, (char *)got, (size_t)pages, PAGE_IS_GRANTED | PAGE_IS_RESIDENT, PAGE_IS_GRANTED);
        EXPECT(granted == (size_t)pages, "reserved", "tamalloc(%ld): granted and untouched pages: expected %ld, saw %ld",
               (long)sizes[i], pages,
               (long)granted);
        unsigned behind = state_of(0, (char *)got + pages * (long)PAGE);
        EXPECT(behind == 0, "no-guard", "the page behind tamalloc(%ld): expected nobody's (0), saw state 0x%x", (long)sizes[i],
               behind);
    }
}

/* ---- Where */

static struct area_info areas[200];

/* Reads the last byte of an area, which may be the one found last, then the byte behind it: that is its end. If not, it says so
 * itself, because its end may be the kernel's, too. */
static int run_over(void *end)
{
    volatile char *behind = end;
    char seen = behind[-1];
    seen += behind[0];
    check_child = getpid();
    check_records = 0;
    EXPECT(false, "guard-mapped", "a load from the page behind an area: expected the end of the task, saw %d", seen);
    return 1;
}

static int poke(void *address) { *(volatile char *)address = 1; return 7; }
static int jump(void *address) { ((void (*)(void))address)(); return 7; }

static void areas_are_apart(void)
{
    enum { AREAS = 40 };
    static char *at[AREAS];
    static size_t pages[AREAS];

    char *block = malloco(PAGE);
    EXPECT(block == REGION_START, "in-region", "malloco's first block: expected %p, saw %p", REGION_START, block);
    for (size_t i = 0; i < AREAS; i++) {
        pages[i] = 1 + check_random() % 5;
        if ((at[i] = area_of(pages[i])) == 0)
            return;
    }
    block = malloco(PAGE);
    EXPECT(block == REGION_START + PAGE, "in-region", "malloco's next block: expected %p, saw %p", REGION_START + PAGE, block);
    int n = arealist(0, areas, COUNT(areas)), mine = 0;
    for (int i = 0; i < n && i < (int)COUNT(areas); i++) {
        struct area_info *a = &areas[i], *before = i > 0 ? a - 1 : 0;
        bool ours = a->kind == AREA_TAMALLOC;
        mine += ours;
        if (before != 0)
            EXPECT(before->end <= a->start, "overlap", "areas overlap: one ends at 0x%lx, the next starts at 0x%lx",
                   (long)before->end,
                   (long)a->start);
        if (before != 0 && (ours || before->kind == AREA_TAMALLOC))
            EXPECT(before->end < a->start, "no-guard", "no page between the area that ends at 0x%lx and the next",
                   (long)before->end);
        if (ours)
            EXPECT(a->end <= USER_STACK_TOP - (8ul << 20) && a->start >= USER_IMAGE_END, "place",
                   "area 0x%lx to 0x%lx lies where heap or stack may grow: expected it between 0x%lx and 0x%lx", (long)a->start,
                   (long)a->end,
                   USER_IMAGE_END, USER_STACK_TOP - (8ul << 20));
    }
    EXPECT(mine == AREAS, "overlap", "areas of tamalloc: expected %d, saw %d", AREAS, mine);
    for (size_t i = 0; i < 3; i++) {
        int status = in_child(run_over, at[i] + pages[i] * PAGE);
        EXPECT(status == -1, "guard-mapped", "status of a task that reads behind an area: expected -1, saw %d", status);
        status = in_child(poke, at[i] - 1);
        EXPECT(status == -1, "guard-mapped", "a store to the byte before an area: expected the end of the task (-1), saw status "
                                             "%d", status);
        status = in_child(poke, at[i] + pages[i] * PAGE - 1);
        EXPECT(status == 7, "not-found", "a store to the last byte of an area: expected status 7, saw %d", status);
    }
    for (size_t n_done = 0; n_done < 200; n_done++) {           /* here and there, so that no memory of the last one helps */
        size_t i = check_random() % AREAS;
        char *last = at[i] + pages[i] * PAGE - 1;
        *last = (char)i;
        unsigned state = state_of(0, page_down(last));
        if (!EXPECT(*last == (char)i && (state & PAGE_IS_WRITABLE), "not-found",
                    "area %ld, last page: expected writable, saw state 0x%x",
                    (long)i, state))
            break;
    }
}

static void areas_are_read_and_written_only(void)
{
    char *area = area_of(2);

    if (area == 0)
        return;
    memcpy(area, return_at_once, sizeof return_at_once);
    int status = in_child(jump, area);
    EXPECT(status == -1, "executable", "code in an area is executed: expected the end of the task (-1), saw status %d", status);
    status = in_child(jump, area + PAGE);
    EXPECT(status == -1, "executable", "an untouched page is executed: expected the end of the task (-1), saw status %d", status);
    int n = arealist(0, areas, COUNT(areas)), kind = -1, access = 0;
    for (int i = 0; i < n; i++)
        if (areas[i].start == (uintptr_t)area) {
            kind = (int)areas[i].kind;
            access = (int)areas[i].access;
        }
    EXPECT(kind == AREA_TAMALLOC && access == (AREA_READ | AREA_WRITE), "rights",
           "kind and rights of the area: expected %d and 0x%x, saw %d and 0x%x", AREA_TAMALLOC, AREA_READ | AREA_WRITE, kind,
           access);
    FAILS(chau(area), EINVAL);
}

/* ---- What it costs */

static void the_call_takes_nothing(void)
{
    long resident = resident_pages(), worst = 0;

    for (int i = 0; i < 6; i++) {
        struct kcounters before = counters_now();
        before = counters_now();
        char *area = area_of(1 + check_random() % 300);
        struct kcounters after = counters_now();
        if (area == 0)
            return;
        long faults = (long)(after.demand_faults - before.demand_faults),
        frames = frames_to_have(&before) - frames_to_have(&after);
        EXPECT(faults == 0, "eager", "page faults during tamalloc: expected 0, saw %ld", faults);
        long promised = (long)(after.pages_committed - before.pages_committed);
        EXPECT(promised == 0, "charged", "tamalloc adds to the promised pages: expected 0, saw %ld", promised);
        worst = i > 0 && frames > worst ? frames : worst;
    }
    EXPECT(worst <= 1, "eager", "tamalloc takes frames: expected 0, saw %ld", worst);
    EXPECT(resident_pages() == resident, "eager", "resident pages after tamalloc: expected %ld as before, saw %ld", resident,
           resident_pages());
}

static void more_than_there_is(void)
{
    size_t ram = (size_t)counters_now().frames_total * PAGE;
    const size_t sizes[] = { ram / 2, ram, 16 * ram, 5ul << 30, 16ul << 30 };

    for (size_t i = 0; i < COUNT(sizes); i++) {
        long before = reserved_pages(), got = result_of(sizes[i]);
        if (!EXPECT(got > 0, "refused", "tamalloc(%ld MiB) with %ld MiB of memory: expected an address, saw %ld",
                    (long)(sizes[i] >> 20),
                    (long)(ram >> 20), got))
            continue;
        long pages = (long)((sizes[i] + PAGE - 1) / PAGE);
        EXPECT(reserved_pages() - before == pages, "truncated", "tamalloc(%ld MiB) reserves pages: expected %ld, saw %ld",
               (long)(sizes[i] >> 20), pages, reserved_pages() - before);
        volatile char *area = (char *)got;
        area[0] = 1;
        unsigned state = state_of(0, (char *)got + sizes[i] / 2 / PAGE * PAGE);
        EXPECT(state == PAGE_IS_GRANTED, "truncated", "the page in its middle: expected granted, not resident (%d), saw %u",
               PAGE_IS_GRANTED, state);
        area[sizes[i] - 1] = 1;
    }
}

static void each_page_comes_when_touched(void)
{
    size_t pages = 40 + check_random() % 20;
    char *area = area_of(pages);
    volatile char sum = 0;

    if (area == 0)
        return;
    own_stack_and_variables();
    for (size_t i = 1; i + 1 < pages; i += 3 + check_random() % 4) {
        bool reads = check_random() % 2 != 0;
        long resident = resident_pages();
        struct kcounters before = counters_now();
        if (reads)
            sum += ((volatile char *)area)[i * PAGE + 4095];
        else
            ((volatile char *)area)[i * PAGE + check_random() % PAGE] = 1;
        struct kcounters after = counters_now();
        long faults = (long)(after.demand_faults - before.demand_faults);
        EXPECT(faults == 1, "one-page", "a first %s: expected 1 demand fault, saw %ld", reads ? "read" : "write", faults);
        EXPECT(resident_pages() == resident + 1, "one-page", "resident pages after a first %s: expected %ld, saw %ld",
               reads ? "read" : "write",
               resident + 1, resident_pages());
        unsigned left = state_of(0, area + (i - 1) * PAGE), right = state_of(0, area + (i + 1) * PAGE);
        unsigned own = state_of(0, area + i * PAGE);
        EXPECT((right & PAGE_IS_RESIDENT) == 0 && (left & PAGE_IS_RESIDENT) == 0, "one-page",
               "its neighbours: expected absent, saw states 0x%x and 0x%x", left, right);
        EXPECT(own == (PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_WRITABLE), "entry",
               "the page itself: expected state 0x%x, saw 0x%x",
               PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_WRITABLE, own);
        before = counters_now();
        ((volatile char *)area)[i * PAGE + 2] = 1;
        after = counters_now();
        EXPECT(after.demand_faults == before.demand_faults, "one-page", "a second access faults again");
    }
    EXPECT(sum == 0, "not-zero", "first reads add up to %d, expected 0", sum);
}

static int soil(void *nbytes)                   /* frames that somebody has used, for the next one who gets them */
{
    volatile char *heap = sbrk((intptr_t)nbytes);
    for (size_t i = 0; i < (size_t)nbytes; i += 8)
        *(volatile uint64_t *)(heap + i) = 0xA5A5A5A5A5A5A5A5ull;
    return 7;
}

static void memory_reads_as_zero(void)
{
    size_t pages = 1000 + check_random() % 500;
    int status = in_child(soil, (void *)(pages * PAGE));
    EXPECT(status == 7, "", "a child that uses memory: expected status 7, saw %d", status);
    uint64_t *area = (uint64_t *)area_of(pages);
    if (area == 0)
        return;
    for (size_t i = 0; i < pages * PAGE / 8; i++)
        if (!EXPECT(area[i] == 0, "not-zero", "byte %ld of a new area: expected 0, saw 0x%lx", (long)i * 8, (long)area[i]))
            return;
}

static int take_all_addresses(void *unused)
{
    (void)unused;
    int count = 0;
    for (size_t nbytes = TASK_BYTES; nbytes > 0; nbytes /= 2)
        for (long got; (got = result_of(nbytes)) != -ENOMEM; count++)
            if (got <= 0 || (uintptr_t)got + nbytes > TASK_BYTES || count > 1000)
                return 1;
    long before = reserved_pages();
    if (result_of(1) != -ENOMEM || result_of(PAGE) != -ENOMEM || reserved_pages() != before)
        return 2;
    if (before < (long)(TASK_BYTES / PAGE / 2))
        return 3;
    volatile char frame[64 * PAGE];             /* the stack still grows, and the heap */
    for (size_t i = 0; i < 64; i++)
        frame[i * PAGE] = (char)i;
    char *heap = sbrk(64 * PAGE);
    if (heap == SBRK_ERROR)
        return 4;
    memset(heap, 1, 64 * PAGE);
    return malloco(PAGE) == REGION_START && frame[5 * PAGE] == 5 ? 7 : 5;
}

static void addresses_end(void)
{
    int status = in_child(take_all_addresses, 0);
    EXPECT(status != 1, "place", "an area ends beyond TASK_SIZE, or an error is not -ENOMEM");
    EXPECT(status != 2, "end", "when no address is left: expected -ENOMEM and no change");
    EXPECT(status != 3, "early", "half of all addresses are still free when tamalloc says -ENOMEM");
    EXPECT(status != 4 && status != 5, "place", "heap, stack or malloco have no place any more beside all areas: status %d",
           status);
    EXPECT(status == 7 || (status > 0 && status < 6), "", "the child that takes all addresses: expected status 7, saw %d",
           status);
}

/* ---- The program of the course */

static const char *const expected_lines[] = {
    "Presiona ENTER para continuar...", "Se asignaron 10 MB de memoria en la dirección: 0x",
    "Presiona ENTER para empezar a leer la memoria byte por byte...", "Verificados 1 MB...", "Verificados 2 MB...",
    "Verificados 3 MB...",
    "Verificados 4 MB...", "Verificados 5 MB...", "Verificados 6 MB...", "Verificados 7 MB...", "Verificados 8 MB...",
    "Verificados 9 MB...",
    "Toda la memoria se verificó que está inicializada en cero. Presiona ENTER para salir.",
};

static void the_seeds_program_runs(void)
{
    static char text[4096];
    int in[2], out[2], status = -2;
    size_t length = 0;

    pipe(in);
    pipe(out);
    write(in[1], "\n\n\n", 3);
    int pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        exit(seed_main());
    }
    close(out[1]);
    for (long n; length < sizeof text - 1 && (n = read(out[0], text + length, sizeof text - 1 - length)) > 0; length += (size_t)n)
        record("note", "%ld bytes", n);         /* it goes on: the program sleeps a second after each megabyte */
    wait_for_task(pid, &status);
    const char *at = text;
    for (size_t i = 0; i < COUNT(expected_lines); i++) {
        const char *found = strstr(at, expected_lines[i]);
        if (!EXPECT(found != 0, "seed", "the program does not say \"%s\"; it ended with: %s", expected_lines[i],
                    length > 60 ? text + length - 60 : text))
            break;
        at = found;
    }
    EXPECT(status == 0, "seed", "status of the program: expected 0, saw %d", status);
    close(in[0]), close(in[1]), close(out[0]);
}

/* ---- Accounts */

static int ten_megabytes(struct partner *self, void *unused)
{
    (void)unused;
    own_stack_and_variables();
    struct process_mem_info before = row_of(0);
    long got = result_of(10ul << 20);
    struct process_mem_info granted = row_of(0);
    EXPECT(got > 0, "no-area", "tamalloc(10 MiB): expected an address, saw %ld", got);
    long more = (long)(granted.reserved_memory - before.reserved_memory);
    EXPECT(more == 10240, "reserved", "reserved memory after the call: expected 10240 KiB more, saw %ld", more);
    more = (long)(granted.committed_memory - before.committed_memory);
    EXPECT(more == 0, "eager", "committed memory after the call: expected 0 KiB more, saw %ld", more);
    for (char *at = (char *)got; got > 0 && at < (char *)got + (10ul << 20); at += PAGE)
        *at = 1;
    struct process_mem_info used = row_of(0);
    more = (long)(used.committed_memory - granted.committed_memory);
    EXPECT(more == 10240, "committed", "committed memory after the loop: expected 10240 KiB more, saw %ld", more);
    tell(self);
    await(self);
    return check_broken != 0;
}

static int ten_megabytes_with_records(struct partner *self, void *unused)
{
    check_child = getpid();
    check_records = check_broken = 0;
    return ten_megabytes(self, unused);
}

static void accounts_are_right(void)
{
    struct partner warm = partner_start(ten_megabytes_with_records, 0);         /* what the kernel keeps for later is kept now */
    await(&warm);
    tell(&warm);
    check_broken += partner_end(&warm) != 0;
    struct kcounters before = counters_now();
    struct partner p = partner_start(ten_megabytes_with_records, 0);
    await(&p);
    struct kcounters used = counters_now();
    long frames = frames_to_have(&before) - frames_to_have(&used);
    EXPECT(frames >= 2560 && frames < 2560 + 40, "committed",
           "frames that 10 MiB and their task take: expected 2560 and a few, saw %ld", frames);
    tell(&p);
    check_broken += partner_end(&p) != 0;
    struct kcounters after = counters_now();
    long lost = frames_to_have(&before) - frames_to_have(&after);
    EXPECT(lost < 8, "leak", "frames missing after the task has ended: expected 0, saw %ld", lost);
}

static int writes_both(void *area)
{
    char *page = area;
    if (page[0] != 'p' || page[PAGE] != 0 || (state_of(0, page + 2 * PAGE) & PAGE_IS_RESIDENT) != 0)
        return 1;
    page[0] = page[PAGE] = page[2 * PAGE] = 'c';
    return failed(tamalloc(PAGE)) ? 2 : 7;
}

static void fork_shares_what_was_touched(void)
{
    char *area = area_of(3);

    if (area == 0)
        return;
    area[0] = 'p';
    int status = in_child(writes_both, area);
    EXPECT(status == 7, "fork", "the child reads the parent's page, and zeros where nobody wrote: expected status 7, saw %d",
           status);
    EXPECT(area[0] == 'p' && area[PAGE] == 0 && area[2 * PAGE] == 0, "fork",
           "the parent after the child wrote: expected 0x%x 0 0, saw 0x%x %d %d", 'p', area[0], area[PAGE], area[2 * PAGE]);
}

/* ---- When memory ends */

static int touch_for_ever(void *unused)
{
    (void)unused;
    size_t ram = (size_t)counters_now().frames_total * PAGE;
    long got = result_of(16 * ram);
    if (got <= 0)
        return 1;
    for (size_t i = 0; i < 16 * ram; i += PAGE)
        ((volatile char *)got)[i] = 1;
    return 2;
}

static int keeps_its_bytes(struct partner *self, void *unused)
{
    (void)unused;
    uint64_t *mine = (uint64_t *)area_of(16);
    for (size_t i = 0; mine != 0 && i < 16 * PAGE / 8; i++)
        mine[i] = i * 3;
    tell(self);
    await(self);
    for (size_t i = 0; mine != 0 && i < 16 * PAGE / 8; i++)
        if (mine[i] != i * 3)
            return 1;
    return mine != 0 ? 7 : 2;
}

static void only_the_toucher_ends(void)
{
    struct partner p = partner_start(keeps_its_bytes, 0);
    await(&p);
    int status = in_child(touch_for_ever, 0);
    EXPECT(status != 1, "refused", "tamalloc of 16 times all memory is refused");
    EXPECT(status == -1, "oom", "a task that touches more than there is: expected its end (-1), saw status %d", status);
    tell(&p);
    status = partner_end(&p);
    EXPECT(status == 7, "oom", "another task and its bytes: expected status 7, saw %d", status);
    char *area = area_of(4);
    if (area != 0)
        memset(area, 1, 4 * PAGE);              /* and there is memory again */
    EXPECT(area == 0 || area[4 * PAGE - 1] == 1, "oom", "memory after that: expected 1, saw %d", area[4 * PAGE - 1]);
}

static const struct check checks[] = {
    { "some_sizes_are_refused", some_sizes_are_refused },
    { "sizes_are_rounded_up", sizes_are_rounded_up },
    { "areas_are_apart", areas_are_apart },
    { "areas_are_read_and_written_only", areas_are_read_and_written_only },
    { "the_call_takes_nothing", the_call_takes_nothing },
    { "more_than_there_is", more_than_there_is },
    { "each_page_comes_when_touched", each_page_comes_when_touched },
    { "memory_reads_as_zero", memory_reads_as_zero },
    { "addresses_end", addresses_end },
    { "the_seeds_program_runs", the_seeds_program_runs },
    { "accounts_are_right", accounts_are_right },
    { "fork_shares_what_was_touched", fork_shares_what_was_touched },
    { "only_the_toucher_ends", only_the_toucher_ends },
};

int main(void) { return run_check(checks, COUNT(checks)); }
