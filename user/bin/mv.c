/* mv source... target -- rename files or directories, or move them into the directory `target`. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tool.h"

static int move(const char *from, const char *to)
{
    char *inside = is_directory(to) ? join_path(to, base_name(from)) : NULL;
    const char *name = inside ? inside : to;
    int result = rename(from, name);

    if (result < 0)
        warn("cannot move '%s' to '%s'", from, name);
    free(inside);
    return result < 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (getopt(argc, argv, "") != -1 || argc - optind < 2)
        usage("source... target");
    const char *target = argv[argc - 1];
    if (argc - optind > 2 && !is_directory(target))
        errx(1, "%s: Not a directory", target);
    for (int i = optind; i < argc - 1; i++)
        failed |= move(argv[i], target);
    return failed;
}
