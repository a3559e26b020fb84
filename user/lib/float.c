/*
 * float.c -- binary floating point to decimal digits and back.
 *
 * A double is mantissa * 2^exponent. Multiplied out, or for a negative exponent rewritten as
 * mantissa * 5^-exponent / 10^-exponent, it is an exact decimal number of at most 767 digits, computed here with
 * integers only, so the digits do not depend on how a machine rounds.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include "library.h"

#define LIMB      1000000000u                   /* one "digit" of the big number: nine decimal ones */
#define LIMBS_MAX 90

struct big {
    uint32_t limb[LIMBS_MAX];                   /* least significant first */
    int      count;
};

/* `by` is less than LIMB, so that the carry is too. */
static void multiply(struct big *n, uint32_t by)
{
    uint32_t carry = 0;

    for (int i = 0; i < n->count; i++) {
        uint64_t product = (uint64_t)n->limb[i] * by + carry;
        n->limb[i] = (uint32_t)(product % LIMB);
        carry = (uint32_t)(product / LIMB);
    }
    if (carry != 0)
        n->limb[n->count++] = carry;
}

static void multiply_power(struct big *n, uint32_t base, int power, int step)
{
    for (; power > 0; power -= step) {
        uint32_t factor = 1;
        for (int i = 0; i < step && i < power; i++)
            factor *= base;
        multiply(n, factor);
    }
}

/* All digits, most significant first; returns how many. Leading zeros are skipped. */
static int spell(const struct big *n, char *digits)
{
    int count = 0;

    for (int i = n->count - 1; i >= 0; i--)
        for (uint32_t place = LIMB / 10; place > 0; place /= 10) {
            char digit = (char)('0' + n->limb[i] / place % 10);
            if (count > 0 || digit != '0')
                digits[count++] = digit;
        }
    return count;
}

int float_digits(double value, char digits[FLOAT_DIGITS_MAX], int *point)
{
    union { double value; uint64_t bits; } parts = { value };
    uint64_t mantissa = parts.bits & ((1ull << 52) - 1);
    int exponent = (int)(parts.bits >> 52 & 0x7ff);
    struct big n = { .count = 0 };
    int fraction = 0;                           /* how many of the digits stand after the point */

    if (exponent > 0)
        mantissa |= 1ull << 52;
    else
        exponent = 1;
    exponent -= 1023 + 52;

    for (; mantissa > 0; mantissa /= LIMB)
        n.limb[n.count++] = (uint32_t)(mantissa % LIMB);
    if (exponent >= 0) {
        multiply_power(&n, 2, exponent, 29);
    } else {
        multiply_power(&n, 5, -exponent, 12);
        fraction = -exponent;
    }
    int count = spell(&n, digits);
    *point = count > 0 ? count - fraction : 1;
    while (count > 0 && digits[count - 1] == '0')
        count--;
    return count;
}

/* Exact up to 19 digits and small exponents, the last bit may be off beyond. */
double strtod(const char *restrict s, char **restrict end)
{
    const char *p = s;
    double value = 0;
    int scale = 0, exponent = 0;
    int digits = 0;

    while (isspace((unsigned char)*p))
        p++;
    int negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    for (; isdigit((unsigned char)*p); p++, digits++)
        value = value * 10 + (*p - '0');
    if (*p == '.')
        for (p++; isdigit((unsigned char)*p); p++, digits++, scale--)
            value = value * 10 + (*p - '0');
    if (digits == 0) {
        if (end)
            *end = (char *)s;
        return 0;
    }
    if (*p == 'e' || *p == 'E') {
        char *after;
        exponent = (int)strtol(p + 1, &after, 10);
        if (after != p + 1 && !isspace((unsigned char)p[1]))
            p = after;
        else
            exponent = 0;
    }
    if (end)
        *end = (char *)p;
    exponent = exponent > 400 ? 400 : exponent < -800 ? -800 : exponent;

    double factor = 10;
    unsigned power = (unsigned)abs(scale + exponent);
    double tens = 1;
    for (; power > 0; power /= 2, factor *= factor)
        if (power % 2)
            tens *= factor;
    value = scale + exponent < 0 ? value / tens : value * tens;
    return negative ? -value : value;
}

double atof(const char *s)
{
    return strtod(s, NULL);
}
