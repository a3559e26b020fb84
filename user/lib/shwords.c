/*
 * shwords.c -- what sh does to a word before it is used: quotes, '\', '$', splitting, file name patterns.
 *
 * A field is built as a pattern (tool.h): characters that were quoted get a '\' if they would mean something.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "shell.h"

struct builder {
    lookup_t       *lookup;
    struct strings *fields;                     /* NULL: everything stays one text, without patterns */
    struct string   field;
    bool            started;                    /* there is a field, be it empty */
};

static void add_quoted(struct builder *b, char c)
{
    if (b->fields != NULL && strchr("*?[\\", c) != NULL)
        string_add_char(&b->field, '\\');
    string_add_char(&b->field, c);
    b->started = true;
}

static void add_plain(struct builder *b, char c)
{
    string_add_char(&b->field, c);
    b->started = true;
}

/* The field is complete: as it is, or the paths it matches, if any. */
static void end_field(struct builder *b)
{
    if (b->fields == NULL || !b->started)
        return;
    char *text = string_take(&b->field);
    b->started = false;
    size_t before = b->fields->count;
    if (!pattern_is_plain(text))
        expand_pattern(text, b->fields);
    if (b->fields->count > before) {
        free(text);
    } else {
        pattern_unescape(text);
        strings_add(b->fields, text);
    }
}

static void add_value(struct builder *b, const char *value, bool quoted)
{
    if (value == NULL)
        return;
    for (; *value != '\0'; value++) {
        if (quoted || b->fields == NULL || *value == '\\')
            add_quoted(b, *value);
        else if (isspace(*value))
            end_field(b);
        else
            add_plain(b, *value);
    }
}

/* All parameters; in quotes each is a field of its own. */
static void add_parameters(struct builder *b, bool quoted)
{
    const char *count = b->lookup("#");
    char *text = must_strdup(count ? count : "0");
    int last = atoi(text);

    free(text);
    for (int i = 1; i <= last; i++) {
        char name[12], *to = name + sizeof name;
        *--to = '\0';
        for (int n = i; n > 0; n /= 10)
            *--to = (char)('0' + n % 10);
        if (i > 1 && b->fields == NULL)
            add_plain(b, ' ');
        else if (i > 1)
            end_field(b);
        b->started |= quoted;
        add_value(b, b->lookup(to), quoted);
    }
}

static bool is_name(char c, bool first)
{
    return isalpha(c) || c == '_' || (!first && isdigit(c));
}

static size_t name_length(const char *s)
{
    size_t length = 0;

    if (*s != '\0' && strchr("?$#@*!0123456789", *s) != NULL)
        return 1;
    while (is_name(s[length], length == 0))
        length++;
    return length;
}

/* `s` is behind a '$'; returns what follows the name. */
static const char *add_variable(struct builder *b, const char *s, bool quoted)
{
    bool braces = *s == '{';
    size_t length = name_length(s + braces);

    if (braces && isdigit(s[1]))
        while (isdigit(s[1 + length]))
            length++;
    if (length == 0 || (braces && s[1 + length] != '}')) {
        add_quoted(b, '$');
        return s;
    }
    struct string name = { 0 };
    string_add(&name, s + braces, length);
    if (strcmp(name.bytes, "@") == 0 || (strcmp(name.bytes, "*") == 0 && !quoted))
        add_parameters(b, quoted);
    else if (strcmp(name.bytes, "*") == 0) {
        char *all = expand_text("$@", b->lookup);
        add_value(b, all, true);
        free(all);
    } else {
        add_value(b, b->lookup(name.bytes), quoted);
    }
    free(name.bytes);
    return s + length + 2 * braces;
}

static const char *add_double_quoted(struct builder *b, const char *s)
{
    if (strncmp(s, "$@\"", 3) != 0)             /* "$@" without parameters is no field at all */
        b->started = true;
    while (*s != '"' && *s != '\0') {
        if (*s == '\\' && s[1] == '\n') {
            s += 2;
        } else if (*s == '\\' && s[1] != '\0' && strchr("\\\"$`", s[1]) != NULL) {
            add_quoted(b, s[1]);
            s += 2;
        } else if (*s == '$') {
            s = add_variable(b, s + 1, true);
        } else {
            add_quoted(b, *s++);
        }
    }
    return *s == '"' ? s + 1 : s;
}

static const char *add_single_quoted(struct builder *b, const char *s)
{
    b->started = true;
    while (*s != '\'' && *s != '\0')
        add_quoted(b, *s++);
    return *s == '\'' ? s + 1 : s;
}

static void add_word(struct builder *b, const char *s)
{
    while (*s != '\0') {
        if (*s == '\'') {
            s = add_single_quoted(b, s + 1);
        } else if (*s == '"') {
            s = add_double_quoted(b, s + 1);
        } else if (*s == '$') {
            s = add_variable(b, s + 1, false);
        } else if (*s == '\\' && s[1] == '\n') {
            s += 2;
        } else if (*s == '\\' && s[1] != '\0') {
            add_quoted(b, s[1]);
            s += 2;
        } else {
            add_plain(b, *s++);
        }
    }
}

void expand_word(const char *word, lookup_t *lookup, struct strings *fields)
{
    struct builder b = { .lookup = lookup, .fields = fields };

    add_word(&b, word);
    end_field(&b);
    free(b.field.bytes);
}

char *expand_text(const char *word, lookup_t *lookup)
{
    struct builder b = { .lookup = lookup };

    add_word(&b, word);
    return string_take(&b.field);
}

size_t assignment_name(const char *word)
{
    size_t length = 0;

    while (is_name(word[length], length == 0))
        length++;
    return word[length] == '=' ? length : 0;
}
