/*
 * exit.c -- how a program begins and ends: main() is called, and what was left to do at the end is done.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include "library.h"

#define AT_EXIT_MAX 32

const char *program_name = "?";

static void (*at_exit[AT_EXIT_MAX])(void);
static int at_exit_count;
static void (*flush_hook)(void);

int main(int argc, char **argv);

/* Called by crt0.S. */
_Noreturn void start_program(int argc, char **argv)
{
    if (argc > 0 && argv[0] != NULL) {
        const char *slash = strrchr(argv[0], '/');
        program_name = slash ? slash + 1 : argv[0];
    }
    exit(main(argc, argv));
}

/* Only programs that have buffered files set this, so only those contain stdio. */
void call_at_end(void (*flush)(void))
{
    flush_hook = flush;
}

int atexit(void (*function)(void))
{
    if (at_exit_count == AT_EXIT_MAX)
        return -1;
    at_exit[at_exit_count++] = function;
    return 0;
}

_Noreturn void _exit(int status)
{
    for (;;)
        call_exit(status);
}

_Noreturn void _Exit(int status)
{
    _exit(status);
}

_Noreturn void exit(int status)
{
    while (at_exit_count > 0)
        at_exit[--at_exit_count]();
    if (flush_hook)
        flush_hook();
    _exit(status);
}

_Noreturn void abort(void)
{
    _exit(-1);
}
