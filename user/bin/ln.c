/* ln [-sf] target... path -- another name for a file; -s: a symbolic link; -f: replaces a file that is in the way. */
#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include "tool.h"

static bool symbolic, force;

static int make_link(const char *target, const char *path)
{
    char *inside = is_directory(path) ? join_path(path, base_name(target)) : NULL;
    const char *name = inside ? inside : path;

    if (force && !is_directory(name))
        unlink(name);
    int result = symbolic ? symlink(target, name) : link(target, name);
    if (result < 0)
        warn("cannot link '%s' to '%s'", name, target);
    free(inside);
    return result < 0;
}

int main(int argc, char **argv)
{
    int option, failed = 0;

    while ((option = getopt(argc, argv, "sf")) != -1)
        switch (option) {
        case 's': symbolic = true; break;
        case 'f': force = true; break;
        default:  usage("[-sf] target... path");
        }
    if (argc - optind < 2)
        usage("[-sf] target... path");
    const char *path = argv[argc - 1];
    if (argc - optind > 2 && !is_directory(path))
        errx(1, "%s: Not a directory", path);
    for (int i = optind; i < argc - 1; i++)
        failed |= make_link(argv[i], path);
    return failed;
}
