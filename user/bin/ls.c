/* ls [-1ailRd] [path...] -- list files and what directories hold, one name a line, sorted. */
#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>
#include "abi/fsformat.h"
#include "tool.h"

#define ARGUMENTS "[-1ailRd] [path...]"

static bool show_all, show_inode, show_long, recursive, only_name;
static bool something_shown, failed;

static void complain(const char *path)
{
    warn("cannot access '%s'", path);
    failed = true;
}

static char type_letter(int type)
{
    switch (type) {
    case T_DIR:     return 'd';
    case T_DEVICE:  return 'c';
    case T_SYMLINK: return 'l';
    case T_PIPE:    return 'p';
    default:        return '-';
    }
}

/* "d  2     4096 2026-11-20 10:02 " */
static void long_columns(char *to, size_t size, const struct stat *st)
{
    char bytes[24], when[32];
    struct tm tm;

    if (st->type == T_DEVICE)
        snprintf(bytes, sizeof bytes, "%d, %d", st->major, st->minor);
    else
        snprintf(bytes, sizeof bytes, "%" PRIu64, st->size);
    strftime(when, sizeof when, "%F %H:%M", gmtime_r(&st->mtime, &tm));
    snprintf(to, size, "%c %3d %10s %s ", type_letter(st->type), st->nlink, bytes, when);
}

static void show_entry(const char *path, const char *name, const struct stat *st)
{
    char inode[16] = "", columns[96] = "", target[FS_SYMLINK_MAX + 1] = "";

    if (show_inode)
        snprintf(inode, sizeof inode, "%6" PRIu32 " ", st->ino);
    if (show_long)
        long_columns(columns, sizeof columns, st);
    if (show_long && st->type == T_SYMLINK) {
        int length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
    }
    printf("%s%s%s%s%s\n", inode, columns, name, *target != '\0' ? " -> " : "", target);
    check_stdout();
    something_shown = true;
}

static void list_directory(const char *path, bool with_title)
{
    struct strings names = { 0 };

    if (read_directory(path, &names) < 0) {
        complain(path);
        strings_free(&names);
        return;
    }
    if (with_title)
        printf("%s%s:\n", something_shown ? "\n" : "", path);
    something_shown = true;
    for (size_t i = 0; i < names.count; i++) {
        struct stat st = { 0 };
        char *name = names.item[i], *inner = join_path(path, name);
        if (name[0] == '.' && !show_all)
            name[0] = '\0';                     /* not to be listed, nor entered below */
        else if ((show_long || show_inode) && lstat(inner, &st) < 0)
            complain(inner);
        else
            show_entry(inner, name, &st);
        free(inner);
    }
    for (size_t i = 0; recursive && i < names.count; i++) {
        struct stat st;
        const char *name = names.item[i];
        char *inner = join_path(path, name);
        if (*name != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0
            && lstat(inner, &st) == 0 && st.type == T_DIR)
            list_directory(inner, true);
        free(inner);
    }
    strings_free(&names);
}

/* A link given by name is followed, unless it is the link itself that -l or -d is to show. */
static int look_up(const char *path, struct stat *st)
{
    if (!show_long && !only_name && stat(path, st) == 0)
        return 0;
    return lstat(path, st);
}

static void list(char **paths, int count)
{
    struct stat st;

    for (int i = 0; i < count; i++) {           /* files first, then directories */
        if (look_up(paths[i], &st) < 0) {
            complain(paths[i]);
            paths[i] = NULL;
        } else if (st.type != T_DIR || only_name) {
            show_entry(paths[i], paths[i], &st);
            paths[i] = NULL;
        }
    }
    for (int i = 0; i < count; i++)
        if (paths[i] != NULL)
            list_directory(paths[i], count > 1 || recursive);
}

int main(int argc, char **argv)
{
    char *here[] = { "." };
    int option;

    while ((option = getopt(argc, argv, "1ailRd")) != -1)
        switch (option) {
        case '1': break;
        case 'a': show_all = true; break;
        case 'i': show_inode = true; break;
        case 'l': show_long = true; break;
        case 'R': recursive = true; break;
        case 'd': only_name = true; break;
        default:  usage(ARGUMENTS);
        }
    if (!isatty(1))
        setvbuf(stdout, NULL, _IOFBF, 0);
    if (optind == argc)
        list(here, 1);
    else
        list(argv + optind, argc - optind);
    return failed;
}
