/* pagesign.h -- pages as characters: for vmmap and the demos of memory. Not a standard header. */
#ifndef TAMAL_PAGESIGN_H
#define TAMAL_PAGESIGN_H

#include "user/user.h"

#define PAGE_BYTES 4096ul
#define MAP_WIDTH  64                           /* pages in a line of a map */

/* page_sign -- one character for a byte of PAGE_IS_*. vmmap prints what they mean. */
static inline char page_sign(unsigned state)
{
    int resident = (state & PAGE_IS_RESIDENT) != 0, shared = (state & PAGE_IS_SHARED) != 0;

    if (!(state & PAGE_IS_GRANTED))
        return '-';
    if (state & PAGE_IS_MARKED)
        return resident ? 'x' : ',';
    if (!resident)
        return '.';
    if (state & PAGE_IS_WRITABLE)
        return 'W';
    if (state & PAGE_IS_COW)
        return shared ? 'C' : 'c';
    return shared ? 'S' : 'R';
}

/* map_text -- signs of at most MAP_WIDTH pages, a '|' before each block of malloco; the next call reuses the buffer. */
static inline const char *map_text(const uint8_t *states, size_t npages)
{
    static char text[2 * MAP_WIDTH + 1];
    size_t length = 0;

    for (size_t i = 0; i < npages; i++) {
        if (states[i] & PAGE_IS_FIRST)
            text[length++] = '|';
        text[length++] = page_sign(states[i]);
    }
    text[length] = '\0';
    return text;
}

#endif
