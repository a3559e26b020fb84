/* fork: the child is the parent but for the result; what it changes is its own (R001-1..3, R001-7, R001-12). */
#include "user/tests/support.h"

static int value = 1;

static int change_value(void *argument)
{
    (void)argument;
    value = 2;
    return value == 2 ? 7 : 8;
}

/* R001-2, A001-4, A001-8: the child runs, and each side gets its own result. */
TEST(child_gets_zero_and_parent_its_pid)
{
    int fds[2], pid_seen = 0;

    CHECK_EQ(pipe(fds), 0);
    int pid = fork();
    if (pid == 0) {
        int self = getpid();
        write(fds[1], &self, sizeof self);
        exit(0);
    }
    CHECK_EQ(read(fds[0], &pid_seen, sizeof pid_seen), sizeof pid_seen);
    CHECK_EQ(pid, pid_seen);
    CHECK(pid != getpid());
    CHECK_EQ(wait(0), pid);
    close(fds[0]);
    close(fds[1]);
}

TEST(memory_is_private)
{
    CHECK_EQ(in_child(change_value, 0), 7);
    CHECK_EQ(value, 1);
}

static int fork_at_depth(int depth, int *local)
{
    int here = depth * 3, status = -2;

    if (depth > 0) {
        int below = fork_at_depth(depth - 1, &here);
        return here == depth * 3 + 1 ? below + 1 : -100;
    }
    *local += 0;
    int pid = fork();
    if (pid == 0)
        exit(42);
    wait_for_task(pid, &status);
    (*local)++;
    return status == 42 ? 0 : -100;
}

/* R001-3, A001-2, A001-3: the child goes on where the call was, with the call depth intact in both. Each level's child returns
 * through all its frames. */
static int recursive_forks(void *depth)
{
    long level = (long)depth;
    volatile long mine = level * 5;

    if (level == 0)
        return 0;
    int status = in_child(recursive_forks, (void *)(level - 1));
    return mine == level * 5 && status == level - 1 ? (int)level : 100;
}

TEST(call_depth_is_intact)
{
    int top = 0;

    CHECK(fork_at_depth(0, &top) == 0 && top == 1);
    CHECK_EQ(in_child(recursive_forks, (void *)12), 12);
}

TEST(registers_survive)
{
    long a = 0x1111, b = 0x2222, c = 0x3333, d = 0x4444, e = 0x5555;

    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
    int pid = fork();
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
    int intact = a == 0x1111 && b == 0x2222 && c == 0x3333 && d == 0x4444 && e == 0x5555;
    if (pid == 0)
        exit(intact ? 0 : 1);
    int status = -2;
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 0);
    CHECK(intact);
}

/* R001-12: three generations, eight siblings; every one sees the values of its own line only. */
static int generation(void *depth)
{
    long level = (long)depth;
    static int tag;
    int bad = 0, pids[8];

    if (level == 0)
        return tag & 0x7f;
    for (int i = 0; i < 8; i++) {
        tag = i + (int)level * 8;
        pids[i] = fork();
        if (pids[i] == 0)
            exit(level == 1 ? tag : in_child(generation, (void *)0) == tag ? tag : 99);
    }
    for (int i = 0; i < 8; i++) {
        int status;
        wait_for_task(pids[i], &status);
        bad |= status != i + (int)level * 8;
    }
    return bad;
}

TEST(families)
{
    CHECK_EQ(in_child(generation, (void *)1), 0);
    CHECK_EQ(in_child(generation, (void *)2), 0);
}

/* R001-10: fork takes few frames, however much memory the parent has touched. */
TEST(frames_used_do_not_depend_on_size)
{
    struct kcounters before, during;
    int fds[2];
    char byte;
    char *memory = sbrk(1024 * PAGE);

    CHECK(memory != SBRK_ERROR);
    for (int i = 0; i < 1024; i++)
        memory[(unsigned long)i * PAGE] = 1;
    pipe(fds);
    kcounters(&before);
    int pid = fork();
    if (pid == 0) {
        close(fds[1]);
        read(fds[0], &byte, 1);
        exit(0);
    }
    kcounters(&during);
    CHECK(before.frames_free - during.frames_free < 32);
    close(fds[0]);
    close(fds[1]);
    CHECK_EQ(wait(0), pid);
    CHECK(sbrk(-1024 * (long)PAGE) != SBRK_ERROR);
}

