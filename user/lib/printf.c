/*
 * printf.c -- the formatter behind every printf, and those that write to descriptors and strings.
 *
 * Text is collected in a sink. printf and dprintf have theirs on the stack and write it once, at the end of the
 * call, unless the text is longer. Digits of floating-point numbers come from float.c; printf to files is stdio.c.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "library.h"

#define LINE_SIZE 1024                          /* longest text that is written in one piece */

struct spec {                                   /* one %-conversion, taken apart */
    bool left, zero, plus, space, alternate;
    int  width;
    int  precision;                             /* -1: not given */
    enum { INT, LONG, LONG_LONG, SIZE } length;
    char kind;
};

static void put_bytes(struct sink *sink, const char *bytes, size_t nbytes)
{
    sink->total += nbytes;
    while (nbytes > 0 && !sink->failed) {
        size_t room = sink->size - sink->used;
        if (room == 0) {
            if (sink->drain == NULL)
                return;
            sink->drain(sink);
            continue;
        }
        size_t piece = nbytes < room ? nbytes : room;
        memcpy(sink->buffer + sink->used, bytes, piece);
        sink->used += piece;
        bytes += piece;
        nbytes -= piece;
    }
}

static void put_repeated(struct sink *sink, char c, int count)
{
    char piece[32];

    memset(piece, c, sizeof piece);
    for (; count > 0; count -= (int)sizeof piece)
        put_bytes(sink, piece, count < (int)sizeof piece ? (size_t)count : sizeof piece);
}

/* Every conversion ends here: [spaces] prefix [zeros] body [zeros] [spaces]. */
static void put_padded(struct sink *sink, const struct spec *spec, const char *prefix, int zeros_before,
                       const char *body, int length, int zeros_after)
{
    int prefix_length = (int)strlen(prefix);
    int padding = spec->width - prefix_length - zeros_before - length - zeros_after;

    if (padding > 0 && spec->zero && !spec->left) {
        zeros_before += padding;
        padding = 0;
    }
    if (!spec->left)
        put_repeated(sink, ' ', padding);
    put_bytes(sink, prefix, (size_t)prefix_length);
    put_repeated(sink, '0', zeros_before);
    put_bytes(sink, body, (size_t)length);
    put_repeated(sink, '0', zeros_after);
    if (spec->left)
        put_repeated(sink, ' ', padding);
}

static const char *sign_prefix(const struct spec *spec, bool negative)
{
    return negative ? "-" : spec->plus ? "+" : spec->space ? " " : "";
}

static void put_number(struct sink *sink, struct spec *spec, const char *prefix, unsigned long long value,
                       unsigned base)
{
    const char *alphabet = spec->kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char digits[24];
    int start = sizeof digits;

    if (value <= UINT32_MAX)                    /* spares 32-bit machines the long division */
        for (uint32_t small = (uint32_t)value; small != 0; small /= base)
            digits[--start] = alphabet[small % base];
    else
        for (; value != 0; value /= base)
            digits[--start] = alphabet[value % base];

    int length = (int)sizeof digits - start;
    int wanted = spec->precision >= 0 ? spec->precision : 1;
    if (spec->kind == 'o' && spec->alternate && wanted <= length)
        wanted = length + 1;
    if (spec->precision >= 0)
        spec->zero = false;
    put_padded(sink, spec, prefix, wanted > length ? wanted - length : 0, digits + start, length, 0);
}

static void put_signed(struct sink *sink, struct spec *spec, long long value)
{
    unsigned long long magnitude = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
    put_number(sink, spec, sign_prefix(spec, value < 0), magnitude, 10);
}

static void put_unsigned(struct sink *sink, struct spec *spec, unsigned long long value)
{
    switch (spec->kind) {
    case 'u': put_number(sink, spec, "", value, 10); break;
    case 'o': put_number(sink, spec, "", value, 8); break;
    case 'x': put_number(sink, spec, spec->alternate && value ? "0x" : "", value, 16); break;
    case 'X': put_number(sink, spec, spec->alternate && value ? "0X" : "", value, 16); break;
    }
}

static void put_string(struct sink *sink, struct spec *spec, const char *s)
{
    if (s == NULL)
        s = "(null)";
    spec->zero = false;
    size_t limit = spec->precision >= 0 ? (size_t)spec->precision : INT32_MAX;
    put_padded(sink, spec, "", 0, s, (int)strnlen(s, limit), 0);
}

