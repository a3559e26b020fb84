/* kill pid... -- end tasks; their status becomes -1. A leading "-9" and the like is accepted and means the same. */
#include <ctype.h>
#include <err.h>
#include <stdlib.h>
#include "user/user.h"

int main(int argc, char **argv)
{
    int first = argc > 2 && argv[1][0] == '-' && isdigit(argv[1][1]) ? 2 : 1;
    int failed = 0;

    if (first >= argc)
        usage("pid...");
    for (int i = first; i < argc; i++) {
        char *end;
        long long pid = strtoll(argv[i], &end, 10);
        if (end == argv[i] || *end != '\0' || pid <= 0 || pid != (int)pid) {
            warnx("%s: not a process id", argv[i]);
            failed = 1;
        } else if (kill((int)pid) < 0) {
            warn("%s", argv[i]);
            failed = 1;
        }
    }
    return failed;
}
