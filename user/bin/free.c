/* free -- memory, in KiB. "cached" is what the block cache would give back, "available" that and what is free. */
#include <err.h>
#include <stdio.h>
#include "user/user.h"

#define KIB_PER_FRAME 4

int main(int argc, char **argv)
{
    struct kcounters c;

    (void)argv;
    if (argc > 1)
        usage("");
    if (kcounters(&c) < 0)
        err(1, "kcounters");
    uint64_t used = c.frames_total - c.frames_free - c.frames_cached;
    printf("%10s %10s %10s %10s %10s %10s\n", "total", "used", "free", "cached", "available", "promised");
    printf("%10lu %10lu %10lu %10lu %10lu %10lu\n",
           (unsigned long)(c.frames_total * KIB_PER_FRAME), (unsigned long)(used * KIB_PER_FRAME),
           (unsigned long)(c.frames_free * KIB_PER_FRAME), (unsigned long)(c.frames_cached * KIB_PER_FRAME),
           (unsigned long)((c.frames_free + c.frames_cached) * KIB_PER_FRAME),
           (unsigned long)(c.pages_committed * KIB_PER_FRAME));
    return 0;
}