/* Round 0.DIGITS * 10^point to `keep` digits, half to even; the digits are exact. Returns how many are left. */
static int round_digits(char *digits, int count, int keep, int *point)
{
    if (keep >= count)
        return count;
    if (keep < 0)
        return 0;
    bool odd = keep > 0 && (digits[keep - 1] - '0') % 2 == 1;
    bool up = digits[keep] > '5' || (digits[keep] == '5' && (count > keep + 1 || odd));
    if (!up)
        return keep;
    for (int i = keep - 1; i >= 0; i--) {
        if (digits[i] != '9') {
            digits[i]++;
            return keep;
        }
        digits[i] = '0';
    }
    digits[0] = '1';                            /* 999 became 1000 */
    ++*point;
    return keep > 0 ? keep : 1;
}

/* Text of a number being put together: a body of given digits, zeros included, cut to a sane length. */
struct text {
    char bytes[FLOAT_DIGITS_MAX + 64];
    int  length;
};

static void append(struct text *text, char c)
{
    if (text->length < (int)sizeof text->bytes)
        text->bytes[text->length++] = c;
}

static char digit_at(const char *digits, int count, int i)
{
    return i >= 0 && i < count ? digits[i] : '0';
}

/* ddd.ddd with `places` after the point. */
static void fixed_text(struct text *text, const struct spec *spec, const char *digits, int count, int point, int places)
{
    if (point <= 0)
        append(text, '0');
    for (int i = 0; i < point; i++)
        append(text, digit_at(digits, count, i));
    if (places > 0 || spec->alternate)
        append(text, '.');
    for (int i = 0; i < places; i++)
        append(text, digit_at(digits, count, point + i));
}

/* d.ddde+xx */
static void exponent_text(struct text *text, const struct spec *spec, const char *digits, int count, int point,
                          int places)
{
    int exponent = count > 0 ? point - 1 : 0;

    append(text, digit_at(digits, count, 0));
    if (places > 0 || spec->alternate)
        append(text, '.');
    for (int i = 1; i <= places; i++)
        append(text, digit_at(digits, count, i));
    append(text, isupper(spec->kind) ? 'E' : 'e');
    append(text, exponent < 0 ? '-' : '+');
    if (exponent < 0)
        exponent = -exponent;
    if (exponent >= 100)
        append(text, (char)('0' + exponent / 100));
    append(text, (char)('0' + exponent / 10 % 10));
    append(text, (char)('0' + exponent % 10));
}

/* %g: the shorter form, without zeros at its end. */
static void general_text(struct text *text, const struct spec *spec, char *digits, int count, int point, int precision)
{
    if (precision == 0)
        precision = 1;
    count = round_digits(digits, count, precision, &point);
    int places = precision;
    if (!spec->alternate) {
        while (count > 0 && digits[count - 1] == '0')
            count--;
        places = count > 0 ? count : 1;
    }
    int exponent = count > 0 ? point - 1 : 0;
    if (exponent < -4 || exponent >= precision)
        exponent_text(text, spec, digits, count, point, places - 1);
    else
        fixed_text(text, spec, digits, count, point, places > point ? places - point : 0);
}

static void put_float(struct sink *sink, struct spec *spec, double value)
{
    union { double value; uint64_t bits; } parts = { value };
    const char *prefix = sign_prefix(spec, parts.bits >> 63);
    bool upper = isupper(spec->kind);
    char digits[FLOAT_DIGITS_MAX];
    struct text text = { .length = 0 };
    int point;

    if ((parts.bits >> 52 & 0x7ff) == 0x7ff) {
        bool infinite = parts.bits << 12 == 0;
        spec->zero = false;
        put_padded(sink, spec, prefix, 0, infinite ? upper ? "INF" : "inf" : upper ? "NAN" : "nan", 3, 0);
        return;
    }
    int count = float_digits(value, digits, &point);
    int precision = spec->precision < 0 ? 6 : spec->precision;
    int places = precision < 400 ? precision : 400;     /* further places are zeros put on at the end */
    switch (tolower(spec->kind)) {
    case 'f':
        count = round_digits(digits, count, point + places, &point);
        fixed_text(&text, spec, digits, count, point, places);
        break;
    case 'e':
        count = round_digits(digits, count, places + 1, &point);
        exponent_text(&text, spec, digits, count, point, places);
        break;
    case 'g':
        general_text(&text, spec, digits, count, point, places);
        break;
    }
    put_padded(sink, spec, prefix, 0, text.bytes, text.length, spec->kind == 'f' ? precision - places : 0);
}

static long long next_signed(const struct spec *spec, va_list *args)
{
    switch (spec->length) {
    case LONG:      return va_arg(*args, long);
    case LONG_LONG: return va_arg(*args, long long);
    case SIZE:      return va_arg(*args, ptrdiff_t);
    default:        return va_arg(*args, int);
    }
}

