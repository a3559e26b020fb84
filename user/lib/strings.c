/*
 * strings.c -- growing strings and lists of strings, for programs that end when memory does.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include "tool.h"

void *must_realloc(void *block, size_t nbytes)
{
    void *bigger = realloc(block, nbytes);

    if (bigger == NULL)
        err(1, "%zu bytes", nbytes);
    return bigger;
}

void *must_malloc(size_t nbytes)
{
    return must_realloc(NULL, nbytes);
}

char *must_strdup(const char *s)
{
    size_t nbytes = strlen(s) + 1;
    return memcpy(must_malloc(nbytes), s, nbytes);
}

void string_add(struct string *s, const char *bytes, size_t nbytes)
{
    if (s->length + nbytes + 1 > s->size) {
        s->size = (s->length + nbytes + 1) * 2;
        s->bytes = must_realloc(s->bytes, s->size);
    }
    memcpy(s->bytes + s->length, bytes, nbytes);
    s->length += nbytes;
    s->bytes[s->length] = '\0';
}

void string_add_char(struct string *s, char c)
{
    string_add(s, &c, 1);
}

char *string_take(struct string *s)
{
    char *text = s->bytes ? s->bytes : must_strdup("");

    *s = (struct string){ 0 };
    return text;
}

void strings_add(struct strings *list, char *owned)
{
    if (list->count + 2 > list->size) {
        list->size = (list->count + 2) * 2;
        list->item = must_realloc(list->item, list->size * sizeof *list->item);
    }
    list->item[list->count++] = owned;
    list->item[list->count] = NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *list, size_t first)
{
    if (first < list->count)
        qsort(list->item + first, list->count - first, sizeof *list->item, compare);
}

void strings_free(struct strings *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->item[i]);
    free(list->item);
    *list = (struct strings){ 0 };
}
