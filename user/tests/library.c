/* library: what the C library does anew on each machine -- jumps, call stubs, words -- and where 32 and 64 bits differ. */
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "user/tests/support.h"
#include "instructions.h"

/* ---- setjmp */

static jmp_buf where;

__attribute__((noinline)) _Noreturn static void jump_back(int value)
{
    change_kept_registers();
    float_set_rounding(2);
    longjmp(where, value);
}

__attribute__((noinline)) static int there_and_back(int value)
{
    volatile int jumps = 0;
    int seen = setjmp(where);

    if (seen == 0 && jumps++ == 0)
        jump_back(value);
    return seen;
}

TEST(longjmp_goes_back)
{
    CHECK_EQ(there_and_back(5), 5);
    CHECK_EQ(there_and_back(-1), -1);
    CHECK_EQ(there_and_back(0), 1);             /* 0 is what setjmp itself returns */
    float_set_rounding(1);
    there_and_back(1);
    long rounding = float_rounding();
    float_set_rounding(0);
    CHECK_EQ(rounding, LONGJMP_RESTORES_ROUNDING ? 1 : 2);
}

TEST(longjmp_restores_registers)
{
    for (long i = 0; i < 3; i++) {
        long a = i + 1, b = i + 2, c = i + 3, d = i + 4, e = i + 5, f = i + 6;
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c));
        __asm__ volatile("" : "+r"(d), "+r"(e), "+r"(f));
        there_and_back(1);
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c));
        __asm__ volatile("" : "+r"(d), "+r"(e), "+r"(f));
        CHECK(a == i + 1 && b == i + 2 && c == i + 3 && d == i + 4 && e == i + 5 && f == i + 6);
    }
    float_set_rounding(0);
}

/* ---- System calls */

TEST(any_call_by_number)
{
    CHECK_EQ(syscall(11), getpid());
    uintptr_t block = (uintptr_t)syscall(100, 1ul);
    CHECK(block >= REGION_BASE && block < REGION_BASE + (4ul << 20));
    *(char *)block = 'b';
    CHECK_EQ(syscall(101, block), 0);
    FAILS(syscall(101, 1ul), EINVAL);
    errno = 0;
    CHECK_EQ(syscall(100, 5ul << 20), 0);       /* more than a task can have: a null pointer, no error number */
    CHECK_EQ(errno, 0);
    int status = -2;
    long pid = syscall(222);
    if (pid == 0)
        exit(44);
    CHECK(pid > 0);
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 44);
}

TEST(stubs_pass_every_argument)
{
    uint8_t states[3] = { 0xee, 0xee, 0xee };
    char *memory = sbrk(2 * PAGE);              /* four arguments, each seen in the result */

    memory[0] = memory[PAGE] = 1;
    CHECK_EQ(pagemap(0, memory, states, 2), 0);
    CHECK((states[0] & PAGE_IS_RESIDENT) && (states[1] & PAGE_IS_RESIDENT) && states[2] == 0xee);
    FAILS(pagemap(0x7fffffff, memory, states, 2), ESRCH);
    FAILS(pagemap(0, memory, (uint8_t *)8, 2), EFAULT);
    sbrk(-2 * (long)PAGE);
}

TEST(high_addresses_are_no_errors)              /* malloco's lie above 2 GiB */
{
    errno = 0;
    char *block = malloco(PAGE);
    CHECK((uintptr_t)block >= REGION_BASE && errno == 0);
    *block = 1;
    CHECK_EQ(chau(block), 0);
    CHECK(malloco(SIZE_MAX) == 0);
    FAILS(chau((void *)UINTPTR_MAX), EINVAL);
}

/* ---- Numbers to text and back */

#define PRINTS(expected, ...) (snprintf(text, sizeof text, __VA_ARGS__), check_text(text, expected, __LINE__))
static char text[400];

