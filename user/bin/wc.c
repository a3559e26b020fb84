/* wc [-lwc] [file...] -- count lines, words and bytes. */
#include <ctype.h>
#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tool.h"

struct counts {
    uint64_t lines, words, bytes;
};

static bool show_lines, show_words, show_bytes;

static int count(int fd, struct counts *counts)
{
    static char buffer[16 * 1024];
    bool in_word = false;
    long got;

    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        counts->bytes += (uint64_t)got;
        for (char *p = buffer; p < buffer + got; p++) {
            counts->lines += *p == '\n';
            counts->words += !in_word && !isspace(*p);
            in_word = !isspace(*p);
        }
    }
    return got < 0 ? -1 : 0;
}

static void show(const struct counts *counts, const char *name)
{
    struct string line = { 0 };
    const uint64_t values[] = { counts->lines, counts->words, counts->bytes };
    const bool wanted[] = { show_lines, show_words, show_bytes };
    char text[24];

    for (int i = 0; i < 3; i++)
        if (wanted[i]) {
            snprintf(text, sizeof text, line.length > 0 ? " %" PRIu64 : "%" PRIu64, values[i]);
            string_add(&line, text, strlen(text));
        }
    printf("%s%s%s\n", line.bytes, *name != '\0' ? " " : "", name);
    check_stdout();
}

int main(int argc, char **argv)
{
    struct counts total = { 0 };
    int option, failed = 0;

    while ((option = getopt(argc, argv, "lwc")) != -1)
        switch (option) {
        case 'l': show_lines = true; break;
        case 'w': show_words = true; break;
        case 'c': show_bytes = true; break;
        default:  usage("[-lwc] [file...]");
        }
    if (!show_lines && !show_words && !show_bytes)
        show_lines = show_words = show_bytes = true;

    for (int i = optind; i < argc || i == optind; i++) {
        struct counts counts = { 0 };
        const char *path = i < argc ? argv[i] : "-";
        int fd = open_input(path);
        if (fd < 0 || count(fd, &counts) < 0) {
            warn("%s", path);
            failed = 1;
        } else {
            show(&counts, i < argc ? path : "");
        }
        if (fd > 0)
            close(fd);
        total.lines += counts.lines;
        total.words += counts.words;
        total.bytes += counts.bytes;
    }
    if (argc - optind > 1)
        show(&total, "total");
    return failed;
}
