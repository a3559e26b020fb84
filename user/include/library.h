/* library.h -- what the files of user/lib tell each other; not for programs. */
#ifndef TAMAL_LIBRARY_H
#define TAMAL_LIBRARY_H

#include <stdarg.h>
#include <stddef.h>

/* exit.c: call flush() when the program exits. */
void call_at_end(void (*flush)(void));

/* unistd.c: write all of it; 0, or -1 with errno. */
int write_all(int fd, const void *from, size_t nbytes);

/* printf.c: where formatted text goes. When `buffer` is full, drain() empties it; without one the rest is lost. */
struct sink {
    char  *buffer;
    size_t size, used;
    void (*drain)(struct sink *sink);           /* passes buffer[0..used) on, sets used = 0, or sets failed */
    void  *to;                                  /* drain's own */
    size_t total;                               /* bytes produced, lost ones counted */
    int    failed;
};
void format_text(struct sink *sink, const char *format, va_list args);

/* float.c: the digits of |value| for %e %f %g, into `digits`.
 * Returns their count; value = 0.DIGITS * 10^*point. Zero has no digits and point 1. */
#define FLOAT_DIGITS_MAX 800
int float_digits(double value, char digits[FLOAT_DIGITS_MAX], int *point);

#endif
