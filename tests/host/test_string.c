/* test_string: copies and fills are right for every alignment, length and overlap, and touch no byte beside them.
 *
 * Build: cc -fsanitize=address,undefined -fno-builtin -I. -Ikernel -Itests/host tests/host/test_string.c
 * The file under test is included with its functions renamed, so that it does not replace libc's. */
#define memset      kernel_memset
#define memcpy      kernel_memcpy
#define memmove     kernel_memmove
#define memcmp      kernel_memcmp
#define strlen      kernel_strlen
#define strnlen     kernel_strnlen
#define strcmp      kernel_strcmp
#define strncmp     kernel_strncmp
#define strchr      kernel_strchr
#include "kernel/lib/string.c"
#undef memset
#undef memcpy
#undef memmove
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr

#include "check.h"
#include <stdlib.h>

#define ROOM 400

static uint8_t pattern_at(size_t i) { return (uint8_t)(i * 7 + 3); }

static void fill_pattern(uint8_t *p)
{
    for (size_t i = 0; i < ROOM; i++)
        p[i] = pattern_at(i);
}

static void memcpy_every_alignment(void)
{
    static uint8_t from[ROOM] ALIGNED(16), to[ROOM] ALIGNED(16);
    bool right = true;

    fill_pattern(from);
    for (size_t source = 0; source < 9; source++)
        for (size_t target = 1; target < 10; target++)
            for (size_t nbytes = 0; nbytes < 200; nbytes++) {
                for (size_t i = 0; i < ROOM; i++)
                    to[i] = 0xee;
                right &= kernel_memcpy(to + target, from + source, nbytes) == to + target;
                for (size_t i = 0; i < ROOM; i++) {
                    bool inside = i >= target && i < target + nbytes;
                    right &= to[i] == (inside ? from[source + i - target] : 0xee);
                }
            }
    CHECK(right);
}

static void memmove_every_overlap(void)
{
    static uint8_t data[ROOM] ALIGNED(16);
    bool right = true;

    for (size_t source = 0; source < 40; source++)
        for (size_t target = 0; target < 40; target++)
            for (size_t nbytes = 0; nbytes < 180; nbytes += nbytes < 30 ? 1 : 7) {
                fill_pattern(data);
                kernel_memmove(data + target, data + source, nbytes);
                for (size_t i = 0; i < ROOM; i++) {
                    bool inside = i >= target && i < target + nbytes;
                    right &= data[i] == pattern_at(inside ? source + i - target : i);
                }
            }
    CHECK(right);
}

static void memset_every_alignment(void)
{
    static uint8_t data[ROOM] ALIGNED(16);
    bool right = true;

    for (size_t start = 0; start < 9; start++)
        for (size_t nbytes = 0; nbytes < 200; nbytes++) {
            fill_pattern(data);
            kernel_memset(data + start, 0x1ab, nbytes);
            for (size_t i = 0; i < ROOM; i++)
                right &= data[i] == (i >= start && i < start + nbytes ? 0xab : pattern_at(i));
        }
    CHECK(right);
}

/* Heap blocks of the exact size: the sanitizer sees a store outside. */
static void stays_inside(void)
{
    for (size_t nbytes = 1; nbytes < 100; nbytes++) {
        uint8_t *a = malloc(nbytes), *b = malloc(nbytes);
        kernel_memset(a, 1, nbytes);
        kernel_memcpy(b, a, nbytes);
        kernel_memmove(b, b, nbytes);
        CHECK(kernel_memcmp(a, b, nbytes) == 0);
        b[nbytes - 1] = 0;
        CHECK(kernel_memcmp(a, b, nbytes) > 0 && kernel_memcmp(b, a, nbytes) < 0);
        free(a);
        free(b);
    }
}

static void pages(void)
{
    static uint8_t a[4096] ALIGNED(4096), b[4096 + 1] ALIGNED(4096);

    for (size_t i = 0; i < 4096; i++)
        a[i] = pattern_at(i);
    b[4096] = 0x77;
    copy_page(b, a);
    CHECK(kernel_memcmp(a, b, 4096) == 0 && b[4096] == 0x77);
    clear_page(b);
    bool zero = true;
    for (size_t i = 0; i < 4096; i++)
        zero &= b[i] == 0;
    CHECK(zero && b[4096] == 0x77);
}

static void strings(void)
{
    char buf[8];

    CHECK(kernel_strlen("") == 0 && kernel_strlen("abc") == 3);
    CHECK(kernel_strnlen("abc", 2) == 2 && kernel_strnlen("abc", 9) == 3 && kernel_strnlen("x", 0) == 0);
    CHECK(kernel_strcmp("a", "a") == 0 && kernel_strcmp("a", "b") < 0 && kernel_strcmp("ab", "a") > 0);
    CHECK(kernel_strcmp("\xff", "a") > 0);
    CHECK(kernel_strncmp("abc", "abd", 2) == 0 && kernel_strncmp("abc", "abd", 3) < 0 && kernel_strncmp("a", "b", 0) == 0);
    CHECK(kernel_strncmp("a", "a\0x", 3) == 0);
    const char *s = "path/x";
    CHECK(kernel_strchr(s, '/') == s + 4 && kernel_strchr(s, 'q') == NULL && kernel_strchr(s, '\0') == s + 6);

    kernel_memset(buf, 'z', sizeof(buf));
    CHECK(copy_string(buf, "ab", 6) == 2 && kernel_memcmp(buf, "ab\0\0\0\0zz", 8) == 0);
    CHECK(copy_string(buf, "abcdefgh", 4) == 8 && kernel_memcmp(buf, "abc\0", 4) == 0 && buf[4] == 0);
    CHECK(copy_string(buf, "q", 0) == 1 && buf[0] == 'a');
    CHECK(copy_string(buf, "q", 1) == 1 && buf[0] == '\0' && buf[1] == 'b');
}

static bool parses(const char *s, uint64_t expected)
{
    uint64_t value = 0;
    return parse_number(s, &value) && value == expected;
}

static void numbers(void)
{
    static const char *const bad[] = { "", "0x", "-1", "12a", "0xg", " 1", "1 ", "18446744073709551616", "0x10000000000000000", "x" };
    uint64_t untouched = 5;

    CHECK(parses("0", 0) && parses("42", 42) && parses("0x1F", 31) && parses("0XaB", 171) && parses("007", 7));
    CHECK(parses("18446744073709551615", UINT64_MAX) && parses("0xffffffffffffffff", UINT64_MAX));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK(!parse_number(bad[i], &untouched) && untouched == 5);
}

static void checksums(void)
{
    uint8_t data[64] ALIGNED(8);

    CHECK(crc32(0, "123456789", 9) == 0xCBF43926u && crc32(0, "", 0) == 0);
    CHECK(hash_bytes("", 0) == 2166136261u && hash_bytes("a", 1) == 0xE40C292Cu);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern_at(i);
    uint32_t whole = crc32(0, data, sizeof(data));
    for (size_t cut = 0; cut <= sizeof(data); cut++)        /* in two parts, at every alignment */
        CHECK(crc32(crc32(0, data, cut), data + cut, sizeof(data) - cut) == whole);
}

int main(void)
{
    memcpy_every_alignment();
    memmove_every_overlap();
    memset_every_alignment();
    stays_inside();
    pages();
    strings();
    numbers();
    checksums();
    return check_done("test_string");
}