static unsigned long long next_unsigned(const struct spec *spec, va_list *args)
{
    switch (spec->length) {
    case LONG:      return va_arg(*args, unsigned long);
    case LONG_LONG: return va_arg(*args, unsigned long long);
    case SIZE:      return va_arg(*args, size_t);
    default:        return va_arg(*args, unsigned);
    }
}

static const char *parse_flags(const char *p, struct spec *spec)
{
    for (;; p++) {
        switch (*p) {
        case '-': spec->left = true; break;
        case '0': spec->zero = true; break;
        case '+': spec->plus = true; break;
        case ' ': spec->space = true; break;
        case '#': spec->alternate = true; break;
        default: return p;
        }
    }
}

static const char *parse_count(const char *p, int *count, va_list *args)
{
    if (*p == '*') {
        *count = va_arg(*args, int);
        return p + 1;
    }
    for (*count = 0; isdigit(*p); p++)
        if (*count < 1000000)
            *count = *count * 10 + (*p - '0');
    return p;
}

static const char *parse_spec(const char *p, struct spec *spec, va_list *args)
{
    *spec = (struct spec){ .precision = -1 };
    p = parse_count(parse_flags(p, spec), &spec->width, args);
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    if (*p == '.')
        p = parse_count(p + 1, &spec->precision, args);
    for (;; p++) {
        if (*p == 'l')
            spec->length = spec->length == LONG ? LONG_LONG : LONG;
        else if (*p == 'z' || *p == 't')
            spec->length = SIZE;
        else if (*p == 'j')
            spec->length = LONG_LONG;
        else if (*p != 'h')                     /* short and char arrive as int */
            break;
    }
    spec->kind = *p;
    return *p != '\0' ? p + 1 : p;
}

static void put_conversion(struct sink *sink, struct spec *spec, va_list *args)
{
    char c;

    switch (spec->kind) {
    case 'd': case 'i':
        put_signed(sink, spec, next_signed(spec, args));
        break;
    case 'u': case 'o': case 'x': case 'X':
        put_unsigned(sink, spec, next_unsigned(spec, args));
        break;
    case 'p':
        put_number(sink, spec, "0x", (uintptr_t)va_arg(*args, void *), 16);
        break;
    case 'c':
        c = (char)va_arg(*args, int);
        spec->zero = false;
        put_padded(sink, spec, "", 0, &c, 1, 0);
        break;
    case 's':
        put_string(sink, spec, va_arg(*args, const char *));
        break;
    case 'f': case 'F': case 'e': case 'E': case 'g': case 'G':
        put_float(sink, spec, va_arg(*args, double));
        break;
    case '%':
        put_bytes(sink, "%", 1);
        break;
    default:                                    /* unknown: shown as it stands */
        put_bytes(sink, "%", 1);
        put_bytes(sink, &spec->kind, spec->kind != '\0');
    }
}

void format_text(struct sink *sink, const char *format, va_list args)
{
    struct spec spec;
    va_list rest;

    va_copy(rest, args);
    while (*format != '\0') {
        size_t plain = strcspn(format, "%");
        put_bytes(sink, format, plain);
        format += plain;
        if (*format == '%') {
            format = parse_spec(format + 1, &spec, &rest);
            put_conversion(sink, &spec, &rest);
        }
    }
    va_end(rest);
}

static void write_out(struct sink *sink)
{
    if (write_all(*(int *)sink->to, sink->buffer, sink->used) < 0)
        sink->failed = 1;
    sink->used = 0;
}

int vdprintf(int fd, const char *format, va_list args)
{
    char line[LINE_SIZE];
    struct sink sink = { .buffer = line, .size = sizeof line, .drain = write_out, .to = &fd };

    format_text(&sink, format, args);
    write_out(&sink);
    return sink.failed ? -1 : (int)sink.total;
}

int vsnprintf(char *to, size_t size, const char *format, va_list args)
{
    struct sink sink = { .buffer = to, .size = size > 0 ? size - 1 : 0 };

    format_text(&sink, format, args);
    if (size > 0)
        to[sink.used] = '\0';
    return (int)sink.total;
}

int vsprintf(char *to, const char *format, va_list args)
{
    return vsnprintf(to, INT32_MAX, format, args);
}

int dprintf(int fd, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = vdprintf(fd, format, args);
    va_end(args);
    return result;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = vsnprintf(to, size, format, args);
    va_end(args);
    return result;
}

int sprintf(char *to, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = vsprintf(to, format, args);
    va_end(args);
    return result;
}
