/*
 * string.c -- memory and string primitives for the whole kernel.
 *
 * How:      eight bytes at a time wherever both sides can be aligned; where they cannot be aligned together, aligned
 *           loads are shifted into aligned stores (little-endian machines). A load never leaves the aligned word of
 *           a byte that was asked for, so it never touches a page it should not.
 * Owns:     the tables of crc32, computed on first use (computing them twice gives the same bytes).
 * Locks:    none.
 * Not here: user memory (mm/usercopy.c), formatted output (printk.c).
 */
#include "lib/string.h"

/* Else gcc sees "this loop is a memcpy" and makes memcpy call itself. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

#define NO_ASAN __attribute__((no_sanitize("address")))     /* host tests: whole words around the edges are read */

typedef uint64_t __attribute__((may_alias)) word_t;
#define WORD sizeof(word_t)
#define MISALIGNED(p) ((uintptr_t)(p) & (WORD - 1))

void *memset(void *dst, int byte, size_t nbytes)
{
    uint8_t *d = dst;
    word_t pattern = (uint8_t)byte * 0x0101010101010101ull;

    for (; nbytes > 0 && MISALIGNED(d); nbytes--)
        *d++ = (uint8_t)byte;
    for (; nbytes >= 8 * WORD; nbytes -= 8 * WORD, d += 8 * WORD) {
        word_t *w = (word_t *)d;
        w[0] = pattern; w[1] = pattern; w[2] = pattern; w[3] = pattern;
        w[4] = pattern; w[5] = pattern; w[6] = pattern; w[7] = pattern;
    }
    for (; nbytes >= WORD; nbytes -= WORD, d += WORD)
        *(word_t *)d = pattern;
    for (; nbytes > 0; nbytes--)
        *d++ = (uint8_t)byte;
    return dst;
}

/* Both sides are word-aligned. Returns the bytes copied: all whole words. Right also when dst < src overlap. */
static inline size_t copy_words(uint8_t *dst, const uint8_t *src, size_t nbytes)
{
    word_t *d = (word_t *)dst;
    const word_t *s = (const word_t *)src;
    size_t left = nbytes / WORD;

    for (; left >= 8; left -= 8, d += 8, s += 8) {
        word_t a = s[0], b = s[1], c = s[2], e = s[3], f = s[4], g = s[5], h = s[6], i = s[7];
        d[0] = a; d[1] = b; d[2] = c; d[3] = e; d[4] = f; d[5] = g; d[6] = h; d[7] = i;
    }
    for (; left > 0; left--)
        *d++ = *s++;
    return nbytes & ~(WORD - 1);
}

/* The same when only dst is aligned: each word is made of two neighbours. */
NO_ASAN static inline size_t copy_shifted(uint8_t *dst, const uint8_t *src, size_t nbytes)
{
    unsigned shift = 8 * (unsigned)MISALIGNED(src);
    const word_t *s = (const word_t *)(src - MISALIGNED(src));
    word_t *d = (word_t *)dst;
    word_t low = *s++;

    for (size_t left = nbytes / WORD; left > 0; left--) {
        word_t high = *s++;
        *d++ = low >> shift | high << (64 - shift);
        low = high;
    }
    return nbytes & ~(WORD - 1);
}

/* From the first byte to the last: right unless dst lies inside [src, src + nbytes). */
static inline void copy_forward(uint8_t *d, const uint8_t *s, size_t nbytes)
{
    for (; nbytes > 0 && MISALIGNED(d); nbytes--)
        *d++ = *s++;
    if (nbytes >= WORD) {
        size_t done = MISALIGNED(s) ? copy_shifted(d, s, nbytes) : copy_words(d, s, nbytes);
        d += done;
        s += done;
        nbytes -= done;
    }
    for (; nbytes > 0; nbytes--)
        *d++ = *s++;
}

/* From the last byte to the first; d and s are one past the end. */
static inline void copy_backward(uint8_t *d, const uint8_t *s, size_t nbytes)
{
    for (; nbytes > 0 && MISALIGNED(d); nbytes--)
        *--d = *--s;
    if (MISALIGNED(s) == 0) {
        for (; nbytes >= WORD; nbytes -= WORD) {
            d -= WORD;
            s -= WORD;
            *(word_t *)d = *(const word_t *)s;
        }
    }
    for (; nbytes > 0; nbytes--)
        *--d = *--s;
}

