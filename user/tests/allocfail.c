/*
 * allocfail -- each allocation of a call fails in turn (T-2): the call says so, and nothing else has happened (R001-11,
 * section 5). Debug kernels only; the others must refuse failalloc().
 *
 * If it fails: some step of a call does not give back what the steps before it took, or does not notice that it got nothing.
 *
 * For k = 1, 2, ... a child prepares itself, has its k-th allocation fail, makes the call, and looks: the documented error, and
 * the same number of frames, tasks and promises as before. A touch has no error to return: the child dies, with one `oom:`
 * line. It ends with the k that is not reached any more. EXPECT lines are explained in oom.c.
 */
#include "abi/syscall.h"
#include "calls.h"                              /* user/tests/$(ARCH)/ */
#include "instructions.h"
#include "user/tests/pages.h"

#define LAST_STEP 300                           /* no call here takes that many */

/* ---- What is prepared for a call, and what must be true after it failed */

static char *heap, *area, *block;               /* 20 touched pages each, shared with the parent */
#define PAGES 20
static char contents_of(size_t page) { return (char)(page * 5 + 1); }

static void fill(char *memory)
{
    for (size_t i = 0; i < PAGES * PAGE; i++)
        memory[i] = contents_of(i / PAGE);
}

static int is_filled(const char *memory)
{
    for (size_t i = 0; i < PAGES * PAGE; i++)
        if (memory[i] != contents_of(i / PAGE))
            return 0;
    return 1;
}

static void own(char *memory)
{
    for (size_t i = 0; i < PAGES; i++)
        touch_again(memory + i * PAGE);
}

static int fds[2];

/* Where a task meets the end of what lies inside its address space: the next area needs an object of its own. */
static void use_up_areas(int more)
{
    static struct area_info info;
    for (int n = arealist(0, &info, 1); n < 16 + more; n++)
        tamalloc(1);
}

/* ---- Operations. make() has the k-th allocation fail; undo() is for the time it was not reached. */

struct operation {
    const char *name;
    void (*prepare)(void);
    long (*make)(long k, long *left);           /* the call's raw result */
    void (*undo)(long result);
    int  (*still_right)(void);                  /* after a failure; NULL: nothing to look at */
    long error;                                 /* the documented one: a negative errno, or 0 for malloco */
    long keeps;                                 /* frames that the task may keep for its next call: a page of descriptors */
    int  only_cache;                            /* all it allocates is more cache, which it can do without */
};

static void own_all(void) { own(heap), own(area), own(block); }

static long make_fork(long k, long *left)
{
    long pid = call_with_failure(k, SYS_fork, 0, 0, 0, left);
    if (pid == 0)
        exit(is_filled(heap) && is_filled(area) && is_filled(block) ? 0 : 1);
    return pid;
}

static void undo_fork(long pid)
{
    int status = -2;
    CHECK_EQ(wait_for_task((int)pid, &status), pid);
    CHECK_EQ(status, 0);
}

/* R001-11: the parent can write all pages, and need not copy any for it. */
static int fork_still_right(void)
{
    struct kcounters before = counters_now();
    own_all();
    struct kcounters after = counters_now();
    return after.cow_copies == before.cow_copies && after.demand_faults == before.demand_faults && is_filled(heap)
        && is_filled(area) && is_filled(block);
}

static void prepare_big_fork(void)              /* more descriptors, floating point, more areas: each needs something more */
{
    own_all();
    use_up_areas(3);
    dup2(1, 700);
    float_change_all(1);
}

static long make_pipe(long k, long *left) { return call_with_failure(k, SYS_pipe, (long)fds, 0, 0, left); }
static void undo_pipe(long result) { (void)result; close(fds[0]), close(fds[1]); }
static int no_descriptor_lost(void) { int next = dup(1); close(next); return next == 3; }

static void use_inline_descriptors(void) { while (dup(1) < 15) ; }
static void use_all_but_one(void) { while (dup(1) < 14) ; }
static int next_descriptor_is_15(void) { int next = dup(1); close(next); return next == 15; }

