/*
 * assert.c -- the message of a failed assert().
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void assertion_failed(const char *file, int line, const char *condition)
{
    dprintf(2, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
