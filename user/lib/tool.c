/*
 * tool.c -- chores of the programs in user/bin: directories, copying, checking output and numbers.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include "abi/fsformat.h"
#include "library.h"
#include "tool.h"

#define RECORDS 64                              /* directory entries read at once */

int read_directory(const char *path, struct strings *names)
{
    struct dirent entries[RECORDS];
    struct stat st;
    size_t first = names->count;
    long got;

    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || st.type != T_DIR) {
        close(fd);
        errno = ENOTDIR;
        return -1;
    }
    while ((got = read(fd, entries, sizeof entries)) > 0)
        for (size_t i = 0; i < (size_t)got / sizeof *entries; i++)
            if (entries[i].inum != 0) {
                entries[i].name[FS_NAME_MAX] = '\0';
                strings_add(names, must_strdup(entries[i].name));
            }
    close(fd);
    strings_sort(names, first);
    return got < 0 ? -1 : 0;
}

char *join_path(const char *directory, const char *name)
{
    struct string path = { 0 };

    string_add(&path, directory, strlen(directory));
    if (path.length > 0 && path.bytes[path.length - 1] != '/')
        string_add_char(&path, '/');
    string_add(&path, name, strlen(name));
    return string_take(&path);
}

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.type == T_DIR;
}

int open_input(const char *path)
{
    struct stat st;

    if (strcmp(path, "-") == 0)
        return 0;
    int fd = open(path, O_RDONLY);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.type == T_DIR) {
        close(fd);
        errno = EISDIR;
        return -1;
    }
    return fd;
}

int copy_data(int from, int to)
{
    static char buffer[16 * 1024];
    long got;

    while ((got = read(from, buffer, sizeof buffer)) > 0)
        if (write_all(to, buffer, (size_t)got) < 0)
            return -2;
    return got < 0 ? -1 : 0;
}

_Noreturn void output_failed(void)
{
    if (errno != EPIPE)
        warn("write error");
    _exit(1);
}

void check_stdout(void)
{
    if (ferror(stdout))
        output_failed();
}

int64_t number_argument(const char *text)
{
    char *end;

    errno = 0;
    int64_t number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || number < 0 || errno != 0)
        errx(2, "invalid number: %s", text);
    return number;
}