void *memcpy(void *dst, const void *src, size_t nbytes)
{
    copy_forward(dst, src, nbytes);
    return dst;
}

void *memmove(void *dst, const void *src, size_t nbytes)
{
    if ((uintptr_t)dst - (uintptr_t)src >= nbytes)      /* wraps to a large number when dst < src */
        copy_forward(dst, src, nbytes);
    else
        copy_backward((uint8_t *)dst + nbytes, (const uint8_t *)src + nbytes, nbytes);
    return dst;
}

int memcmp(const void *a, const void *b, size_t nbytes)
{
    const uint8_t *x = a, *y = b;

    if (MISALIGNED(x) == 0 && MISALIGNED(y) == 0)
        for (; nbytes >= WORD && *(const word_t *)x == *(const word_t *)y; nbytes -= WORD, x += WORD, y += WORD)
            ;
    for (; nbytes > 0; nbytes--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    const char *end = s;

    while (*end != '\0')
        end++;
    return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max)
{
    size_t length = 0;

    while (length < max && s[length] != '\0')
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t max)
{
    for (; max > 0; max--, a++, b++)
        if (*a != *b || *a == '\0')
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (*s == '\0')
            return NULL;
    return (char *)s;
}

HOT void copy_page(void *dst, const void *src)
{
    copy_words(dst, src, PAGE_SIZE);
}

HOT void clear_page(void *dst)
{
    word_t *end = (word_t *)((uint8_t *)dst + PAGE_SIZE);

    for (word_t *w = dst; w < end; w += 8) {
        w[0] = 0; w[1] = 0; w[2] = 0; w[3] = 0;
        w[4] = 0; w[5] = 0; w[6] = 0; w[7] = 0;
    }
}

size_t copy_string(char *dst, const char *src, size_t size)
{
    size_t length = strlen(src);
    size_t kept = size == 0 ? 0 : MIN(length, size - 1);

    memcpy(dst, src, kept);
    memset(dst + kept, 0, size - kept);
    return length;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

bool parse_number(const char *s, uint64_t *value)
{
    unsigned base = 10;
    uint64_t number = 0;

    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        unsigned digit = (unsigned)digit_value(*s);
        if (digit >= base || number > (UINT64_MAX - digit) / base)
            return false;
        number = number * base + digit;
    }
    *value = number;
    return true;
}

uint32_t hash_bytes(const void *data, size_t nbytes)
{
    const uint8_t *p = data;
    uint32_t hash = 2166136261u;

    for (; nbytes > 0; nbytes--)
        hash = (hash ^ *p++) * 16777619u;
    return hash;
}

/* crc_table[k][b]: what byte b does to a crc when k more bytes follow it; so eight bytes cost eight look-ups and no
 * chain between them. */
static uint32_t crc_table[8][256];
static bool crc_table_ready;

static void make_crc_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
        crc_table[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int k = 1; k < 8; k++)
            crc_table[k][byte] = crc_table[k - 1][byte] >> 8 ^ crc_table[0][crc_table[k - 1][byte] & 0xff];
    __atomic_store_n(&crc_table_ready, true, __ATOMIC_RELEASE);
}

uint32_t crc32(uint32_t seed, const void *data, size_t nbytes)
{
    const uint8_t *p = data;
    uint32_t crc = ~seed;

    if (!__atomic_load_n(&crc_table_ready, __ATOMIC_ACQUIRE))
        make_crc_table();
    for (; nbytes > 0 && MISALIGNED(p); nbytes--)
        crc = crc >> 8 ^ crc_table[0][(crc ^ *p++) & 0xff];
    for (; nbytes >= WORD; nbytes -= WORD, p += WORD) {
        word_t w = *(const word_t *)p ^ crc;
        crc = crc_table[7][w & 0xff] ^ crc_table[6][w >> 8 & 0xff] ^ crc_table[5][w >> 16 & 0xff] ^
              crc_table[4][w >> 24 & 0xff] ^ crc_table[3][w >> 32 & 0xff] ^ crc_table[2][w >> 40 & 0xff] ^
              crc_table[1][w >> 48 & 0xff] ^ crc_table[0][w >> 56];
    }
    for (; nbytes > 0; nbytes--)
        crc = crc >> 8 ^ crc_table[0][(crc ^ *p++) & 0xff];
    return ~crc;
}
