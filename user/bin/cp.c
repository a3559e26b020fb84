/* cp [-r] source... target -- copy files, or into the directory `target`; -r: directories with all they hold. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include "abi/fsformat.h"
#include "tool.h"

static bool recursive;
static unsigned made_first;                     /* inode of the first directory made: not to be copied into itself */

static int complain(const char *path)
{
    warn("%s", path);
    return 1;
}

static int copy_file(const char *from, const char *to, const struct stat *source)
{
    struct stat there;

    if (stat(to, &there) == 0 && there.ino == source->ino && there.dev == source->dev) {
        warnx("'%s' and '%s' are the same file", from, to);
        return 1;
    }
    int in = open(from, O_RDONLY);
    if (in < 0)
        return complain(from);
    int out = open(to, O_WRONLY | O_CREATE | O_TRUNC);
    if (out < 0) {
        complain(to);
        close(in);
        return 1;
    }
    int result = copy_data(in, out);
    if (result != 0)
        complain(result == -1 ? from : to);
    close(in);
    return (close(out) < 0 ? complain(to) : 0) | (result != 0);
}

static int copy_link(const char *from, const char *to)
{
    char target[FS_SYMLINK_MAX + 1];
    int length = readlink(from, target, sizeof target - 1);

    if (length < 0)
        return complain(from);
    target[length] = '\0';
    return symlink(target, to) < 0 ? complain(to) : 0;
}

static int copy(const char *from, const char *to, bool top);

static int copy_directory(const char *from, const char *to)
{
    struct strings names = { 0 };
    struct stat st;
    int failed = 0;

    if (mkdir(to) < 0 && !(errno == EEXIST && is_directory(to)))
        return complain(to);
    if (made_first == 0 && stat(to, &st) == 0)
        made_first = st.ino;
    if (read_directory(from, &names) < 0)
        failed = complain(from);
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.item[i], ".") == 0 || strcmp(names.item[i], "..") == 0)
            continue;
        char *inner_from = join_path(from, names.item[i]);
        char *inner_to = join_path(to, names.item[i]);
        failed |= copy(inner_from, inner_to, false);
        free(inner_from);
        free(inner_to);
    }
    strings_free(&names);
    return failed;
}

/* Links named on the command line are followed, links inside a tree are copied as links. */
static int copy(const char *from, const char *to, bool top)
{
    struct stat st;

    if ((top && !recursive ? stat(from, &st) : lstat(from, &st)) < 0)
        return complain(from);
    if (st.type == T_SYMLINK)
        return copy_link(from, to);
    if (st.type == T_DEVICE && recursive) {
        warnx("%s: device not copied", from);
        return 1;
    }
    if (st.type != T_DIR)
        return copy_file(from, to, &st);
    if (!recursive) {
        warnx("-r not specified; omitting directory '%s'", from);
        return 1;
    }
    if (st.ino == made_first)
        return 0;
    return copy_directory(from, to);
}

int main(int argc, char **argv)
{
    int option, failed = 0;

    while ((option = getopt(argc, argv, "rR")) != -1) {
        if (option == '?')
            usage("[-r] source... target");
        recursive = true;
    }
    if (argc - optind < 2)
        usage("[-r] source... target");
    const char *target = argv[argc - 1];
    bool into = is_directory(target);
    if (argc - optind > 2 && !into)
        errx(1, "%s: Not a directory", target);
    for (int i = optind; i < argc - 1; i++) {
        char *path = into ? join_path(target, base_name(argv[i])) : must_strdup(target);
        failed |= copy(argv[i], path, true);
        free(path);
    }
    return failed;
}
