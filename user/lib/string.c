/*
 * string.c -- functions on NUL-terminated strings. Bytes as such are in memory.c.
 */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t strnlen(const char *s, size_t limit)
{
    size_t length = 0;
    while (length < limit && s[length] != '\0')
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (; limit > 0; limit--, a++, b++)
        if (*a != *b || *a == '\0')
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

int strncasecmp(const char *a, const char *b, size_t limit)
{
    for (; limit > 0; limit--, a++, b++) {
        int difference = tolower((unsigned char)*a) - tolower((unsigned char)*b);
        if (difference != 0 || *a == '\0')
            return difference;
    }
    return 0;
}

int strcasecmp(const char *a, const char *b)
{
    return strncasecmp(a, b, (size_t)-1);
}

char *strcpy(char *restrict to, const char *restrict from)
{
    return memcpy(to, from, strlen(from) + 1);
}

char *strncpy(char *restrict to, const char *restrict from, size_t limit)
{
    size_t length = strnlen(from, limit);

    memcpy(to, from, length);
    memset(to + length, 0, limit - length);
    return to;
}

size_t strlcpy(char *restrict to, const char *restrict from, size_t size)
{
    size_t length = strlen(from);

    if (size > 0) {
        size_t copied = length < size ? length : size - 1;
        memcpy(to, from, copied);
        to[copied] = '\0';
    }
    return length;
}

size_t strlcat(char *restrict to, const char *restrict from, size_t size)
{
    size_t used = strnlen(to, size);
    return used + strlcpy(to + used, from, size - used);
}

char *strcat(char *restrict to, const char *restrict from)
{
    strcpy(to + strlen(to), from);
    return to;
}

char *strncat(char *restrict to, const char *restrict from, size_t limit)
{
    char *end = to + strlen(to);
    size_t length = strnlen(from, limit);

    memcpy(end, from, length);
    end[length] = '\0';
    return to;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (*s == '\0')
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    const char *last = NULL;

    for (;; s++) {
        if (*s == (char)c)
            last = s;
        if (*s == '\0')
            return (char *)last;
    }
}

char *strstr(const char *s, const char *part)
{
    size_t length = strlen(part);

    for (;; s++) {
        if (strncmp(s, part, length) == 0)
            return (char *)s;
        if (*s == '\0')
            return NULL;
    }
}

size_t strspn(const char *s, const char *accept)
{
    size_t length = 0;
    while (s[length] != '\0' && strchr(accept, s[length]) != NULL)
        length++;
    return length;
}

size_t strcspn(const char *s, const char *reject)
{
    size_t length = 0;
    while (s[length] != '\0' && strchr(reject, s[length]) == NULL)
        length++;
    return length;
}

char *strpbrk(const char *s, const char *accept)
{
    s += strcspn(s, accept);
    return *s != '\0' ? (char *)s : NULL;
}

char *strtok_r(char *restrict s, const char *restrict separators, char **restrict rest)
{
    if (s == NULL)
        s = *rest;
    s += strspn(s, separators);
    if (*s == '\0') {
        *rest = s;
        return NULL;
    }
    char *end = s + strcspn(s, separators);
    *rest = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return s;
}

char *strtok(char *restrict s, const char *restrict separators)
{
    static char *rest = "";
    return strtok_r(s, separators, &rest);
}

char *strndup(const char *s, size_t limit)
{
    size_t length = strnlen(s, limit);
    char *copy = malloc(length + 1);

    if (copy != NULL) {
        memcpy(copy, s, length);
        copy[length] = '\0';
    }
    return copy;
}

char *strdup(const char *s)
{
    return strndup(s, (size_t)-1);
}
