/*
 * err.c -- one-line complaints on stderr, each a single write: "program: what: why".
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void complain(const char *format, va_list args, int error)
{
    char what[512];
    int saved = errno;

    vsnprintf(what, sizeof what, format, args);
    if (error)
        dprintf(2, "%s: %s: %s\n", program_name, what, strerror(error));
    else
        dprintf(2, "%s: %s\n", program_name, what);
    errno = saved;
}

void warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args, errno);
    va_end(args);
}

void warnx(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args, 0);
    va_end(args);
}

_Noreturn void err(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args, errno);
    va_end(args);
    exit(status);
}

_Noreturn void errx(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args, 0);
    va_end(args);
    exit(status);
}

_Noreturn void usage(const char *arguments)
{
    dprintf(2, "usage: %s %s\n", program_name, arguments);
    exit(2);
}
