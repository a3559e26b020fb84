/*
 * grep [-cilnqrv] pattern [file...] -- print the lines that match.
 *
 * Patterns: ^ and $ for the ends of the line, . for any character, [abc] [a-z] [^abc] for one of a set, * for any
 * number of the item before it, \ to take the next character as it is. Status 0: found, 1: not found, 2: trouble.
 */
#include <ctype.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tool.h"

#define ARGUMENTS "[-cilnqrv] pattern [file...]"

static bool count_only, ignore_case, names_only, number_lines, quiet, recursive, invert;
static bool show_names, trouble;

static int fold(char c)
{
    return ignore_case ? tolower((unsigned char)c) : (unsigned char)c;
}

/* Length of the item a pattern begins with: a character, \c or [set]. */
static size_t item_length(const char *pattern)
{
    if (*pattern == '\\' && pattern[1] != '\0')
        return 2;
    if (*pattern != '[')
        return 1;
    size_t i = pattern[1] == '^' ? 2 : 1;
    if (pattern[i] == ']')
        i++;
    while (pattern[i] != '\0' && pattern[i] != ']')
        i++;
    return pattern[i] == ']' ? i + 1 : 1;       /* no end: an ordinary '[' */
}

static bool in_set(const char *set, size_t length, char c)
{
    const char *p = set + 1, *end = set + length - 1;
    bool negated = *p == '^', found = false;

    for (p += negated; p < end; p++) {
        if (p + 2 < end && p[1] == '-') {
            found |= fold(p[0]) <= fold(c) && fold(c) <= fold(p[2]);
            p += 2;
        } else {
            found |= fold(*p) == fold(c);
        }
    }
    return found != negated;
}

static bool item_matches(const char *item, size_t length, char c)
{
    if (c == '\0')
        return false;
    if (*item == '.' )
        return true;
    if (*item == '[' && length > 1)
        return in_set(item, length, c);
    return fold(item[length - 1]) == fold(c);
}

static bool match_here(const char *pattern, const char *text)
{
    for (;;) {
        if (*pattern == '\0')
            return true;
        if (pattern[0] == '$' && pattern[1] == '\0')
            return *text == '\0';
        size_t length = item_length(pattern);
        if (pattern[length] == '*') {
            const char *end = text;
            while (item_matches(pattern, length, *end))
                end++;
            for (; end > text; end--)
                if (match_here(pattern + length + 1, end))
                    return true;
            pattern += length + 1;              /* none of them: go on here */
        } else if (item_matches(pattern, length, *text)) {
            pattern += length;
            text++;
        } else {
            return false;
        }
    }
}

static bool line_matches(const char *pattern, const char *text)
{
    if (*pattern == '^')
        return match_here(pattern + 1, text);
    do {
        if (match_here(pattern, text))
            return true;
    } while (*text++ != '\0');
    return false;
}

static void show_line(const char *name, long number, const char *line)
{
    char prefix[24] = "";

    if (number_lines)
        snprintf(prefix, sizeof prefix, "%ld:", number);
    printf("%s%s%s%s\n", show_names ? name : "", show_names ? ":" : "", prefix, line);
    check_stdout();
}

/* Returns how many lines were selected; stops at the first when that is all one wants to know. */
static long search_file(const char *pattern, FILE *file, const char *name)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    long selected = 0, number = 0;

    while ((length = getline(&line, &size, file)) > 0) {
        number++;
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        if (line_matches(pattern, line) == invert)
            continue;
        selected++;
        if (quiet || names_only)
            break;
        if (!count_only)
            show_line(name, number, line);
    }
    free(line);
    if (quiet)
        return selected;
    if (names_only && selected > 0)
        puts(name);
    else if (count_only)
        printf("%s%s%ld\n", show_names ? name : "", show_names ? ":" : "", selected);
    return selected;
}

static long search_path(const char *pattern, const char *path);

static long search_directory(const char *pattern, const char *path)
{
    struct strings names = { 0 };
    long selected = 0;

    if (read_directory(path, &names) < 0) {
        warn("%s", path);
        trouble = true;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.item[i], ".") == 0 || strcmp(names.item[i], "..") == 0)
            continue;
        char *inner = join_path(path, names.item[i]);
        selected += search_path(pattern, inner);
        free(inner);
    }
    strings_free(&names);
    return selected;
}

static long search_path(const char *pattern, const char *path)
{
    if (strcmp(path, "-") == 0)
        return search_file(pattern, stdin, "(standard input)");
    if (is_directory(path)) {
        if (recursive)
            return search_directory(pattern, path);
        warnx("%s: Is a directory", path);
        trouble = true;
        return 0;
    }
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        warn("%s", path);
        trouble = true;
        return 0;
    }
    long selected = search_file(pattern, file, path);
    if (ferror(file)) {
        warn("%s", path);
        trouble = true;
    }
    fclose(file);
    return selected;
}

int main(int argc, char **argv)
{
    long selected = 0;
    int option;

    while ((option = getopt(argc, argv, "cilnqrv")) != -1)
        switch (option) {
        case 'c': count_only = true; break;
        case 'i': ignore_case = true; break;
        case 'l': names_only = true; break;
        case 'n': number_lines = true; break;
        case 'q': quiet = true; break;
        case 'r': recursive = true; break;
        case 'v': invert = true; break;
        default:  usage(ARGUMENTS);
        }
    if (optind == argc)
        usage(ARGUMENTS);
    const char *pattern = argv[optind++];
    show_names = recursive || argc - optind > 1;
    if (!isatty(1))
        setvbuf(stdout, NULL, _IOFBF, 0);
    if (optind == argc)
        selected = search_path(pattern, recursive ? "." : "-");
    for (int i = optind; i < argc; i++)
        selected += search_path(pattern, argv[i]);
    return selected > 0 && quiet ? 0 : trouble ? 2 : selected == 0;
}
