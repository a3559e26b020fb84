/* hexdump [-C] [file...] -- bytes in hexadecimal and as text (always the -C form); equal lines shown as "*". */
#include <ctype.h>
#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tool.h"

#define ROW 16

static unsigned char previous[ROW];
static bool have_previous, in_repeat;
static uint64_t offset;

static void show_row(const unsigned char *row, int count)
{
    char text[16 + ROW * 4 + 16];
    int length = snprintf(text, sizeof text, "%08" PRIx64 " ", offset);

    for (int i = 0; i < ROW; i++) {
        if (i % 8 == 0)
            text[length++] = ' ';
        length += snprintf(text + length, sizeof text - (size_t)length, i < count ? "%02x " : "   ",
                           i < count ? row[i] : 0);
    }
    text[length++] = ' ';
    text[length++] = '|';
    for (int i = 0; i < count; i++)
        text[length++] = isprint(row[i]) ? (char)row[i] : '.';
    text[length++] = '|';
    text[length] = '\0';
    puts(text);
}

static void add_row(const unsigned char *row, int count)
{
    if (count == ROW && have_previous && memcmp(row, previous, ROW) == 0) {
        if (!in_repeat)
            puts("*");
        in_repeat = true;
    } else {
        show_row(row, count);
        in_repeat = false;
    }
    memcpy(previous, row, (size_t)count);
    have_previous = count == ROW;
    offset += (uint64_t)count;
    check_stdout();
}

/* Files follow each other without a gap, so a row may begin in one and end in the next. */
static int dump(FILE *file, unsigned char *row, int *count)
{
    int c;

    while ((c = fgetc(file)) != EOF) {
        row[(*count)++] = (unsigned char)c;
        if (*count == ROW) {
            add_row(row, ROW);
            *count = 0;
        }
    }
    return ferror(file);
}

int main(int argc, char **argv)
{
    unsigned char row[ROW];
    int option, count = 0, failed = 0;

    while ((option = getopt(argc, argv, "C")) != -1)
        if (option != 'C')
            usage("[-C] [file...]");
    setvbuf(stdout, NULL, _IOFBF, 0);
    for (int i = optind; i < argc || i == optind; i++) {
        const char *path = i < argc ? argv[i] : "-";
        FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
        if (file == NULL || dump(file, row, &count)) {
            warn("%s", path);
            failed = 1;
        }
        if (file != NULL && file != stdin)
            fclose(file);
    }
    if (count > 0)
        add_row(row, count);
    if (offset > 0)
        printf("%08" PRIx64 "\n", offset);
    return failed;
}
