/*
 * rand.c -- pseudo-random numbers: xorshift, the same sequence for the same seed on every machine.
 */
#include <stdint.h>
#include <stdlib.h>

static uint32_t state = 2463534242u;

void srand(unsigned seed)
{
    state = seed * 2654435761u ^ 2463534242u;
    if (state == 0)                             /* the one state xorshift cannot leave */
        state = 1;
}

int rand(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (int)(state & RAND_MAX);
}
