/* stat path... -- everything the file system knows about a file; links are not followed. */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>
#include "tool.h"

static const char *type_name(int type)
{
    static const char *const names[] = { [T_DIR] = "directory", [T_FILE] = "regular file", [T_DEVICE] = "device",
                                         [T_SYMLINK] = "symbolic link", [T_PIPE] = "pipe" };
    return type >= T_DIR && type <= T_PIPE ? names[type] : "unknown";
}

static void show(const char *path, const struct stat *st)
{
    char when[32];
    struct tm tm;

    strftime(when, sizeof when, "%F %T", gmtime_r(&st->mtime, &tm));
    printf("  File: %s\n  Size: %-12" PRIu64 " Blocks: %-8" PRIu32 " %s\n", path, st->size, st->blocks,
           type_name(st->type));
    if (st->type == T_DEVICE)
        printf("Device: %d, %d\n", st->major, st->minor);
    printf(" Inode: %-12" PRIu32 " Links: %d\nModify: %s UTC\n", st->ino, st->nlink, when);
    check_stdout();
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (getopt(argc, argv, "") != -1 || optind == argc)
        usage("path...");
    for (int i = optind; i < argc; i++) {
        struct stat st;
        if (lstat(argv[i], &st) < 0) {
            warn("cannot stat '%s'", argv[i]);
            failed = 1;
        } else {
            show(argv[i], &st);
        }
    }
    return failed;
}