static long make_dup2(long k, long *left) { return call_with_failure(k, SYS_dup2, 1, 700, 0, left); }
static void undo_dup2(long fd) { close((int)fd); }
static int descriptor_700_is_free(void) { FAILS(close(700), EBADF); return 1; }
static long make_dup(long k, long *left) { return call_with_failure(k, SYS_dup, 1, 0, 0, left); }

static long make_open(long k, long *left) { return call_with_failure(k, SYS_open, (long)"there", O_RDONLY, 0, left); }
static void undo_open(long fd) { close((int)fd); }
static long make_create(long k, long *left) { return call_with_failure(k, SYS_open, (long)"new", O_CREATE | O_RDWR, 0, left); }
static void undo_create(long fd) { close((int)fd), unlink("new"); }
static long make_mkdir(long k, long *left) { return call_with_failure(k, SYS_mkdir, (long)"new", 0, 0, left); }
static long make_symlink(long k, long *left) { return call_with_failure(k, SYS_symlink, (long)"x", (long)"new", 0, left); }
static long make_link(long k, long *left) { return call_with_failure(k, SYS_link, (long)"there", (long)"new", 0, left); }
static long make_readlink(long k, long *left) { return call_with_failure(k, SYS_readlink, (long)"pointer", (long)area, 8, left); }
static int link_is_read(void) { char to[8]; return readlink("pointer", to, sizeof to) == 1 && to[0] == 'x' && is_filled(area); }
static long make_rename(long k, long *left) { return call_with_failure(k, SYS_rename, (long)"there", (long)"new", 0, left); }
static void undo_rename(long result) { (void)result; rename("new", "there"); }
static void undo_name(long result) { (void)result; unlink("new"); }
static int no_new_name(void) { return !exists("new") && file_is("there", "there") && no_descriptor_lost(); }
static int file;
static void open_file(void) { own_all(); file = open("grows", O_CREATE | O_RDWR | O_TRUNC); }
static long make_write(long k, long *left) { return call_with_failure(k, SYS_write, file, (long)area, PAGES * PAGE, left); }
static void undo_write(long result)
{
    static char back[PAGES * PAGE];
    CHECK_EQ(result, PAGES * PAGE);
    CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
    CHECK_EQ(read(file, back, sizeof back), sizeof back);
    CHECK(is_filled(back));
    close(file), unlink("grows");
}
static int file_is_empty(void)
{
    struct stat st;
    int right = fstat(file, &st) == 0 && st.size == 0;
    close(file), unlink("grows");
    return right;
}

static void prepare_areas_16(void) { use_up_areas(0); }
static void prepare_areas_20(void) { use_up_areas(4); }
static char *last_area;
static void prepare_tamalloc_16(void) { use_up_areas(-1); last_area = tamalloc(1); }
static void prepare_tamalloc_20(void) { use_up_areas(3); last_area = tamalloc(1); }
static long make_tamalloc(long k, long *left) { return call_with_failure(k, SYS_tamalloc, PAGE, 0, 0, left); }
static int next_area_is_next(void) { return tamalloc(1) == last_area + 2 * PAGE; }      /* the failure left no hole */
static long make_malloco(long k, long *left) { return call_with_failure(k, SYS_malloco, PAGE, 0, 0, left); }
static int first_block_is_first(void) { return malloco(PAGE) == REGION_START; }
static void prepare_mixed_heap(void) { use_up_areas(0); sbrklazy(PAGE); }
static long make_sbrk(long k, long *left) { return call_with_failure(k, SYS_sbrk, PAGE, 0, 0, left); }
static long make_tasklist(long k, long *left) { return call_with_failure(k, SYS_tasklist, (long)area, 4, 0, left); }
static void undo_nothing(long result) { (void)result; }

/* The new program inherits the number: it may be hit itself, and tells whether any of it was left. */
static char *exec_arguments[] = { "allocfail", "what-is-left", 0 };
static long make_exec(long k, long *left)
{
    return call_with_failure(k, SYS_exec, (long)"/tests/allocfail", (long)exec_arguments, 0, left);
}

