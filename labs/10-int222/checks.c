/*
 * checks.c -- int 222, seen from a program. Each fork is made by the instruction itself, with every register set, so that nothing
 * of the library stands between. The child's TSS is looked at in checks.py.
 */
#include "labs/user_check.h"
#include "instructions.h"

/* What int 222 left in EAX, and which of the other registers differ from what they were: in the parent and in the child. */
struct seen { uint32_t eax, wrong, flags; };

/* EAX is `before` at the call; the carry flag and the direction flag are set. */
__attribute__((noinline)) static struct seen fork_with_all_registers_set(uint32_t before)
{
    struct seen seen;

    __asm__ volatile(
        "pushl %%ebp\n"
        "movl %%eax, %%edi\n"                           /* for later: EAX as it was */
        "movl %%esp, %%ebp\n"
        "movl $0x1eb1, %%ebx; movl $0x1ec1, %%ecx; movl $0x1ed1, %%edx; movl $0x1e51, %%esi\n"
        "std; stc\n"
        "int $222\n"
        "pushfl; popl %%edi; cld\n"
        "xorl $0x1eb1, %%ebx; xorl $0x1ec1, %%ecx; xorl $0x1ed1, %%edx; xorl $0x1e51, %%esi; xorl %%esp, %%ebp\n"
        "orl %%ecx, %%ebx; orl %%edx, %%ebx; orl %%esi, %%ebx; orl %%ebp, %%ebx\n"
        "popl %%ebp"
        : "=a"(seen.eax), "=b"(seen.wrong), "=D"(seen.flags) : "0"(before) : "ecx", "edx", "esi", "memory", "cc");
    return seen;
}

#define NOTHING 0x5afe5afe                      /* in EAX before the call */

/* What the child saw comes through a pipe: its exit code is one byte of the truth. */
static struct seen seen_in_child, seen_in_parent;
static int child_pid, child_status;

static void fork_once(void)
{
    int fds[2], parent = getpid();

    EXPECT_EQ(pipe(fds), 0, "", "pipe");
    struct seen seen = fork_with_all_registers_set(NOTHING);
    if (getpid() != parent) {
        write(fds[1], &seen, sizeof seen);
        exit(55);
    }
    close(fds[1]);
    seen_in_parent = seen;
    memset(&seen_in_child, 0xff, sizeof seen_in_child);
    long n = read(fds[0], &seen_in_child, sizeof seen_in_child);
    close(fds[0]);
    child_status = -2;
    child_pid = wait(&child_status);
    EXPECT(n == sizeof seen_in_child, "never-runs", "bytes that the child sent after int 222: expected %u, saw %ld",
           (unsigned)sizeof seen_in_child, n);
}

static void parent_and_child(void)
{
    fork_once();
    EXPECT(seen_in_parent.eax != NOTHING, "parent-result",
           "EAX after int 222 in the parent: expected the child's pid, saw what was in it before");
    EXPECT((int)seen_in_parent.eax > 0, "parent-result", "EAX after int 222 in the parent: expected the child's pid, saw 0x%x",
           seen_in_parent.eax);
    EXPECT(child_pid == (int)seen_in_parent.eax, "parent-result",
           "EAX after int 222 in the parent: expected %d, the pid of the child that ended, saw %d",
           child_pid, (int)seen_in_parent.eax);
    EXPECT(seen_in_child.eax == 0, "child-result", "EAX after int 222 in the child: expected 0, saw 0x%x", seen_in_child.eax);
    EXPECT(child_status == 55, "", "the child's exit code: expected 55, saw %d", child_status);
}

static void same_registers_in_both(void)
{
    fork_once();
    EXPECT(seen_in_parent.wrong == 0, "registers", "registers of the parent differ in these bits: expected none, saw 0x%x",
           seen_in_parent.wrong);
    EXPECT(seen_in_child.wrong == 0, "registers",
           "registers of the child differ from the parent's in these bits: expected none, saw 0x%x",
           seen_in_child.wrong);
    EXPECT((seen_in_parent.flags & 0x401) == 0x401, "flags", "flags of the parent: expected DF and CF set (0x401), saw 0x%x",
           seen_in_parent.flags);
    EXPECT((seen_in_child.flags & 0x401) == 0x401, "flags", "flags of the child: expected DF and CF set (0x401), saw 0x%x",
           seen_in_child.flags);
}

/* ---- A call twelve deep: each level forks, and the child comes back through all the levels above it. */

#define DEPTH 12

static volatile int levels_seen;

static int fork_at_the_bottom(int depth, volatile int *above)
{
    volatile int mine = depth * 3;
    int pid = depth == 0 ? (int)fork_with_all_registers_set(NOTHING).eax : fork_at_the_bottom(depth - 1, &mine);
    levels_seen += mine == depth * 3 && (above == 0 || *above == (depth + 1) * 3);
    return pid;
}

