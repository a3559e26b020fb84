/* options.c -- words of the kernel's command line: name=value, name="a value with spaces", or just a name. */
#include "arch/arch.h"
#include "lib/string.h"
#include "task/task.h"

static size_t value_length(const char *s)
{
    size_t n = 0;
    char end = ' ';
    if (*s == '"' || *s == '\'')
        end = *s++;
    while (s[n] != '\0' && s[n] != end)
        n++;
    return n;
}

/* skip_word -- behind one word, whose value may be quoted. */
static const char *skip_word(const char *s)
{
    while (*s != '\0' && *s != ' ' && *s != '=')
        s++;
    if (*s == '=') {
        s++;
        bool quoted = *s == '"' || *s == '\'';
        s += value_length(s) + (quoted ? 1 : 0);
        if (quoted && *s != '\0')
            s++;
    }
    while (*s == ' ')
        s++;
    return s;
}

bool option(const char *name, char *buf, size_t size)
{
    size_t n = strlen(name);
    for (const char *s = machine.command_line; *s != '\0'; s = skip_word(s)) {
        if (strncmp(s, name, n) != 0 || (s[n] != '=' && s[n] != ' ' && s[n] != '\0'))
            continue;
        size_t length = 0;
        if (s[n] == '=') {
            s += n + 1;
            length = MIN(value_length(s), size - 1);
            memcpy(buf, *s == '"' || *s == '\'' ? s + 1 : s, length);
        }
        buf[length] = '\0';
        return true;
    }
    return false;
}

uint64_t option_number(const char *name, uint64_t otherwise)
{
    char buf[24];
    uint64_t value;
    return option(name, buf, sizeof(buf)) && parse_number(buf, &value) ? value : otherwise;
}
