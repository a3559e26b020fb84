/* mkdir [-p] directory... -- make directories; -p: parents too, and no complaint about one that is there. */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include "tool.h"

static int make(const char *path, bool existing_is_fine)
{
    if (mkdir(path) == 0)
        return 0;
    if (existing_is_fine && errno == EEXIST && is_directory(path))
        return 0;
    warn("cannot create directory '%s'", path);
    return 1;
}

static int make_with_parents(char *path)
{
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p != '/' || p[1] == '/' || p[1] == '\0')
            continue;
        *p = '\0';
        int failed = make(path, true);
        *p = '/';
        if (failed)
            return 1;
    }
    return make(path, true);
}

int main(int argc, char **argv)
{
    bool parents = false;
    int option, failed = 0;

    while ((option = getopt(argc, argv, "p")) != -1) {
        if (option != 'p')
            usage("[-p] directory...");
        parents = true;
    }
    if (optind == argc)
        usage("[-p] directory...");
    for (int i = optind; i < argc; i++)
        failed |= parents && *argv[i] != '\0' ? make_with_parents(argv[i]) : make(argv[i], false);
    return failed;
}