static void check_text(const char *seen, const char *expected, int line)
{
    if (!CHECK(strcmp(seen, expected) == 0))
        printf("    line %d: \"%s\" instead of \"%s\"\n", line, seen, expected);
}

TEST(printf_takes_every_width)
{
    PRINTS("-9223372036854775808 18446744073709551615", "%lld %llu", (long long)INT64_MIN, (unsigned long long)UINT64_MAX);
    PRINTS("9223372036854775807 ffffffffffffffff", "%" PRId64 " %" PRIx64, INT64_MAX, UINT64_MAX);
    PRINTS("1 4294967296 2 4294967297 end 3", "%d %" PRIu64 " %d %jd %s %ld", 1, (uint64_t)1 << 32, 2, (intmax_t)4294967297,
           "end", 3l);
    PRINTS("-1 -2 -3 7 8", "%ld %zd %td %zu %lu", -1l, (ssize_t)-2, (ptrdiff_t)-3, (size_t)7, 8ul);
    PRINTS("0xa10c0000 a10c0000", "%p %" PRIxPTR, (void *)REGION_BASE, (uintptr_t)REGION_BASE);
    PRINTS("2147483647 -2147483648 4294967295", "%d %d %u", INT_MAX, INT_MIN, UINT_MAX);
    PRINTS(sizeof(long) == 8 ? "9223372036854775807 18446744073709551615" : "2147483647 4294967295", "%ld %lu", LONG_MAX,
           ULONG_MAX);
    PRINTS("-1.500000 1e+100 0.1 7", "%f %g %g %d", -1.5, 1e100, 0.1, 7);
    PRINTS("0.10000000000000001 0.30000000000000004", "%.17g %.17g", 0.1, 0.1 + 0.2);
}

TEST(strtol_stops_at_its_own_limits)
{
    char *end;

    CHECK_EQ(strtol("99999999999999999999", &end, 10), LONG_MAX);
    CHECK(*end == '\0' && errno == ERANGE);
    CHECK_EQ(strtol("-99999999999999999999", &end, 10), LONG_MIN);
    snprintf(text, sizeof text, "%ld", LONG_MIN);
    errno = 0;
    CHECK_EQ(strtol(text, &end, 10), LONG_MIN);
    CHECK_EQ(errno, 0);
    CHECK_EQ(strtoul("0xffffffff", &end, 0), 0xfffffffful);
    CHECK(strtoul("99999999999999999999999", &end, 10) == ULONG_MAX && errno == ERANGE);
    errno = 0;
    CHECK_EQ(strtoll("-9223372036854775808", &end, 10), LLONG_MIN);
    CHECK(strtoull("18446744073709551615", &end, 10) == ULLONG_MAX && errno == 0);
    CHECK_EQ(atoll("4294967297"), 4294967297ll);
    CHECK(strtod("0.1", 0) == 0.1 && strtod("-2.5e3x", &end) == -2500.0 && *end == 'x');
    CHECK(strtod("9007199254740993", 0) == 9007199254740992.0 && strtod("1e22", 0) == 1e22);
}

TEST(limits_agree_with_the_types)
{
    CHECK_EQ(sizeof(long) * CHAR_BIT, LONG_MAX == INT_MAX ? 32 : 64);
    CHECK((unsigned char)CHAR_MAX == (CHAR_MIN == 0 ? UCHAR_MAX : SCHAR_MAX) && (char)CHAR_MIN == CHAR_MIN);
    CHECK(SHRT_MAX + 1 == 1 << 15 && USHRT_MAX == 0xffff && UINT_MAX == 0xffffffff);
    CHECK(LLONG_MAX == INT64_MAX && ULLONG_MAX == UINT64_MAX && LLONG_MIN == INT64_MIN);
    CHECK(sizeof(time_t) == 8 && sizeof(ssize_t) == sizeof(size_t) && sizeof(uintptr_t) == sizeof(void *));
}

