/*
 * errno.c -- the last error, and its text. Texts come from abi/errno.def.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

int errno;

#define ERRNO(number, name, text) [number] = text,
static const char *const messages[ERRNO_LIMIT] = {
    [0] = "Success",
#include "abi/errno.def"
};
#undef ERRNO

char *strerror(int error)
{
    static char unknown[32];

    if (error >= 0 && error < ERRNO_LIMIT && messages[error] != NULL)
        return (char *)messages[error];
    snprintf(unknown, sizeof unknown, "Unknown error %d", error);
    return unknown;
}

void perror(const char *what)
{
    const char *why = strerror(errno);

    if (what != NULL && *what != '\0')
        dprintf(2, "%s: %s\n", what, why);
    else
        dprintf(2, "%s\n", why);
}
