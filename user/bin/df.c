/* df [path...] -- space on the file system, in KiB, and inodes. */
#include <err.h>
#include <stdio.h>
#include "user/user.h"

static int show(const char *path)
{
    struct statfs fs;

    if (statfs(path, &fs) < 0) {
        warn("%s", path);
        return 1;
    }
    unsigned long unit = fs.block_size / 1024;
    unsigned long used = fs.blocks_data - fs.blocks_free;
    unsigned percent = fs.blocks_data ? (unsigned)((used * 100 + fs.blocks_data - 1) / fs.blocks_data) : 0;
    printf("%10lu %10lu %10lu %4u%% %8u %8u  %s\n", fs.blocks_data * unit, used * unit, fs.blocks_free * unit,
           percent, (unsigned)(fs.inodes_total - fs.inodes_free), (unsigned)fs.inodes_free, path);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc > 1 && argv[1][0] == '-')
        usage("[path...]");
    printf("%10s %10s %10s %5s %8s %8s  %s\n", "KiB", "used", "free", "use", "inodes", "ifree", "path");
    if (argc == 1)
        return show("/");
    for (int i = 1; i < argc; i++)
        failed |= show(argv[i]);
    return failed;
}
