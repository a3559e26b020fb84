/*
 * memstat [-w [seconds]] [-n count] -- who was promised how much memory, and who has it. KiB unless said otherwise.
 *
 * -w shows it again every second, or every so many seconds, until q or Ctrl-C is typed; -n ends it after that many
 * times. A read waits for one thing only, so two children help: one is the clock, one passes on the keys. Both write to
 * one pipe, and what comes out of it is the next thing to do. (So memstat -w is three tasks.)
 */
#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tool.h"
#include "user/user.h"

#define KIB_PER_FRAME 4
#define CTRL_C 3
#define CLEAR_SCREEN "\033[H\033[J"
#define INTERVAL_MAX 100000000l                 /* seconds: in tenths it is still an int */

/* All rows. Asked with no room at first, to learn how many there are; more may have come meanwhile. */
static struct process_mem_info *all_rows(int *count)
{
    struct process_mem_info *rows = NULL;
    for (int room = 0; ; room = *count) {
        rows = must_realloc(rows, (size_t)room * sizeof *rows);
        *count = get_all_pid_stats(rows, room);
        if (*count < 0)
            err(1, "get_all_pid_stats");
        if (*count <= room)
            return rows;
    }
}

static void stop_watching(void);

static void print_table(void)
{
    struct system_mem_summary sum;
    struct kcounters c;
    int count;

    struct process_mem_info *rows = all_rows(&count);
    if (get_all_mem_stats(&sum) < 0 || kcounters(&c) < 0)
        err(1, "kcounters");
    printf("%5s %-15s %12s %12s %4s %5s\n", "PID", "NAME", "RESERVED", "COMMITTED", "%", "OOM");
    for (int i = 0; i < count; i++)
        printf("%5d %-15s %12lu %12lu %4u %5d\n", rows[i].pid, rows[i].process_name,
               (unsigned long)rows[i].reserved_memory, (unsigned long)rows[i].committed_memory,
               (unsigned)rows[i].committed_percent, rows[i].oom_score);
    free(rows);
    printf("%d tasks: reserved %lu MiB, committed %lu MiB\n", count, (unsigned long)sum.total_reserved_memory,
           (unsigned long)sum.total_committed_memory);
    printf("memory: total %lu, free %lu, cached %lu, promised %lu\n", (unsigned long)c.frames_total * KIB_PER_FRAME,
           (unsigned long)c.frames_free * KIB_PER_FRAME, (unsigned long)c.frames_cached * KIB_PER_FRAME,
           (unsigned long)c.pages_committed * KIB_PER_FRAME);
    printf("sweeps %lu: %lu blocks, %lu pages\n", (unsigned long)c.sweeps, (unsigned long)c.blocks_swept,
           (unsigned long)c.pages_swept);
    printf("faults: %lu on demand, %lu copies, %lu upgrades, %lu evictions\n", (unsigned long)c.demand_faults,
           (unsigned long)c.cow_copies, (unsigned long)c.cow_upgrades, (unsigned long)c.evictions);
    fflush(stdout);
    if (ferror(stdout)) {
        stop_watching();
        output_failed();
    }
}

/* ---- Watching */

static int clock_pid, keys_pid, old_mode = -1;

/* Also when the program ends early: the terminal is as before, and nobody goes on reading it. */
static void stop_watching(void)
{
    if (clock_pid > 0 && kill(clock_pid) == 0)
        wait_for_task(clock_pid, NULL);
    if (keys_pid > 0 && kill(keys_pid) == 0)
        wait_for_task(keys_pid, NULL);
    if (old_mode >= 0)
        ttymode(0, old_mode);
    clock_pid = keys_pid = 0;
    old_mode = -1;
}

/* A child for body(to), where `to` is the pipe. A write fails when nobody can read it any more: memstat was killed. */
static int start_child(void (*body)(int to, int tenths), const int fds[2], int tenths)
{
    int pid = fork();

    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        close(fds[0]);
        body(fds[1], tenths);
        _exit(0);
    }
    return pid;
}

static void tick(int to, int tenths)
{
    do
        pause(tenths);
    while (write(to, "", 1) == 1);
}

static void pass_keys_on(int to, int unused)
{
    char key;
    (void)unused;

    while (read(0, &key, 1) == 1 && write(to, &key, 1) == 1)
        ;
}

/* Until a second is over or a key was typed (which also shows the table again). False: it was q or Ctrl-C. */
static int go_on(int from)
{
    char bytes[16];

    long got = read(from, bytes, sizeof bytes);
    for (long i = 0; i < got; i++)
        if (bytes[i] == 'q' || bytes[i] == CTRL_C)
            return 0;
    return got > 0;
}

static void watch(int seconds, long count)
{
    int fds[2];

    if (pipe(fds) < 0)
        err(1, "pipe");
    atexit(stop_watching);
    clock_pid = start_child(tick, fds, seconds * 10);
    old_mode = ttymode(0, TTY_RAW);             /* fails when stdin is no terminal: no keys then */
    if (old_mode >= 0)
        keys_pid = start_child(pass_keys_on, fds, 0);
    close(fds[1]);
    const char *between = isatty(1) ? CLEAR_SCREEN : "\n";
    do {
        printf("%s", between);
        print_table();
    } while (--count != 0 && go_on(fds[0]));
}

int main(int argc, char **argv)
{
    static const char arguments[] = "[-w [seconds]] [-n count]";
    long seconds = 1, count = 0;                /* count 0: for ever */
    int option, watching = 0;

    while ((option = getopt(argc, argv, "wn:")) != -1) {
        if (option == 'w' && optind < argc && isdigit(argv[optind][0]))
            seconds = number_argument(argv[optind++]);
        else if (option == 'n')
            count = number_argument(optarg);
        if (option == '?' || (option == 'n' && count == 0) || seconds == 0 || seconds > INTERVAL_MAX)
            usage(arguments);
        watching = 1;
    }
    if (optind < argc)
        usage(arguments);
    setvbuf(stdout, NULL, _IOFBF, 0);           /* a table in few writes */
    if (watching)
        watch((int)seconds, count);
    else
        print_table();
    return 0;
}
