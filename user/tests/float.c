/* float: floating-point registers are a task's own, across switches, calls, fork; the rounding mode, too (DESIGN 10.17). */
#include "user/tests/support.h"

static void set_all(long base)
{
    __asm__ volatile(
            "fcvt.d.l f0, %0\n fcvt.d.l f1, %1\n fcvt.d.l f2, %2\n fcvt.d.l f8, %0\n fcvt.d.l f9, %1\n fcvt.d.l f18, %2\n"
            "fcvt.d.l f27, %0\n fcvt.d.l f28, %1\n fcvt.d.l f31, %2\n"
            :: "r"(base), "r"(base + 1), "r"(base + 2)
            : "f0", "f1", "f2", "f8", "f9", "f18", "f27", "f28", "f31");
}

/* Set, let time pass in a loop without touching floats, look: one asm block, so that the compiler keeps out. */
static long spin_and_compare(long base, long rounds)
{
    long bad, other = base + 7;

    __asm__ volatile(
        "fcvt.d.l f0, %1\n fcvt.d.l f9, %2\n fcvt.d.l f18, %1\n fcvt.d.l f31, %2\n"
        "1: addi %3, %3, -1\n bnez %3, 1b\n"
        "fcvt.l.d t0, f0\n  sub t0, t0, %1\n mv %0, t0\n"
        "fcvt.l.d t0, f9\n  sub t0, t0, %2\n or %0, %0, t0\n"
        "fcvt.l.d t0, f18\n sub t0, t0, %1\n or %0, %0, t0\n"
        "fcvt.l.d t0, f31\n sub t0, t0, %2\n or %0, %0, t0\n"
        : "=&r"(bad), "+r"(base), "+r"(other), "+r"(rounds)
        :: "t0", "f0", "f9", "f18", "f31", "memory");
    return bad;
}

static int many_rounds(void *base)
{
    for (int i = 0; i < 20; i++)
        if (spin_and_compare((long)base + i, 300000) != 0)
            return 1;
    return 0;
}

TEST(kept_across_switches)
{
    int pids[6], status;

    for (long i = 0; i < 6; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            exit(many_rounds((void *)(i * 1000)));
    }
    for (int i = 0; i < 6; i++) {
        status = -2;
        CHECK_EQ(wait_for_task(pids[i], &status), pids[i]);
        CHECK_EQ(status, 0);
    }
}

TEST(kept_across_calls_and_sleep)
{
    long bad = 0, value;

    for (long i = 0; i < 50; i++) {
        register long a7 __asm__("a7") = i % 10 == 0 ? 13 : 11;         /* pause(0), or getpid() */
        register long a0 __asm__("a0") = 0;
        __asm__ volatile("fcvt.d.l f20, %2\n ecall\n fcvt.l.d %1, f20"
                         : "+r"(a0), "=&r"(value) : "r"(i * 3), "r"(a7) : "f20", "memory");
        bad += value != i * 3;
    }
    CHECK_EQ(bad, 0);
}

TEST(kept_across_fork)
{
    long value;
    int status = -2;

    register long a7 __asm__("a7") = 222, a0 __asm__("a0") = 0;
    __asm__ volatile("fcvt.d.l f21, %2\n ecall\n fcvt.l.d %1, f21" : "+r"(a0), "=&r"(value) : "r"(4711l), "r"(a7) : "f21", "memory");
    if (a0 == 0)
        exit(value == 4711 ? 0 : 1);
    CHECK(a0 > 0);
    CHECK_EQ(value, 4711);
    CHECK_EQ(wait(&status), a0);
    CHECK_EQ(status, 0);
}

static int child_changes(void *unused)
{
    (void)unused;
    set_all(5);
    __asm__ volatile("fsrm zero, %0" :: "r"(2));
    return 0;
}

TEST(a_child_changes_only_its_own)
{
    long value, mode;

    __asm__ volatile("fcvt.d.l f22, %0\n fsrm zero, %1" :: "r"(99l), "r"(1l) : "f22");
    int child = in_child(child_changes, 0);
    __asm__ volatile("frrm %0" : "=r"(mode));
    __asm__ volatile("fsrm zero, zero");
    CHECK_EQ(child, 0);
    CHECK_EQ(mode, 1);
    __asm__ volatile("fcvt.d.l f22, %1\n fcvt.l.d %0, f22" : "=r"(value) : "r"(99l) : "f22");
    CHECK_EQ(value, 99);
}

/* A new program starts with zeros: nobody's numbers leak. In a forked child that never used floats they are its parent's. */
TEST(arithmetic_is_right)
{
    volatile double x = 1.0;

    for (int i = 0; i < 100; i++)
        x = x * 1.5 / 1.25 - 0.1;
    volatile double y = 1.0;
    for (int i = 0; i < 100; i++) {
        getpid();
        y = y * 1.5 / 1.25 - 0.1;
    }
    CHECK(x == y);
    volatile double zero = 0.0;
    CHECK(1.0 / zero > 1e300);                  /* no trap */
    CHECK(!(zero / zero == zero / zero));
}

int main(void)
{
    RUN(kept_across_switches);
    RUN(kept_across_calls_and_sleep);
    RUN(kept_across_fork);
    RUN(a_child_changes_only_its_own);
    RUN(arithmetic_is_right);
    return check_summary("float");
}