/* Touches: no error but the end of the child. */
static char *fresh;                             /* tamalloc, untouched, alone in its gigabyte */
static void prepare_fresh(void) { tamalloc(3ul << 30); fresh = (char *)tamalloc(4 * PAGE); own_all(); }
static void prepare_untouched_block(void) { fresh = malloco(2 * PAGE); }
static void prepare_far_block(void) { own(block); fresh = (char *)malloco((2ul << 20)) + (2ul << 20) - PAGE; }
static void prepare_untouched_heap(void) { fresh = sbrk(1l << 22) + (1l << 22) - PAGE; }
static void prepare_stack(void) { char here; fresh = page_down(&here) - 300 * PAGE; }
static void prepare_shared(void) { fresh = area; }
static void prepare_shared_heap(void) { fresh = heap; }
static long make_store(long k, long *left) { store_with_failure(k, fresh, left); return 1; }
static long make_load(long k, long *left) { load_with_failure(k, fresh, left); return 1; }
static int zero_device;
static void prepare_kernel_touch(void) { prepare_fresh(); zero_device = open("/dev/zero", O_RDONLY); }
static long make_kernel_touch(long k, long *left)
{
    return call_with_failure(k, SYS_read, zero_device, (long)fresh, 2 * PAGE, left);
}
static void prepare_kernel_copy(void) { fresh = area; }
static long make_466(long k, long *left) { return call_with_failure(k, SYS_get_all_pid_stats, (long)fresh, 2, 0, left); }

static const struct operation calls[] = {
    { "fork", own_all, make_fork, undo_fork, fork_still_right, -ENOMEM, 0, 0 },
    { "fork of more", prepare_big_fork, make_fork, undo_fork, fork_still_right, -ENOMEM, 0, 0 },
    { "exec", own_all, make_exec, undo_nothing, fork_still_right, -ENOMEM, 0, 0 },
    { "pipe", own_all, make_pipe, undo_pipe, no_descriptor_lost, -ENOMEM, 0, 0 },
    { "pipe, descriptor 16", use_all_but_one, make_pipe, undo_pipe, next_descriptor_is_15, -ENOMEM, 0, 0 },
    { "dup2 to 700", own_all, make_dup2, undo_dup2, descriptor_700_is_free, -ENOMEM, 0, 0 },
    { "dup, descriptor 16", use_inline_descriptors, make_dup, undo_nothing, 0, -ENOMEM, 0, 0 },
    { "open", own_all, make_open, undo_open, no_descriptor_lost, -ENOMEM, 0, 0 },
    { "open, descriptor 16", use_inline_descriptors, make_open, undo_open, 0, -ENOMEM, 1, 0 },
    { "create", own_all, make_create, undo_create, no_new_name, -ENOMEM, 0, 0 },
    { "mkdir", own_all, make_mkdir, undo_name, no_new_name, -ENOMEM, 0, 0 },
    { "symlink", own_all, make_symlink, undo_name, no_new_name, -ENOMEM, 0, 0 },
    { "link", own_all, make_link, undo_name, no_new_name, -ENOMEM, 0, 1 },
    { "readlink", own_all, make_readlink, undo_nothing, link_is_read, -ENOMEM, 0, 0 },
    { "rename", own_all, make_rename, undo_rename, no_new_name, -ENOMEM, 0, 1 },
    { "write", open_file, make_write, undo_write, file_is_empty, -ENOMEM, 0, 1 },
    { "tamalloc, first object", prepare_tamalloc_16, make_tamalloc, undo_nothing, next_area_is_next, -ENOMEM, 0, 0 },
    { "tamalloc, next object", prepare_tamalloc_20, make_tamalloc, undo_nothing, next_area_is_next, -ENOMEM, 0, 0 },
    { "sbrk behind sbrklazy", prepare_mixed_heap, make_sbrk, undo_nothing, 0, -ENOMEM, 0, 0 },
    { "tasklist", own_all, make_tasklist, undo_nothing, 0, -ENOMEM, 0, 0 },
};

static const struct operation first_blocks[] = {                /* for a task that has none yet */
    { "malloco, first object", prepare_areas_16, make_malloco, undo_nothing, first_block_is_first, 0, 0, 0 },
    { "malloco, next object", prepare_areas_20, make_malloco, undo_nothing, first_block_is_first, 0, 0, 0 },
};

