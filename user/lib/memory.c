/*
 * memory.c -- copying, filling and comparing bytes, a machine word at a time where that is possible.
 *
 * A copy first brings the destination to a word boundary. When the source is then on one too, words move as they
 * are; else each word is put together from two neighbouring source words. An aligned word never crosses a page,
 * so reading the whole of a word of which one byte is wanted touches nothing that is not there.
 * Little-endian, as all machines of this system are.
 */
#pragma GCC optimize("no-tree-loop-distribute-patterns")   /* else the loops here become calls of themselves */
#include <stdint.h>
#include <string.h>

typedef uintptr_t __attribute__((may_alias)) word_t;

#define WORD      sizeof(word_t)
#define WORD_BITS (8 * WORD)
#define UNROLL    8

static size_t misaligned_by(const void *p)
{
    return (uintptr_t)p % WORD;
}

static unsigned char *copy_aligned(unsigned char *to, const unsigned char *from, size_t words)
{
    word_t *out = (word_t *)to;
    const word_t *in = (const word_t *)from;

    for (; words >= UNROLL; words -= UNROLL, out += UNROLL, in += UNROLL) {
        word_t a = in[0], b = in[1], c = in[2], d = in[3];
        word_t e = in[4], f = in[5], g = in[6], h = in[7];
        out[0] = a; out[1] = b; out[2] = c; out[3] = d;
        out[4] = e; out[5] = f; out[6] = g; out[7] = h;
    }
    while (words-- > 0)
        *out++ = *in++;
    return (unsigned char *)out;
}

static unsigned char *copy_shifted(unsigned char *to, const unsigned char *from, size_t words)
{
    word_t *out = (word_t *)to;
    size_t low = 8 * misaligned_by(from);
    const word_t *in = (const word_t *)(from - misaligned_by(from));
    word_t have = *in++;

    while (words-- > 0) {
        word_t next = *in++;
        *out++ = have >> low | next << (WORD_BITS - low);
        have = next;
    }
    return (unsigned char *)out;
}

void *memcpy(void *restrict to, const void *restrict from, size_t nbytes)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    if (nbytes >= 4 * WORD) {
        for (; misaligned_by(out) != 0; nbytes--)
            *out++ = *in++;
        size_t words = nbytes / WORD;
        out = misaligned_by(in) == 0 ? copy_aligned(out, in, words) : copy_shifted(out, in, words);
        in += words * WORD;
        nbytes %= WORD;
    }
    while (nbytes-- > 0)
        *out++ = *in++;
    return to;
}

/* Downwards, for a destination that overlaps the end of the source. */
static void copy_backward(unsigned char *to, const unsigned char *from, size_t nbytes)
{
    to += nbytes;
    from += nbytes;
    if (misaligned_by(to) == misaligned_by(from)) {
        for (; nbytes > 0 && misaligned_by(to) != 0; nbytes--)
            *--to = *--from;
        for (; nbytes >= WORD; nbytes -= WORD) {
            to -= WORD;
            from -= WORD;
            *(word_t *)to = *(const word_t *)from;
        }
    }
    while (nbytes-- > 0)
        *--to = *--from;
}

void *memmove(void *to, const void *from, size_t nbytes)
{
    size_t ahead = (uintptr_t)to - (uintptr_t)from;     /* huge when `to` lies below `from` */

    if (ahead >= nbytes && -ahead >= nbytes)
        return memcpy(to, from, nbytes);
    if (ahead < nbytes) {
        copy_backward(to, from, nbytes);
        return to;
    }
    unsigned char *out = to;
    const unsigned char *in = from;
    if (misaligned_by(out) == misaligned_by(in)) {
        for (; nbytes > 0 && misaligned_by(out) != 0; nbytes--)
            *out++ = *in++;
        for (; nbytes >= WORD; nbytes -= WORD, out += WORD, in += WORD)
            *(word_t *)out = *(const word_t *)in;
    }
    while (nbytes-- > 0)
        *out++ = *in++;
    return to;
}

void *memset(void *to, int byte, size_t nbytes)
{
    unsigned char *out = to;

    if (nbytes >= 4 * WORD) {
        word_t pattern = (word_t)-1 / 0xff * (unsigned char)byte;
        for (; misaligned_by(out) != 0; nbytes--)
            *out++ = (unsigned char)byte;
        word_t *words = (word_t *)out;
        for (; nbytes >= UNROLL * WORD; nbytes -= UNROLL * WORD, words += UNROLL) {
            words[0] = pattern; words[1] = pattern; words[2] = pattern; words[3] = pattern;
            words[4] = pattern; words[5] = pattern; words[6] = pattern; words[7] = pattern;
        }
        for (; nbytes >= WORD; nbytes -= WORD)
            *words++ = pattern;
        out = (unsigned char *)words;
    }
    while (nbytes-- > 0)
        *out++ = (unsigned char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t nbytes)
{
    const unsigned char *x = a, *y = b;

    if (misaligned_by(x) == misaligned_by(y)) {
        for (; nbytes > 0 && misaligned_by(x) != 0 && *x == *y; nbytes--)
            x++, y++;
        if (misaligned_by(x) == 0)
            for (; nbytes >= WORD && *(const word_t *)x == *(const word_t *)y; nbytes -= WORD)
                x += WORD, y += WORD;
    }
    for (; nbytes > 0; nbytes--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *bytes, int byte, size_t nbytes)
{
    const unsigned char *p = bytes;

    for (; nbytes > 0; nbytes--, p++)
        if (*p == (unsigned char)byte)
            return (void *)p;
    return NULL;
}

/* Whole words are scanned for a zero byte; reading beyond the NUL stays inside its word. */
size_t strlen(const char *s)
{
    const word_t ones = (word_t)-1 / 0xff, tops = ones << 7;
    const char *p = s;

    for (; misaligned_by(p) != 0; p++)
        if (*p == '\0')
            return (size_t)(p - s);
    for (;; p += WORD) {
        word_t w = *(const word_t *)p;
        if ((w - ones) & ~w & tops)
            break;
    }
    while (*p != '\0')
        p++;
    return (size_t)(p - s);
}
