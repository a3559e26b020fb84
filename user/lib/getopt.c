/*
 * getopt.c -- option letters: -a -b value, -abvalue, and "--" as their end.
 */
#include <err.h>
#include <string.h>
#include <unistd.h>

char *optarg;
int   optind = 1;

static const char *rest = "";           /* letters of the current argument not yet seen */

int getopt(int argc, char *const argv[], const char *letters)
{
    if (*rest == '\0') {
        if (optind >= argc || argv[optind][0] != '-' || argv[optind][1] == '\0')
            return -1;
        rest = argv[optind++] + 1;
        if (strcmp(rest, "-") == 0) {
            rest = "";
            return -1;
        }
    }

    int letter = *rest++;
    const char *known = letter == ':' ? NULL : strchr(letters, letter);
    if (known == NULL) {
        warnx("invalid option -- '%c'", letter);
        return '?';
    }
    if (known[1] != ':')
        return letter;

    if (*rest == '\0' && optind == argc) {
        warnx("option requires an argument -- '%c'", letter);
        return '?';
    }
    optarg = *rest != '\0' ? (char *)rest : argv[optind++];
    rest = "";
    return letter;
}