static const struct operation touches[] = {
    { "store to tamalloc", prepare_fresh, make_store, undo_nothing, 0, 0, 0, 0 },
    { "load from tamalloc", prepare_fresh, make_load, undo_nothing, 0, 0, 0, 0 },
    { "store to malloco", prepare_untouched_block, make_store, undo_nothing, 0, 0, 0, 0 },
    { "load from malloco", prepare_untouched_block, make_load, undo_nothing, 0, 0, 0, 0 },
    { "malloco, next table", prepare_far_block, make_store, undo_nothing, 0, 0, 0, 0 },
    { "promised heap", prepare_untouched_heap, make_store, undo_nothing, 0, 0, 0, 0 },
    { "stack", prepare_stack, make_store, undo_nothing, 0, 0, 0, 0 },
    { "write to a shared page", prepare_shared, make_store, undo_nothing, 0, 0, 0, 0 },
    { "write to shared heap", prepare_shared_heap, make_store, undo_nothing, 0, 0, 0, 0 },
    { "read() into tamalloc", prepare_kernel_touch, make_kernel_touch, undo_nothing, 0, 0, 0, 0 },
    { "466 into a shared page", prepare_kernel_copy, make_466, undo_nothing, 0, 0, 0, 0 },
};

/* ---- One step: in a child, so that each begins in the same state and may die */

enum outcome { NOT_REACHED, FAILED, TOLERATED, WRONG, LOST };

struct held { long frames, tasks, promises; };

static struct held held_now(void)
{
    struct kcounters c = counters_now();
    return (struct held){ frames_to_have(&c), (long)c.tasks_live, (long)c.pages_committed };
}

static int is_lost(const struct held *before, const struct held *after, long kept)
{
    return after->frames < before->frames - kept || after->tasks != before->tasks || after->promises != before->promises;
}

/* A small object that is lost takes a frame only now and then: so what has failed is made to fail again, often enough for any.
 * A lost object also changes how many frames the next ones need, and so which allocation is the k-th: the ones before it fail
 * in turn with it. */
#define REPEATS 300

static long near(long k, int repeats)
{
    long before = k - repeats % 4;
    return before > 0 ? before : k;
}

/* An address of malloco's is a negative number where a long has 32 bits. */
static int is_error(const struct operation *op, long result)
{
    return (unsigned long)result > -4096ul || (result == 0 && op->error == 0);
}

static enum outcome attempt(const struct operation *op, long k, int is_touch)
{
    int failures = check_failures, repeats = 0;
    struct held before, after;
    long left = -1, result;

    unlink("new");
    op->prepare();
    own_stack_and_variables();
    before = held_now();
    before = held_now();
    while ((result = op->make(near(k, repeats), &left)) == op->error && left == 0 && !is_touch && repeats < REPEATS)
        repeats++;
    after = held_now();
    if (is_touch || !is_error(op, result)) {
        op->undo(result);
        return check_failures != failures ? WRONG : repeats > 0 ? FAILED : left == 0 ? TOLERATED : NOT_REACHED;
    }
    if (result != op->error || left != 0 || (op->still_right != 0 && !op->still_right())) {
        printf("%s, step %ld, time %d: result %ld, %ld left\n", op->name, k, repeats, result, left);
        return WRONG;
    }
    return is_lost(&before, &after, op->keeps) ? LOST : FAILED;
}

struct count { int failed, killed, tolerated; };

/* One k, in a child. -1: it was killed. Whatever happened, the child has taken nothing with it. Frames may be in use for the
 * disk at a moment: what is lost was lost by the call only if it is lost each time. */
static int step(const struct operation *op, long k, int is_touch)
{
    int status = -2;

    for (int i = 0; i < 5; i++) {
        struct held before = held_now(), after;
        int pid = fork();
        if (pid == 0)
            exit((int)attempt(op, k, is_touch));
        CHECK(pid > 0);
        CHECK_EQ(wait_for_task(pid, &status), pid);
        if (status == -1)
            printf("EXPECT victim=%d toucher=%d score=0..1000 va=0x0..0xffffffffffffffff\n", pid, pid);
        after = held_now();
        if (status != LOST && !is_lost(&before, &after, 0))
            return status;
        if (i == 4)
            printf("%s, step %ld: %ld frames, %ld tasks, %ld promises lost\n", op->name, k, before.frames - after.frames,
                   after.tasks - before.tasks, after.promises - before.promises);
        sync();
    }
    return LOST;
}

