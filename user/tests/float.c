/* float: floating-point registers are a task's own, across switches, calls, fork; the rounding mode, too (DESIGN 10.17). */
#include "user/tests/support.h"
#include "instructions.h"

static int many_rounds(void *base)
{
    for (int i = 0; i < 20; i++)
        if (float_spin((long)base + i, 300000) != 0)
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
    long bad = 0;

    for (long i = 0; i < 50; i++)
        bad += float_over_call(i % 10 == 0 ? 13 : 11, 0, i * 3) != i * 3;       /* pause(0), or getpid() */
    CHECK_EQ(bad, 0);
}

TEST(kept_across_fork)
{
    int status = -2, pid;

    long value = float_over_fork(4711, &pid);
    if (pid == 0)
        exit(value == 4711 ? 0 : 1);
    CHECK(pid > 0);
    CHECK_EQ(value, 4711);
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 0);
}

TEST(a_child_changes_only_its_own)
{
    int status = -2;

    float_set_rounding(1);
    int pid = fork();
    if (pid == 0) {
        if (float_rounding() != 1)              /* inherited */
            exit(1);
        for (int i = 0; i < 2000; i++) {        /* for so long that the parent waits meanwhile */
            float_change_all(i);
            float_set_rounding(2);
            getpid();
        }
        exit(0);
    }
    CHECK_EQ(float_over_call(3, (long)&status, 99), 99);        /* wait(&status) */
    long mode = float_rounding();
    float_set_rounding(0);
    CHECK_EQ(mode, 1);
    CHECK_EQ(status, 0);
    FAILS(wait(0), ECHILD);
}

/* Every machine gives the same results: those of 53-bit mantissas, rounded once. */
TEST(sums_are_rounded_once)
{
    volatile double one = 1.0, little_more_than_half = 0x1.0000000000001p-53, sum = one + little_more_than_half;

    CHECK(sum > 1.0);                           /* rounded to 64 bits first, it would become the tie that goes down */
    volatile double third = one / 3, tenth = 0.1, fifth = 0.2;
    CHECK(third * 3 == 1.0);
    CHECK(tenth + fifth == 0.30000000000000004 && tenth + fifth != 0.3);
}

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
    RUN(sums_are_rounded_once);
    RUN(arithmetic_is_right);
    return check_summary("float");
}
