/* echo [-n] [word...] -- print the words, with a newline unless -n. */
#include <stdio.h>
#include <string.h>
#include "tool.h"

int main(int argc, char **argv)
{
    int first = argc > 1 && strcmp(argv[1], "-n") == 0 ? 2 : 1;
    struct string line = { 0 };

    for (int i = first; i < argc; i++) {
        if (i > first)
            string_add_char(&line, ' ');
        string_add(&line, argv[i], strlen(argv[i]));
    }
    if (first == 1)
        string_add_char(&line, '\n');
    if (line.length > 0 && fwrite(line.bytes, 1, line.length, stdout) == 0)
        output_failed();
    return 0;
}