static struct count every_step(const struct operation *op, int is_touch)
{
    struct count n = { 0, 0, 0 };

    step(op, LAST_STEP, is_touch);              /* once without a failure: what the file system keeps in memory is there */
    for (long k = 1; ; k++) {
        int status = step(op, k, is_touch);
        n.failed += status == FAILED;
        n.tolerated += status == TOLERATED;
        n.killed += status == -1;
        if (status == NOT_REACHED)
            break;
        if (!CHECK(status == FAILED || status == TOLERATED || status == -1) || !CHECK(k < LAST_STEP)) {
            printf("%s, step %ld: outcome %d\n", op->name, k, status);
            break;
        }
        CHECK(is_filled(heap) && is_filled(area) && is_filled(block));          /* the parent's */
    }
    own_all();
    CHECK(is_filled(heap) && is_filled(area) && is_filled(block));
    printf("INJECTED %s: %d failed, %d killed, %d went on\n", op->name, n.failed, n.killed, n.tolerated);
    return n;
}

static void every_call(const struct operation *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct count n = every_step(&ops[i], 0);
        if (!CHECK((ops[i].only_cache ? n.tolerated : n.failed) > 0))
            printf("%s never failed\n", ops[i].name);
        if (ops[i].make != make_exec)           /* a program that was replaced already has no error to return */
            CHECK_EQ(n.killed, 0);
    }
}

TEST(calls_give_back_what_they_took) { every_call(calls, COUNT(calls)); }
TEST(first_blocks_give_back_what_they_took) { every_call(first_blocks, COUNT(first_blocks)); }

TEST(touches_end_the_toucher)
{
    for (size_t i = 0; i < COUNT(touches); i++) {
        uint64_t before = evictions_now();
        struct count n = every_step(&touches[i], 1);
        if (!CHECK(n.killed > 0))
            printf("%s never failed\n", touches[i].name);
        CHECK_EQ(n.failed + n.tolerated, 0);
        CHECK_EQ(evictions_now() - before, n.killed);
    }
}

TEST(it_is_the_callers_own)                     /* a number set by a parent is not its child's */
{
    long left = -1, pid = call_with_failure(LAST_STEP, SYS_fork, 0, 0, 0, &left);
    int status = -2;

    if (pid == 0)
        exit((int)failalloc(0));
    CHECK(left > 0 && left < LAST_STEP);        /* what fork took was counted */
    CHECK_EQ(wait_for_task((int)pid, &status), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(failalloc(5), 0);
    CHECK_EQ(failalloc(0), 5);
    CHECK_EQ(failalloc(0), 0);
}

TEST(release_kernels_refuse)
{
    FAILS(failalloc(1), ENOSYS);
    FAILS(failalloc(0), ENOSYS);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "what-is-left") == 0)
        return failalloc(0) > 0 ? NOT_REACHED : TOLERATED;
    if (failalloc(0) != 0) {
        RUN(release_kernels_refuse);
        return check_summary("allocfail");
    }
    mkdir("/tmp/allocfail");
    chdir("/tmp/allocfail");
    CHECK_EQ(make_file("there", "there"), 0);
    unlink("new"), unlink("pointer");
    CHECK_EQ(symlink("x", "pointer"), 0);
    sync();
    heap = sbrk(PAGES * PAGE);
    area = tamalloc(PAGES * PAGE);
    RUN(it_is_the_callers_own);
    fill(heap), fill(area);
    block = area;                               /* REGION is still untouched: its first touch takes most */
    RUN(touches_end_the_toucher);
    RUN(first_blocks_give_back_what_they_took);
    block = malloco(PAGES * PAGE);
    fill(block);
    RUN(calls_give_back_what_they_took);
    unlink("there"), unlink("pointer");
    chdir("/tmp");
    unlink("/tmp/allocfail");
    return check_summary("allocfail");
}
