/* date -- the time of day, UTC. */
#include <err.h>
#include <stdio.h>
#include <time.h>

int main(int argc, char **argv)
{
    char text[64];
    time_t now = time(NULL);

    (void)argv;
    if (argc > 1)
        usage("");
    strftime(text, sizeof text, "%a %b %e %H:%M:%S UTC %Y", gmtime(&now));
    puts(text);
    return 0;
}
