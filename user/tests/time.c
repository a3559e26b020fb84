/* pause uptime time utime, and the counters user mode may read: time goes forward, and sleeping takes at least as long
 * as asked. Nothing here is an upper limit: the host may be slow. */
#include <time.h>
#include "user/tests/support.h"

TEST(uptime_counts_tenths)
{
    int before = uptime();

    CHECK(before >= 0);
    CHECK_EQ(pause(3), 0);
    CHECK(uptime() - before >= 2);
}

TEST(pause_of_nothing_returns_at_once)          /* "upstream's counter underflow must not appear" */
{
    CHECK_EQ(pause(0), 0);
    CHECK_EQ(pause(-1), 0);
    CHECK_EQ(pause((int)0x80000000), 0);
}

TEST(pause_takes_at_least_what_was_asked)
{
    uint64_t start = clock_ns();

    CHECK_EQ(pause(2), 0);
    CHECK(clock_ns() - start >= 200000000);
}

TEST(sleepers_wake_in_their_order)
{
    int fds[2];
    char order[4] = { 0 };

    pipe(fds);
    for (int i = 3; i > 0; i--)
        if (fork() == 0) {
            char byte = (char)('0' + i);
            pause(i * 3);
            write(fds[1], &byte, 1);
            exit(0);
        }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(read(fds[0], order + i, 1), 1);
    CHECK(strcmp(order, "123") == 0);
    while (wait(0) > 0)
        ;
    close(fds[0]), close(fds[1]);
}

TEST(ticks_and_clock_agree)
{
    struct kcounters before, after;
    uint64_t start = clock_ns();

    kcounters(&before);
    while (clock_ns() - start < 300000000)
        ;
    kcounters(&after);
    CHECK(after.ticks > before.ticks);
    CHECK(after.ticks - before.ticks <= (clock_ns() - start) / 10000000 + 2);
}

TEST(time_of_day)
{
    int64_t seconds = 0;

    CHECK_EQ(syscall(24, &seconds), 0);
    CHECK(seconds > 1600000000 && seconds < 10000000000);
    CHECK(time(0) >= seconds);
}

TEST(counters_go_forward)
{
    uint64_t cycles = read_cycles(), instructions = read_instructions(), ns = clock_ns();

    for (volatile int i = 0; i < 1000; i++)
        ;
    CHECK(read_cycles() > cycles);
    CHECK(read_instructions() > instructions);
    CHECK(clock_ns() >= ns);
}

int main(void)
{
    RUN(uptime_counts_tenths);
    RUN(pause_of_nothing_returns_at_once);
    RUN(pause_takes_at_least_what_was_asked);
    RUN(sleepers_wake_in_their_order);
    RUN(ticks_and_clock_agree);
    RUN(time_of_day);
    RUN(counters_go_forward);
    return check_summary("time");
}
