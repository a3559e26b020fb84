/* rm [-rf] path... -- remove; -r: directories with all they hold; -f: no word about what is not there. */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include "tool.h"

static bool recursive, force;

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* "/" by whatever path: nobody means that. */
static bool is_root(const char *path)
{
    struct stat st, root;
    return lstat(path, &st) == 0 && stat("/", &root) == 0 && st.ino == root.ino;
}

static int complain(const char *path)
{
    warn("cannot remove '%s'", path);
    return 1;
}

static int remove_path(const char *path);

static int remove_contents(const char *path)
{
    struct strings names = { 0 };
    int failed = 0;

    if (read_directory(path, &names) < 0)
        failed = complain(path);
    for (size_t i = 0; i < names.count; i++)
        if (!is_dot(names.item[i])) {
            char *inner = join_path(path, names.item[i]);
            failed |= remove_path(inner);
            free(inner);
        }
    strings_free(&names);
    return failed;
}

static int remove_path(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return force && (errno == ENOENT || errno == ENOTDIR) ? 0 : complain(path);
    if (st.type == T_DIR && !recursive) {
        errno = EISDIR;
        return complain(path);
    }
    if (st.type == T_DIR && remove_contents(path) != 0)
        return 1;
    return unlink(path) < 0 ? complain(path) : 0;
}

int main(int argc, char **argv)
{
    int option, failed = 0;

    while ((option = getopt(argc, argv, "rRf")) != -1)
        switch (option) {
        case 'r': case 'R': recursive = true; break;
        case 'f': force = true; break;
        default:  usage("[-rf] path...");
        }
    if (optind == argc && !force)
        usage("[-rf] path...");
    for (int i = optind; i < argc; i++)
        if (is_dot(base_name(argv[i])) || is_root(argv[i])) {
            warnx("refusing to remove '%s'", argv[i]);
            failed = 1;
        } else {
            failed |= remove_path(argv[i]);
        }
    return failed;
}
