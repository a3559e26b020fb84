/*
 * fsck.c -- the command: proves an image file consistent, or names what is wrong.
 *
 *   fsck [-q] [-r] IMAGE      -q: silent when clean      -r: also replay the log and free unlinked inodes on disk
 *   exit status               0 clean, 1 inconsistent, 2 cannot check
 *
 * The image is mapped, never read into memory. Without -r the mapping is read-only.
 * Not here: any knowledge of the format (check.h is the library).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mkfs/check.h"

struct command {
    bool        quiet, repair;
    const char *path;
};

/* An image file in memory. */
struct mapping {
    void  *image;
    size_t nbytes;
};

static void cannot_check(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void cannot_check(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fputs("fsck: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(FSCK_CANNOT_CHECK);
}

/* The host could not read a page of the mapping. */
static void read_failed(int signal_number)
{
    static const char message[] = "fsck: cannot check: the image cannot be read (I/O error, or it became shorter)\n";
    (void)signal_number;
    ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
    (void)ignored;
    _exit(FSCK_CANNOT_CHECK);
}

static struct command read_command(int argc, char **argv)
{
    struct command command = { 0 };
    int option;
    while ((option = getopt(argc, argv, "qr")) != -1)
        switch (option) {
        case 'q': command.quiet = true; break;
        case 'r': command.repair = true; break;
        default:  cannot_check("usage: fsck [-q] [-r] IMAGE");
        }
    if (optind + 1 != argc)
        cannot_check("usage: fsck [-q] [-r] IMAGE");
    command.path = argv[optind];
    return command;
}

static struct mapping map_image(const struct command *command)
{
    struct stat status;
    struct mapping mapping = { 0 };
    int fd = open(command->path, (command->repair ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        cannot_check("%s: cannot check: %s", command->path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        cannot_check("%s: cannot check: not an ordinary file", command->path);
    if (status.st_size == 0)
        cannot_check("%s: cannot check: the file is empty", command->path);
    mapping.nbytes = (size_t)status.st_size;
    mapping.image = mmap(NULL, mapping.nbytes, PROT_READ | (command->repair ? PROT_WRITE : 0),
                         command->repair ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    if (mapping.image == MAP_FAILED)
        cannot_check("%s: cannot check: %s", command->path, strerror(errno));
    close(fd);
    return mapping;
}

static void print_line(void *context, enum fsck_kind kind, const char *line)
{
    const struct command *command = context;
    if (kind == FSCK_PROBLEM)
        printf("fsck: %s\n", line);
    else if (kind == FSCK_NOTE && !command->quiet)
        printf("%s\n", line);
    else if (kind == FSCK_FATAL)
        cannot_check("%s: cannot check: %s", command->path, line);
}

static void print_verdict(const struct command *command, const struct fsck_result *result)
{
    if (result->problems > FSCK_PROBLEMS_REPORTED)
        printf("fsck: and %" PRIu64 " more\n", result->problems - FSCK_PROBLEMS_REPORTED);
    if (result->problems != 0)
        printf("fsck: %s: %" PRIu64 " problems\n", command->path, result->problems);
    else if (!command->quiet)
        printf("fsck: %s: clean (%u files, %u directories, %u of %u blocks used)\n", command->path, result->files,
               result->directories, result->used_blocks, result->total_blocks);
}

/* Make the changes, and let the verdict be that of the image as it is then. */
static void repair_image(const struct command *command, const struct mapping *mapping, struct fsck_result *result)
{
    struct fsck_result before;
    if (fsck_repair(mapping->image, mapping->nbytes, &before) == 0)
        return;
    if (msync(mapping->image, mapping->nbytes, MS_SYNC) < 0)
        cannot_check("%s: writing the repaired image: %s", command->path, strerror(errno));
    fsck_check(mapping->image, mapping->nbytes, NULL, NULL, result);
}

int main(int argc, char **argv)
{
    struct command command = read_command(argc, argv);
    struct mapping mapping = map_image(&command);
    struct fsck_result result;

    signal(SIGBUS, read_failed);
    fsck_check(mapping.image, mapping.nbytes, print_line, &command, &result);
    if (command.repair)
        repair_image(&command, &mapping, &result);
    print_verdict(&command, &result);
    return (int)result.verdict;
}
