/* check.h -- the smallest test frame: CHECK() counts and reports, check_done() prints the sum and gives the exit status. */
#ifndef TESTS_HOST_CHECK_H
#define TESTS_HOST_CHECK_H

#include <stdio.h>

static unsigned checks_made, checks_failed;

#define CHECK(cond) \
    do { \
        checks_made++; \
        if (!(cond)) { \
            checks_failed++; \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
        } \
    } while (0)

static inline int check_done(const char *name)
{
    printf("%s: %u checks, %u failed\n", name, checks_made, checks_failed);
    return checks_failed != 0;
}

#endif
