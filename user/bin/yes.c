/* yes [word...] -- print the words, or "y", until nobody reads them. */
#include <string.h>
#include "library.h"
#include "tool.h"

int main(int argc, char **argv)
{
    struct string line = { 0 }, lines = { 0 };

    for (int i = 1; i < argc; i++) {
        string_add(&line, argv[i], strlen(argv[i]));
        string_add_char(&line, i + 1 < argc ? ' ' : '\n');
    }
    if (argc == 1)
        string_add(&line, "y\n", 2);
    do
        string_add(&lines, line.bytes, line.length);
    while (lines.length < 4096);
    while (write_all(1, lines.bytes, lines.length) == 0)
        ;
    output_failed();
}
