/* touch file... -- make files that are not there; set the time of those that are to now. */
#include <err.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include "user/user.h"

static int touch(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0)
        return utime(path, time(NULL));
    int fd = open(path, O_WRONLY | O_CREATE);
    return fd < 0 ? -1 : close(fd);
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (getopt(argc, argv, "") != -1 || optind == argc)
        usage("file...");
    for (int i = optind; i < argc; i++)
        if (touch(argv[i]) < 0) {
            warn("cannot touch '%s'", argv[i]);
            failed = 1;
        }
    return failed;
}
