/* head [-n lines] [file...] -- the first lines (10) of files or stdin. "head -5" is "head -n 5". */
#include <ctype.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tool.h"

static bool title_before;

static void head(FILE *file, int64_t lines)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    for (; lines > 0 && (length = getline(&line, &size, file)) > 0; lines--) {
        fwrite(line, 1, (size_t)length, stdout);
        check_stdout();
    }
    free(line);
}

/* With `title`, the name stands above the lines. */
static int head_path(const char *path, int64_t lines, bool title)
{
    int fd = open_input(path), failed = 1;
    FILE *file = fd > 0 ? fdopen(fd, "r") : fd == 0 ? stdin : NULL;

    if (file != NULL) {
        if (title)
            printf("%s==> %s <==\n", title_before ? "\n" : "", path);
        title_before = true;
        head(file, lines);
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
        return head_path("-", lines, false);
    for (int i = optind; i < argc; i++)
        failed |= head_path(argv[i], lines, argc - optind > 1);
    return failed;
}
