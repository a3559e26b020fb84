/* uptime -- time of day, time since boot, tasks, and how many CPUs serve them. */
#include <err.h>
#include <stdio.h>
#include <time.h>
#include "user/user.h"

int main(int argc, char **argv)
{
    struct kcounters counters;
    struct tm tm;
    char now[16];
    int tenths = uptime();
    time_t seconds = time(NULL);

    (void)argv;
    if (argc > 1)
        usage("");
    if (tenths < 0 || kcounters(&counters) < 0)
        err(1, "kcounters");
    strftime(now, sizeof now, "%T", gmtime_r(&seconds, &tm));
    printf("%s up %d:%02d:%02d.%d, %lu tasks, %lu cpus\n", now, tenths / 36000, tenths / 600 % 60, tenths / 10 % 60,
           tenths % 10, (unsigned long)counters.tasks_live, (unsigned long)counters.cpus);
    return 0;
}
