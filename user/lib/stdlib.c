/*
 * stdlib.c -- numbers from text, sorting, searching.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int digit_value(char c)
{
    if (isdigit(c))
        return c - '0';
    return isalpha(c) ? tolower(c) - 'a' + 10 : INT_MAX;
}

/* The digits at `*s` in `base` (0: by prefix), stopping at `limit`: then ERANGE and limit itself. */
static unsigned long long parse_digits(const char **s, int base, unsigned long long limit)
{
    const char *p = *s;
    unsigned long long value = 0;
    bool too_big = false;

    if ((base == 0 || base == 16) && p[0] == '0' && tolower(p[1]) == 'x' && isxdigit(p[2])) {
        p += 2;
        base = 16;
    }
    if (base == 0)
        base = *p == '0' ? 8 : 10;
    const char *first = p;
    for (; digit_value(*p) < base; p++) {
        unsigned digit = (unsigned)digit_value(*p);
        if (value > limit / (unsigned)base || value * (unsigned)base > limit - digit)
            too_big = true;
        else
            value = value * (unsigned)base + digit;
    }
    if (p != first)
        *s = p;
    if (too_big)
        errno = ERANGE;
    return too_big ? limit : value;
}

/* Blanks and sign, then digits. A negative number may be one larger than `limit` allows a positive one. */
static unsigned long long parse_integer(const char *s, char **end, int base, unsigned long long limit, bool is_signed)
{
    const char *p = s;

    while (isspace(*p))
        p++;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    const char *digits = p;
    unsigned long long value = parse_digits(&p, base, limit + (negative && is_signed));
    if (end != NULL)
        *end = (char *)(p == digits ? s : p);
    return negative ? 0 - value : value;
}

long strtol(const char *restrict s, char **restrict end, int base)
{
    return (long)parse_integer(s, end, base, LONG_MAX, true);
}

unsigned long strtoul(const char *restrict s, char **restrict end, int base)
{
    return (unsigned long)parse_integer(s, end, base, ULONG_MAX, false);
}

long long strtoll(const char *restrict s, char **restrict end, int base)
{
    return (long long)parse_integer(s, end, base, LLONG_MAX, true);
}

unsigned long long strtoull(const char *restrict s, char **restrict end, int base)
{
    return parse_integer(s, end, base, ULLONG_MAX, false);
}

int atoi(const char *s)        { return (int)strtol(s, NULL, 10); }
long atol(const char *s)       { return strtol(s, NULL, 10); }
long long atoll(const char *s) { return strtoll(s, NULL, 10); }

int abs(int n)                 { return n < 0 ? -n : n; }
long labs(long n)              { return n < 0 ? -n : n; }
div_t div(int n, int by)       { return (div_t){ n / by, n % by }; }
ldiv_t ldiv(long n, long by)   { return (ldiv_t){ n / by, n % by }; }

char *getenv(const char *name)
{
    (void)name;
    return NULL;
}

static void swap(char *a, char *b, size_t size)
{
    for (; size > 0; size--, a++, b++) {
        char c = *a;
        *a = *b;
        *b = c;
    }
}

typedef int compare_t(const void *, const void *);

static void sift_down(char *base, size_t root, size_t count, size_t size, compare_t *compare)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (compare(base + root * size, base + child * size) >= 0)
            return;
        swap(base + root * size, base + child * size, size);
    }
}

/* Heap sort: no bad case, no extra memory. */
void qsort(void *base, size_t count, size_t size, compare_t *compare)
{
    for (size_t root = count / 2; root-- > 0; )
        sift_down(base, root, count, size, compare);
    while (count > 1) {
        count--;
        swap(base, (char *)base + count * size, size);
        sift_down(base, 0, count, size, compare);
    }
}

void *bsearch(const void *key, const void *base, size_t count, size_t size, compare_t *compare)
{
    const char *low = base;

    while (count > 0) {
        const char *middle = low + count / 2 * size;
        int order = compare(key, middle);
        if (order == 0)
            return (void *)middle;
        if (order > 0) {
            low = middle + size;
            count -= count / 2 + 1;
        } else {
            count /= 2;
        }
    }
    return NULL;
}