/* R001-7: the last one that still has a page writes it without a copy. */
TEST(last_sharer_is_not_copied)
{
    struct kcounters before, after;
    char *page = sbrk(PAGE);

    page[0] = 'p';
    int pid = fork();
    if (pid == 0)
        exit(0);
    wait_for_task(pid, 0);
    kcounters(&before);
    page[0] = 'q';
    kcounters(&after);
    CHECK_EQ(after.cow_copies, before.cow_copies);
    CHECK(page[0] == 'q');
    sbrk(-(long)PAGE);
}

static int cow_child(void *argument)
{
    char *memory = argument;

    for (int i = 0; i < 64; i++)
        if (memory[(unsigned long)i * PAGE] != (char)i)
            return 1;
    for (int i = 0; i < 64; i++)
        memory[(unsigned long)i * PAGE] = (char)(i + 100);
    for (int i = 0; i < 64; i++)
        if (memory[(unsigned long)i * PAGE] != (char)(i + 100))
            return 2;
    return 0;
}

/* R001-7, A001-5, M2: what one side writes the other never sees, also when both write at once. */
TEST(copy_on_write_isolates_both_ways)
{
    char *memory = sbrk(64 * PAGE);
    int status = -2;

    for (int i = 0; i < 64; i++)
        memory[(unsigned long)i * PAGE] = (char)i;
    CHECK_EQ(in_child(cow_child, memory), 0);
    for (int i = 0; i < 64; i++)
        if (memory[(unsigned long)i * PAGE] != (char)i) {
            CHECK_EQ(memory[(unsigned long)i * PAGE], i);
            break;
        }
    int pid = fork();                           /* and while both write at the same time */
    if (pid == 0)
        exit(cow_child(memory));
    for (int round = 0; round < 50; round++)
        for (int i = 0; i < 64; i++)
            memory[(unsigned long)i * PAGE + 1] = (char)round;
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 0);
    sbrk(-64 * (long)PAGE);
}

TEST(kernel_writes_break_sharing_first)         /* R001-13 */
{
    char *page = sbrk(PAGE);
    int fds[2], status = -2;

    pipe(fds);
    memset(page, 'o', PAGE);
    int pid = fork();
    if (pid == 0) {
        char byte;
        close(fds[1]);
        read(fds[0], &byte, 1);                 /* until the parent has read into the page */
        exit(page[0] == 'o' && page[PAGE - 1] == 'o' ? 0 : 1);
    }
    int zero = open("/dev/zero", O_RDONLY);
    CHECK_EQ(read(zero, page, PAGE), PAGE);
    CHECK(page[0] == 0 && page[PAGE - 1] == 0);
    close(zero);
    close(fds[0]);
    close(fds[1]);
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 0);
    sbrk(-(long)PAGE);
}

/* M8, M17: each exit gives back its stack and its root table; vm_free() asserts that no CPU has it loaded. */
TEST(many_in_a_row)
{
    for (int i = 0; i < 200; i++) {
        int status = -2, pid = fork();
        if (pid == 0)
            exit(i & 63);
        if (wait_for_task(pid, &status) != pid || status != (i & 63)) {
            CHECK_EQ(status, i & 63);
            return;
        }
    }
    CHECK(1);
}

/* A001-15: a pid is no slot that the next task gets again. */
TEST(numbers_do_not_come_back_at_once)
{
    int first = fork();
    if (first == 0)
        exit(0);
    wait(0);
    int second = fork();
    if (second == 0)
        exit(0);
    wait(0);
    CHECK(second != first);
}

int main(void)
{
    RUN(child_gets_zero_and_parent_its_pid);
    RUN(memory_is_private);
    RUN(call_depth_is_intact);
    RUN(registers_survive);
    RUN(families);
    RUN(frames_used_do_not_depend_on_size);
    RUN(last_sharer_is_not_copied);
    RUN(copy_on_write_isolates_both_ways);
    RUN(kernel_writes_break_sharing_first);
    RUN(many_in_a_row);
    RUN(numbers_do_not_come_back_at_once);
    return check_summary("fork");
}
