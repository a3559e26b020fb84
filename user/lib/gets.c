/*
 * gets.c -- xv6's gets: one line from descriptor 0, byte by byte, so that nothing beyond it is consumed.
 */
#include <sys/syscall.h>
#include "user/user.h"

char *gets(char *to, int size)
{
    int length = 0;

    while (length + 1 < size) {
        char c;
        if (call_read(0, &c, 1) < 1)
            break;
        to[length++] = c;
        if (c == '\n' || c == '\r')
            break;
    }
    if (size > 0)
        to[length] = '\0';
    return to;
}