static void call_depth_is_intact(void)
{
    int status = -2, pid;

    levels_seen = 0;
    pid = fork_at_the_bottom(DEPTH, 0);
    if (pid == 0)
        exit(levels_seen);
    EXPECT(levels_seen == DEPTH + 1, "stack", "levels of a call that the parent came back through: expected %d, saw %d",
           DEPTH + 1, levels_seen);
    EXPECT(pid > 0 && wait_for_task(pid, &status) == pid, "", "the child is waited for: pid %d", pid);
    EXPECT(status == DEPTH + 1, "stack", "levels of a call that the child came back through: expected %d, saw %d", DEPTH + 1,
           status);
}

static void siblings_and_grandchildren(void)
{
    enum { N = 9 };
    int pids[N], status;
    char *block = malloco(PAGE);

    block[0] = 'p';
    for (int i = 0; i < N; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            int inner = -2, pid;
            block[0] = (char)('a' + i);
            if ((pid = fork()) == 0) {
                pause(1);
                exit(block[0] == 'a' + i ? 70 + i : 1);
            }
            block[0] = 'x';
            exit(pid > 0 && wait_for_task(pid, &inner) == pid ? inner : 2);
        }
    }
    for (int i = 0; i < N; i++) {
        status = -2;
        EXPECT(pids[i] > 0 && wait_for_task(pids[i], &status) == pids[i], "", "child %d is made and waited for: pid %d", i,
               pids[i]);
        EXPECT(status == 70 + i, "memory", "what child %d tells of its own child: expected %d, saw %d", i, 70 + i, status);
    }
    EXPECT(block[0] == 'p', "memory", "a byte that children and grandchildren wrote to: expected 'p' here, saw 0x%x", block[0]);
}

/* ---- The kernel writes for a task into a page that is shared since fork: only that task may see it. */

static void the_kernel_writes_to_one_side_only(void)
{
    int status = -2, up[2];
    char *block = malloco(2 * PAGE), byte = 0;

    memset(block, 'p', 2 * PAGE);
    EXPECT_EQ(pipe(up), 0, "", "pipe");
    int pid = fork();
    if (pid == 0) {
        getcwd(block, 64);                              /* the kernel writes "/" */
        kcounters((struct kcounters *)(block + PAGE));
        write(up[1], "x", 1);
        exit(block[0] == '/' ? 44 : 1);
    }
    read(up[0], &byte, 1);
    EXPECT(block[0] == 'p', "shows-through",
           "a byte that the kernel wrote for the child only: expected 'p' in the parent, saw 0x%x", block[0]);
    EXPECT(block[PAGE] == 'p' && block[PAGE + 8] == 'p', "shows-through",
           "bytes of counters that the kernel wrote for the child only: expected "
           "'p' in the parent, saw 0x%x 0x%x", block[PAGE], block[PAGE + 8]);
    EXPECT(pid > 0 && wait_for_task(pid, &status) == pid && status == 44, "",
           "the child reads what the kernel wrote: expected 44, saw %d", status);
}

/* ---- The table of tasks is full. */

static void no_more_tasks(void)
{
    int made = 0, pid = 0;

    while (made < 100 && (pid = (int)fork_with_all_registers_set(NOTHING).eax) > 0)
        made++;
    if (pid == 0) {
        pause(20);
        exit(0);
    }
    EXPECT(made >= 4 && made < 24, "", "children with maxtasks=24: expected 4 to 23, saw %d", made);
    EXPECT(pid == -EAGAIN, "error", "EAX after int 222 when there are too many tasks: expected -EAGAIN (%d), saw %d", -EAGAIN,
           pid);
    while (wait(0) > 0)
        made--;
    EXPECT(made == 0, "", "children that were not waited for: expected 0, saw %d", made);
    pid = fork();
    if (pid == 0)
        exit(0);
    EXPECT(pid > 0, "error", "fork when tasks have ended: expected a pid, saw %d", pid);
}

/* For checks.py: one child. */
static void one_child(void) { fork_once(); }

static const struct check checks[] = {
    { "parent_and_child", parent_and_child }, { "same_registers_in_both", same_registers_in_both }, { "one_child", one_child },
    { "call_depth_is_intact", call_depth_is_intact }, { "siblings_and_grandchildren", siblings_and_grandchildren },
    { "the_kernel_writes_to_one_side_only", the_kernel_writes_to_one_side_only }, { "no_more_tasks", no_more_tasks },
};
int main(void) { return run_check(checks, COUNT(checks)); }