TEST(dates_after_2038)
{
    time_t seconds = 4102444800;                /* 2100-01-01 */
    struct tm tm;

    CHECK(gmtime_r(&seconds, &tm) == &tm);
    CHECK(tm.tm_year == 200 && tm.tm_mon == 0 && tm.tm_mday == 1 && tm.tm_hour == 0 && tm.tm_wday == 5);
    CHECK_EQ(mktime(&tm), 4102444800);
    seconds = -2208988800;                      /* 1900-01-01 */
    gmtime_r(&seconds, &tm);
    CHECK(tm.tm_year == 0 && tm.tm_yday == 0 && tm.tm_wday == 1);
}

/* ---- Bytes: copied a word at a time, wherever they begin and end. */

static unsigned char from[160], to[160], expected[160];

static void copy_by_bytes(unsigned char *out, const unsigned char *in, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        ((volatile unsigned char *)out)[i] = in[i];
}

TEST(memory_functions_at_every_alignment)
{
    int bad = 0;

    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (unsigned char)(i * 7 + 1);
    for (size_t out = 0; out < 8; out++)
        for (size_t in = 0; in < 8; in++)
            for (size_t n = 0; n < 120; n += n < 20 ? 1 : 9) {
                memset(to, 0xee, sizeof to);
                memset(expected, 0xee, sizeof expected);
                memcpy(to + out, from + in, n);
                copy_by_bytes(expected + out, from + in, n);
                for (size_t i = 0; i < sizeof to; i++)
                    bad += to[i] != expected[i];
                bad += memcmp(to, expected, sizeof to) != 0 || memcmp(to + out, from + in, n) != 0;
                if (n > 0) {
                    to[out + n - 1]++;          /* none of these is 255 */
                    bad += memcmp(to + out, from + in, n) <= 0 || memcmp(from + in, to + out, n) >= 0;
                }
                copy_by_bytes(to, from, sizeof to);             /* and over itself, in both directions */
                copy_by_bytes(expected, from, sizeof expected);
                copy_by_bytes(expected + out, from + in, n);
                memmove(to + out, to + in, n);
                bad += memcmp(to, expected, sizeof to) != 0;
                memset(to + out, (int)n, n);
                for (size_t i = 0; i < n; i++)
                    bad += to[out + i] != n;
            }
    CHECK_EQ(bad, 0);
    for (size_t start = 0; start < 8; start++)
        for (size_t n = 0; n < 20; n++) {
            memset(to, 0x80, sizeof to);
            to[start + n] = '\0';
            bad += strlen((char *)to + start) != n;
        }
    CHECK_EQ(bad, 0);
}

/* ---- Clocks */

TEST(clock_counts_nanoseconds)
{
    struct kcounters counters;
    uint64_t before = clock_ns(), backwards = 0;

    CHECK_EQ(kcounters(&counters), 0);
    CHECK(counters.clock_hz >= 1000000);
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_ns();
        backwards += now < before;
        before = now;
    }
    CHECK_EQ(backwards, 0);
    uint64_t early = clock_ns(), end;           /* as many tenths as the kernel's clock, which rounds down */
    int first = uptime(), last;
    uint64_t start = clock_ns();
    do {
        pause(1);
        end = clock_ns();
        last = uptime();
    } while (last < first + 5);
    uint64_t late = clock_ns();
    CHECK(end - start <= (uint64_t)(last - first + 1) * 100000000);
    CHECK(late - early >= (uint64_t)(last - first - 1) * 100000000);
}

int main(void)
{
    RUN(longjmp_goes_back);
    RUN(longjmp_restores_registers);
    RUN(any_call_by_number);
    RUN(stubs_pass_every_argument);
    RUN(high_addresses_are_no_errors);
    RUN(printf_takes_every_width);
    RUN(strtol_stops_at_its_own_limits);
    RUN(limits_agree_with_the_types);
    RUN(dates_after_2038);
    RUN(memory_functions_at_every_alignment);
    RUN(clock_counts_nanoseconds);
    return check_summary("library");
}
