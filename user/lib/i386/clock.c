/*
 * clock.c -- the counter an i386 lets a program read by itself: the time stamp counter. Nobody but the kernel knows how
 * fast it counts; a program asks once, when it first wants the time.
 */
#include <time.h>
#include <sys/syscall.h>
#include "abi/info.h"

#define NS_PER_SECOND 1000000000ull

static uint64_t counts_per_second;              /* 0: not asked yet */

static uint64_t ask_frequency(void)
{
    struct kcounters counters;

    if (call_kcounters(&counters) < 0 || counters.clock_hz == 0)
        return NS_PER_SECOND;                   /* not known: a count is taken for a nanosecond */
    return counters.clock_hz;
}

uint64_t read_cycles(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* Whole seconds and the rest are scaled apart: a product of less than a second's counts, at most 18 GHz, fits 64 bits,
 * and the sum lasts five centuries. */
uint64_t clock_ns(void)
{
    if (counts_per_second == 0)
        counts_per_second = ask_frequency();
    uint64_t counts = read_cycles();
    uint64_t rest = counts % counts_per_second;
    return counts / counts_per_second * NS_PER_SECOND + rest * NS_PER_SECOND / counts_per_second;
}

/* A program may not read the counter of instructions here: cycles stand for them. */
uint64_t read_instructions(void)
{
    return read_cycles();
}
