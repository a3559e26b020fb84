/*
 * init -- the first program. It opens the console, keeps a shell running, and buries orphans.
 *
 * The kernel starts it as {"init"}, or {"init", COMMANDS} when the boot line says run="COMMANDS"; then these are
 * run by `sh -c` before the first interactive shell. init never ends: the kernel would have nobody to give orphans to.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include "abi/fsformat.h"
#include "user/user.h"

#define CONSOLE "/dev/console"
#define SHELL   "/bin/sh"

static void open_console(void)
{
    int fd = open(CONSOLE, O_RDWR);

    if (fd < 0) {
        mkdir("/dev");
        mknod(CONSOLE, DEV_CONSOLE, 0);
        fd = open(CONSOLE, O_RDWR);
    }
    if (fd < 0)
        exit(1);                                /* nowhere to say so: the kernel reports init's end */
    while (fd >= 0 && fd < 2)
        fd = dup(fd);
}

/* A shell in a group of its own. Ctrl-C may end commands of the boot line, but no interactive shell. */
static int start_shell(char **argv, bool lend_terminal)
{
    int pid = fork();

    if (pid < 0) {
        warn("cannot start a shell");
        return -1;
    }
    if (pid == 0) {
        setpgid(0, 0);
        tcsetpgrp(0, lend_terminal ? getpid() : 0);
        exec(SHELL, argv);
        warn("cannot run " SHELL);
        exit(127);
    }
    return pid;
}

/* Wait for that child; every other one that ends is an orphan given to us. */
static void reap_until(int pid)
{
    int status, ended;

    do {
        ended = wait(&status);
    } while (ended != pid && !(ended < 0 && errno == ECHILD));
}

static void run_shell(char **argv, bool lend_terminal)
{
    int pid = start_shell(argv, lend_terminal);

    if (pid > 0)
        reap_until(pid);
    ttymode(0, TTY_COOKED);                     /* a killed shell may have left it raw */
}

int main(int argc, char **argv)
{
    char *commands[] = { "sh", "-c", argc > 1 ? argv[1] : "", 0 };
    char *interactive[] = { "sh", 0 };

    open_console();
    if (argc > 1)
        run_shell(commands, true);
    for (;;) {
        int before = uptime();
        run_shell(interactive, false);
        if (uptime() - before < 10)
            pause(10);                          /* a shell that fails at once is not tried in a frenzy */
    }
}
