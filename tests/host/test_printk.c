/* test_printk: every format comes out as the C library prints it, nothing is written past the buffer, and a message
 * reaches the output hook whole, in one call.
 *
 * Build: cc -fsanitize=address,undefined -I. -Ikernel -Itests/host tests/host/test_printk.c kernel/lib/printk.c
 *        (libc's own string functions serve) */
#include "check.h"
#include "lib/printk.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Both formatters, once for each buffer size: same text, same length, no byte outside. */
#define SAME(...) \
    do { \
        char expected[512]; \
        int length = snprintf(expected, sizeof(expected), __VA_ARGS__); \
        for (size_t size = 0; size < 80; size += size < 12 ? 1 : 67) { \
            char *buf = malloc(size + 1); \
            buf[size] = 0x55; \
            CHECK(format_string(buf, size, __VA_ARGS__) == length); \
            CHECK(buf[size] == 0x55); \
            if (size > 0) { \
                CHECK(strncmp(buf, expected, size - 1) == 0); \
                CHECK(strlen(buf) == (size > (size_t)length ? (size_t)length : size - 1)); \
            } \
            free(buf); \
        } \
    } while (0)

static void formats(void)
{
    SAME("plain %%");
    SAME("%d %i %d %d", 0, 42, -7, INT_MAX);
    SAME("%d", INT_MIN);
    SAME("%ld %ld", LONG_MIN, LONG_MAX);
    SAME("%lld %llu %llx", LLONG_MIN, ULLONG_MAX, ULLONG_MAX);
    SAME("%u %lu %zu %x %lx %zx", UINT_MAX, ULONG_MAX, SIZE_MAX, 0xbeefu, 0x123456789abcul, (size_t)255);
    SAME("[%5d] [%-5d] [%05d] [%05d]", 42, 42, 42, -42);
    SAME("[%02x] [%08lx] [%16lx] [%-8x]", 5u, 0x1234ul, 0x80000000ul, 0xabu);
    SAME("[%3d] [%1d] [%-2d]", 123456, 123456, 123456);
    SAME("[%s] [%-16s] [%8s] [%3s]", "sh", "init", "cat", "longer");
    SAME("[%.3s] [%.*s] [%*d] [%-*d]", "abcdef", 2, "xyz", 6, 1, 6, 1);
    SAME("%c%c [%3c] [%-3c]", 'o', 'k', 'r', 'l');
    SAME("%p", (void *)0x80200000ul);
    SAME("fault: pid=%d name=%s cause=%d err=0x%lx va=0x%lx pc=0x%lx -> killed", 3, "a.out", 15, 0ul, 0x1000ul, 0x100000040ul);
}

static void odd_formats(void)
{
    char buf[32];
    const char *volatile null = NULL;
    const char *volatile unknown = "%q %d", *volatile unfinished = "end %", *volatile huge = "%99999999999d";

    format_string(buf, sizeof(buf), "%s", null);
    CHECK(strcmp(buf, "(null)") == 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    format_string(buf, sizeof(buf), unknown, 7);
    CHECK(strcmp(buf, "%q 7") == 0);
    format_string(buf, sizeof(buf), unfinished);
    CHECK(strcmp(buf, "end ") == 0);
    CHECK(format_string(buf, sizeof(buf), huge, 1) > 0 && strlen(buf) == sizeof(buf) - 1);
#pragma GCC diagnostic pop
}

static char   out[8192];
static size_t out_used;
static unsigned out_calls;

static void take_output(const char *text, size_t nbytes)
{
    memcpy(out + out_used, text, nbytes);
    out_used += nbytes;
    out[out_used] = '\0';
    out_calls++;
}

static void messages(void)
{
    char longer[600];

    printk("early %d\n", 1);
    printk("early %d\n", 2);
    printk_set_output(take_output);
    CHECK(strcmp(out, "early 1\nearly 2\n") == 0);
    out_used = out_calls = 0;
    printk("now %s\n", "later");
    CHECK(out_calls == 1 && strcmp(out, "now later\n") == 0);

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    out_used = out_calls = 0;
    printk("%s\n", longer);
    CHECK(out_calls == 1 && out_used == PRINTK_MAX - 1 && out[out_used - 1] == '\n');

    printk_set_output(NULL);                            /* the early buffer fills and stays in its bounds */
    for (int i = 0; i < 100; i++)
        printk("%s\n", longer);
    out_used = out_calls = 0;
    printk_set_output(take_output);
    CHECK(out_calls == 1 && out_used <= 4096);
}

int main(void)
{
    formats();
    odd_formats();
    messages();
    return check_done("test_printk");
}
