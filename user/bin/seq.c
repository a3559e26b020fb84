/* seq [first [increment]] last -- whole numbers, one a line. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include "tool.h"

static long long parse(const char *text)
{
    char *end;
    long long number = strtoll(text, &end, 10);

    if (end == text || *end != '\0')
        errx(2, "invalid number: %s", text);
    return number;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4)
        usage("[first [increment]] last");
    long long first = argc > 2 ? parse(argv[1]) : 1;
    long long step = argc > 3 ? parse(argv[2]) : 1;
    long long last = parse(argv[argc - 1]);
    if (step == 0)
        errx(2, "increment must not be 0");

    setvbuf(stdout, NULL, _IOFBF, 0);
    for (long long n = first; step > 0 ? n <= last : n >= last; ) {
        printf("%lld\n", n);
        check_stdout();
        if (__builtin_add_overflow(n, step, &n))
            break;
    }
    return 0;
}
