/* readlink path... -- where symbolic links point. */
#include <err.h>
#include <stdio.h>
#include <unistd.h>
#include "abi/fsformat.h"

int main(int argc, char **argv)
{
    char target[FS_SYMLINK_MAX + 1];
    int failed = 0;

    if (argc < 2)
        usage("path...");
    for (int i = 1; i < argc; i++) {
        int length = readlink(argv[i], target, sizeof target);
        if (length < 0) {
            warn("%s", argv[i]);
            failed = 1;
        } else {
            printf("%.*s\n", length, target);
        }
    }
    return failed;
}
