/*
 * pattern.c -- file name patterns as the shell knows them. A leading '.' is matched only by a '.'.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "tool.h"

/* After the '[': does the set hold `c`? Sets *end behind the ']', or to NULL when there is none. */
static bool in_set(const char *set, unsigned char c, const char **end)
{
    bool negated = *set == '!' || *set == '^', found = false;
    const char *p = set + negated;

    do {
        if (*p == '\\' && p[1] != '\0')
            p++;
        if (*p == '\0') {
            *end = NULL;
            return false;
        }
        unsigned char low = (unsigned char)*p, high = low;
        if (p[1] == '-' && p[2] != '\0' && p[2] != ']') {
            high = (unsigned char)p[2];
            p += 2;
        }
        found |= low <= c && c <= high;
        p++;
    } while (*p != ']');
    *end = p + 1;
    return found != negated;
}

/* One character of the name against the start of the pattern; *rest is the pattern after it. */
static bool matches_one(const char *pattern, char c, const char **rest)
{
    if (c == '\0' || *pattern == '\0')
        return false;
    *rest = pattern + 1;
    if (*pattern == '?')
        return true;
    if (*pattern == '[') {
        const char *end;
        bool found = in_set(pattern + 1, (unsigned char)c, &end);
        if (end != NULL) {
            *rest = end;
            return found;
        }
    }
    if (*pattern == '\\' && pattern[1] != '\0')
        *rest = ++pattern + 1;
    return *pattern == c;
}

/* On a mismatch only the last '*' takes one more character: never exponential. */
int pattern_matches(const char *pattern, const char *name)
{
    const char *after_star = NULL, *retry = NULL, *rest;

    if (*name == '.' && *pattern != '.')
        return 0;
    for (;;) {
        if (*pattern == '*') {
            after_star = ++pattern;
            retry = name;
        } else if (*pattern == '\0' && *name == '\0') {
            return 1;
        } else if (matches_one(pattern, *name, &rest)) {
            pattern = rest;
            name++;
        } else if (after_star != NULL && *retry != '\0') {
            name = ++retry;
            pattern = after_star;
        } else {
            return 0;
        }
    }
}

int pattern_is_plain(const char *pattern)
{
    for (; *pattern != '\0'; pattern++) {
        if (strchr("*?[", *pattern) != NULL)
            return 0;
        if (*pattern == '\\' && pattern[1] != '\0')
            pattern++;
    }
    return 1;
}

void pattern_unescape(char *pattern)
{
    char *to = pattern;

    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '\\' && pattern[1] != '\0')
            pattern++;
        *to++ = *pattern;
    }
    *to = '\0';
}

/* `done` is the path so far, "" or ending in '/'; `pattern` what remains. */
static void expand_from(const char *done, const char *pattern, struct strings *paths)
{
    size_t slashes = strspn(pattern, "/");
    size_t length = strcspn(pattern + slashes, "/");
    struct string base = { 0 };
    struct strings names = { 0 };
    struct stat st;

    string_add(&base, done, strlen(done));
    string_add(&base, pattern, slashes);
    char *part = must_malloc(length + 1);
    memcpy(part, pattern + slashes, length);
    part[length] = '\0';
    const char *rest = pattern + slashes + length;

    if (pattern_is_plain(part)) {
        pattern_unescape(part);
        strings_add(&names, must_strdup(part));
    } else {
        read_directory(base.length > 0 ? base.bytes : ".", &names);
    }
    for (size_t i = 0; i < names.count; i++) {
        struct string path = { 0 };
        const char *name = names.item[i];
        if (!pattern_is_plain(part) && !pattern_matches(part, name))
            continue;
        string_add(&path, base.bytes, base.length);
        string_add(&path, name, strlen(name));
        if (*rest == '\0') {
            if (lstat(path.bytes, &st) == 0)
                strings_add(paths, must_strdup(path.bytes));
        } else {
            expand_from(path.bytes, rest, paths);
        }
        free(path.bytes);
    }
    free(part);
    free(base.bytes);
    strings_free(&names);
}

void expand_pattern(const char *pattern, struct strings *paths)
{
    size_t first = paths->count;

    expand_from("", pattern, paths);
    strings_sort(paths, first);
}
