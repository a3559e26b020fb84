/*
 * test expression -- status 0 when it is true, 1 when false, 2 when it is not an expression. The shell runs it as
 * [ expression ], too.
 *
 *   -e -f -d -L -s path   is there, is a file, a directory, a symbolic link, is not empty
 *   -n -z string          is not empty, is empty          s1 = s2   s1 != s2
 *   n1 -eq n2             also -ne -lt -le -gt -ge        ! e   e -a e   e -o e   ( e )
 */
#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char **next, **end;

static bool accept(const char *word)
{
    if (next == end || strcmp(*next, word) != 0)
        return false;
    next++;
    return true;
}

static const char *operand(void)
{
    if (next == end)
        errx(2, "argument expected");
    return *next++;
}

static bool test_path(char kind, const char *path)
{
    struct stat st;

    if ((kind == 'L' ? lstat(path, &st) : stat(path, &st)) < 0)
        return false;
    switch (kind) {
    case 'f': return st.type == T_FILE;
    case 'd': return st.type == T_DIR;
    case 'L': return st.type == T_SYMLINK;
    case 's': return st.size > 0;
    default:  return true;
    }
}

static long long number(const char *text)
{
    char *rest;
    long long value = strtoll(text, &rest, 10);

    if (rest == text || *rest != '\0')
        errx(2, "%s: integer expected", text);
    return value;
}

static bool is_comparison(const char *word)
{
    static const char *const words[] = { "=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

static bool compare(const char *left, const char *how, const char *right)
{
    if (how[0] == '=')
        return strcmp(left, right) == 0;
    if (how[0] == '!')
        return strcmp(left, right) != 0;
    long long a = number(left), b = number(right);
    switch (how[1] << 8 | how[2]) {
    case 'e' << 8 | 'q': return a == b;
    case 'n' << 8 | 'e': return a != b;
    case 'l' << 8 | 't': return a < b;
    case 'l' << 8 | 'e': return a <= b;
    case 'g' << 8 | 't': return a > b;
    default:             return a >= b;
    }
}

static bool either(void);

static bool primary(void)
{
    if (end - next >= 3 && is_comparison(next[1])) {
        next += 3;
        return compare(next[-3], next[-2], next[-1]);
    }
    if (end - next > 1 && accept("!"))
        return !primary();
    if (end - next > 1 && accept("(")) {
        bool value = either();
        if (!accept(")"))
            errx(2, "')' expected");
        return value;
    }
    const char *word = operand();
    if (next < end && word[0] == '-' && word[1] != '\0' && word[2] == '\0') {
        if (word[1] == 'n' || word[1] == 'z')
            return (*operand() == '\0') == (word[1] == 'z');
        if (strchr("efdLsrwx", word[1]) != NULL)
            return test_path(word[1], operand());
    }
    return *word != '\0';
}

static bool both(void)
{
    bool value = primary();
    while (accept("-a"))
        value &= primary();
    return value;
}

static bool either(void)
{
    bool value = both();
    while (accept("-o"))
        value |= both();
    return value;
}

int main(int argc, char **argv)
{
    next = argv + 1;
    end = argv + argc;
    if (strcmp(argv[0], "[") == 0 && strcmp(*--end, "]") != 0)
        errx(2, "']' expected");
    if (next == end)
        return 1;
    bool value = either();
    if (next != end)
        errx(2, "unexpected '%s'", *next);
    return !value;
}
