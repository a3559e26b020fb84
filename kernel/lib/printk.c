/*
 * printk.c -- formatted text: kernel messages and format_string().
 *
 * A message is formatted into a buffer on the caller's stack and handed to the output hook in one call, so lines of
 * several CPUs never mix. Until the console sets the hook, messages wait in a small buffer.
 *
 * Owns:     the output hook and the early buffer.
 * Locks:    none. The early buffer is used while only the boot CPU runs.
 * Not here: panic() (sys/panic.c), the terminal (dev/console.c).
 */
#include "lib/printk.h"
#include "lib/string.h"

#define EARLY_SIZE 2048

static void (*output)(const char *text, size_t nbytes);
static char   early[EARLY_SIZE];
static size_t early_used;

/* Where formatted text goes: counts everything, keeps what fits. */
struct sink {
    char  *buf;
    size_t size;                        /* bytes of buf, the terminating NUL counted */
    size_t length;                      /* produced so far */
};

/* One conversion, as written between '%' and its letter. */
struct spec {
    bool left, zero;
    int  width;
    int  precision;                     /* of %s: most bytes; -1: all */
    int  size;                          /* bytes of an integer argument */
};

static void put_char(struct sink *sink, char c)
{
    if (sink->length + 1 < sink->size)
        sink->buf[sink->length] = c;
    sink->length++;
}

static void put_padding(struct sink *sink, char c, int count)
{
    for (; count > 0; count--)
        put_char(sink, c);
}

/* `text` in its field, with `prefix` ("-", "0x") before any zeros. */
static void put_field(struct sink *sink, const struct spec *spec, const char *prefix, const char *text, size_t nbytes)
{
    int padding = spec->width - (int)strlen(prefix) - (int)nbytes;

    if (!spec->left && !spec->zero)
        put_padding(sink, ' ', padding);
    for (; *prefix != '\0'; prefix++)
        put_char(sink, *prefix);
    if (!spec->left && spec->zero)
        put_padding(sink, '0', padding);
    for (size_t i = 0; i < nbytes; i++)
        put_char(sink, text[i]);
    if (spec->left)
        put_padding(sink, ' ', padding);
}

static void put_number(struct sink *sink, const struct spec *spec, const char *prefix, uint64_t value, unsigned base)
{
    char digits[20];                    /* 2^64 - 1 has 20 decimal digits */
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put_field(sink, spec, prefix, digits + at, sizeof(digits) - at);
}

static void put_string(struct sink *sink, struct spec *spec, const char *s)
{
    size_t most = spec->precision < 0 ? SIZE_MAX : (size_t)spec->precision;

    if (s == NULL)
        s = "(null)";
    spec->zero = false;
    put_field(sink, spec, "", s, strnlen(s, most));
}

/* A number in the format, or the next argument for '*'. Kept small enough for int arithmetic. */
static const char *parse_count(const char *f, int *count, va_list *args)
{
    if (*f == '*') {
        *count = va_arg(*args, int);
        return f + 1;
    }
    for (*count = 0; *f >= '0' && *f <= '9'; f++)
        if (*count < 10000)
            *count = *count * 10 + (*f - '0');
    return f;
}

/* Reads what follows '%'; returns the address of the conversion letter. */
static const char *parse_spec(const char *f, struct spec *spec, va_list *args)
{
    *spec = (struct spec){ .precision = -1, .size = sizeof(int) };
    for (; *f == '-' || *f == '0'; f++) {
        if (*f == '-')
            spec->left = true;
        else
            spec->zero = true;
    }
    f = parse_count(f, &spec->width, args);
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    if (*f == '.')
        f = parse_count(f + 1, &spec->precision, args);
    if (*f == 'z') {
        spec->size = sizeof(size_t);
        f++;
    }
    for (int longs = 1; *f == 'l'; f++, longs++)
        spec->size = longs == 1 ? sizeof(long) : sizeof(long long);
    return f;
}

static uint64_t unsigned_argument(const struct spec *spec, va_list *args)
{
    return spec->size == sizeof(uint64_t) ? va_arg(*args, uint64_t) : va_arg(*args, uint32_t);
}

static int64_t signed_argument(const struct spec *spec, va_list *args)
{
    return spec->size == sizeof(int64_t) ? va_arg(*args, int64_t) : va_arg(*args, int32_t);
}

static void convert(struct sink *sink, struct spec *spec, char letter, va_list *args)
{
    char c;
    int64_t number;

    switch (letter) {
    case 'd':
    case 'i':
        number = signed_argument(spec, args);
        put_number(sink, spec, number < 0 ? "-" : "", number < 0 ? -(uint64_t)number : (uint64_t)number, 10);
        break;
    case 'u':
        put_number(sink, spec, "", unsigned_argument(spec, args), 10);
        break;
    case 'x':
        put_number(sink, spec, "", unsigned_argument(spec, args), 16);
        break;
    case 'p':
        put_number(sink, spec, "0x", (uintptr_t)va_arg(*args, void *), 16);
        break;
    case 's':
        put_string(sink, spec, va_arg(*args, const char *));
        break;
    case 'c':
        c = (char)va_arg(*args, int);
        spec->zero = false;
        put_field(sink, spec, "", &c, 1);
        break;
    default:                            /* unknown: shown as written, no argument is taken */
        put_char(sink, '%');
        put_char(sink, letter);
    }
}

int format_va(char *buf, size_t size, const char *format, va_list args)
{
    struct sink sink = { .buf = buf, .size = size };
    struct spec spec;
    va_list rest;                       /* of our own: helpers take its address */

    va_copy(rest, args);
    for (const char *f = format; *f != '\0'; f++) {
        if (*f != '%') {
            put_char(&sink, *f);
            continue;
        }
        f = parse_spec(f + 1, &spec, &rest);
        if (*f == '\0')
            break;
        if (*f == '%')
            put_char(&sink, '%');
        else
            convert(&sink, &spec, *f, &rest);
    }
    va_end(rest);
    if (size > 0)
        buf[MIN(sink.length, size - 1)] = '\0';
    return (int)sink.length;
}

int format_string(char *buf, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = format_va(buf, size, format, args);
    va_end(args);
    return length;
}

static void keep_early(const char *text, size_t nbytes)
{
    nbytes = MIN(nbytes, EARLY_SIZE - early_used);
    memcpy(early + early_used, text, nbytes);
    early_used += nbytes;
}

void printk(const char *format, ...)
{
    char line[PRINTK_MAX];
    va_list args;

    va_start(args, format);
    size_t length = (size_t)format_va(line, sizeof(line), format, args);
    va_end(args);
    if (length >= sizeof(line)) {
        length = sizeof(line) - 1;
        line[length - 1] = '\n';        /* cut, but still a whole line */
    }
    if (output != NULL)
        output(line, length);
    else
        keep_early(line, length);
}

void printk_set_output(void (*write)(const char *text, size_t nbytes))
{
    output = write;
    if (write != NULL && early_used > 0)
        write(early, early_used);
    early_used = 0;
}
