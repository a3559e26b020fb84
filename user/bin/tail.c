/* tail [-n lines] [file...] -- the last lines (10) of files or stdin. "tail -5" is "tail -n 5". */
#include <ctype.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tool.h"

static bool title_before;

static void print_line(const char *line)
{
    fputs(line, stdout);
    check_stdout();
}

/* The last lines seen are kept in a ring, which grows up to the number wanted. */
static void tail(FILE *file, uint64_t wanted)
{
    struct strings ring = { 0 };
    size_t oldest = 0, size = 0;
    char *line = NULL;

    while (getline(&line, &size, file) > 0) {
        if (ring.count < wanted) {
            strings_add(&ring, line);
        } else if (wanted > 0) {
            free(ring.item[oldest]);
            ring.item[oldest] = line;
            oldest = (oldest + 1) % (size_t)wanted;
        } else {
            free(line);
        }
        line = NULL;
    }
    for (size_t i = 0; i < ring.count; i++)
        print_line(ring.item[(oldest + i) % ring.count]);
    strings_free(&ring);
    free(line);
}

/* With `title`, the name stands above the lines. */
static int tail_path(const char *path, uint64_t lines, bool title)
{
    int fd = open_input(path), failed = 1;
    FILE *file = fd > 0 ? fdopen(fd, "r") : fd == 0 ? stdin : NULL;

    if (file != NULL) {
        if (title)
            printf("%s==> %s <==\n", title_before ? "\n" : "", path);
        title_before = true;
        tail(file, lines);
        failed = ferror(file);
    }
    if (failed)
        warn("%s", path);
    if (file != NULL && file != stdin)
        fclose(file);
    return failed;
}

int main(int argc, char **argv)
{
    int64_t lines = 10;
    int option, failed = 0;

    if (argc > 1 && argv[1][0] == '-' && isdigit(argv[1][1])) {
        lines = number_argument(argv[1] + 1);
        optind = 2;
    }
    while ((option = getopt(argc, argv, "n:")) != -1) {
        if (option != 'n')
            usage("[-n lines] [file...]");
        lines = number_argument(optarg);
    }
    if (optind == argc)
        return tail_path("-", (uint64_t)lines, false);
    for (int i = optind; i < argc; i++)
        failed |= tail_path(argv[i], (uint64_t)lines, argc - optind > 1);
    return failed;
}
