/* cat [file...] -- copy files, or stdin, to stdout. "-" is stdin. */
#include <err.h>
#include <unistd.h>
#include "tool.h"

static int cat(const char *path)
{
    int fd = open_input(path);
    int result = fd < 0 ? -1 : copy_data(fd, 1);

    if (result == -2)
        output_failed();
    if (result == -1)
        warn("%s", path);
    if (fd > 0)
        close(fd);
    return result != 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (getopt(argc, argv, "") != -1)
        usage("[file...]");
    if (optind == argc)
        return cat("-");
    for (int i = optind; i < argc; i++)
        failed |= cat(argv[i]);
    return failed;
}
