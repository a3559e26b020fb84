/*
 * tests/check.h -- the frame of a user test program. A failed check is reported and the test goes on.
 *
 *   TEST(bad_fd)                       static void test_bad_fd(void) ...
 *   {
 *       CHECK_EQ(read(-1, 0, 1), -1);
 *       CHECK_EQ(errno, EBADF);
 *   }
 *
 *   int main(void)
 *   {
 *       RUN(bad_fd);                   prints "ok bad_fd", or a FAIL line for each check that failed
 *       return check_summary("read");  prints "TEST read: PASS 2 checks" or "TEST read: FAIL 1 of 2"
 *   }
 */
#ifndef TAMAL_CHECK_H
#define TAMAL_CHECK_H

#include "user/user.h"

static int check_count, check_failures;

#define TEST(name) static void test_##name(void)

#define CHECK(condition) \
    check_that((condition) ? 1 : 0, __FILE__, __LINE__, #condition)

#define CHECK_EQ(a, b) \
    check_equal(CHECKED(a), CHECKED(b), __FILE__, __LINE__, #a " == " #b)

/* A number or a pointer as a number. On a machine whose long has 32 bits, a 64-bit counter keeps all of them. */
#define CHECKED(x) ((long long)_Generic((x), long long: (x), unsigned long long: (x), default: (long)(x)))

#define RUN(name) \
    do { \
        int failures_before = check_failures; \
        test_##name(); \
        if (check_failures == failures_before) \
            printf("ok %s\n", #name); \
    } while (0)

static inline int check_that(int condition, const char *file, int line, const char *text)
{
    check_count++;
    if (!condition) {
        check_failures++;
        printf("FAIL %s:%d: %s\n", file, line, text);
    }
    return condition;
}

static inline int check_equal(long long a, long long b, const char *file, int line, const char *text)
{
    check_count++;
    if (a != b) {
        check_failures++;
        printf("FAIL %s:%d: %s (%lld, %lld)\n", file, line, text, a, b);
    }
    return a == b;
}

static inline int check_summary(const char *name)
{
    if (check_failures == 0)
        printf("TEST %s: PASS %d checks\n", name, check_count);
    else
        printf("TEST %s: FAIL %d of %d\n", name, check_failures, check_count);
    return check_failures != 0;
}

#endif
