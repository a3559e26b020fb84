/* ps -- the tasks there are. Times are seconds of processor time, memory is KiB in frames. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include "user/user.h"
#include "tool.h"

#define STATE_NAME(name) #name,
static const char *const state_names[] = { TASK_STATES(STATE_NAME) };

static const char *state_name(int state)
{
    return state >= 0 && state < (int)(sizeof state_names / sizeof *state_names) ? state_names[state] : "?";
}

/* All rows: the buffer grows until they leave room in it. */
static struct task_info *all_tasks(int *count)
{
    struct task_info *rows = NULL;

    for (int room = 64; ; room *= 2) {
        rows = must_realloc(rows, (size_t)room * sizeof *rows);
        *count = tasklist(rows, room);
        if (*count < 0)
            err(1, "tasklist");
        if (*count < room)
            return rows;
    }
}

int main(int argc, char **argv)
{
    int count;

    (void)argv;
    if (argc > 1)
        usage("");
    struct task_info *rows = all_tasks(&count);
    printf("%5s %5s %-8s %3s %8s %8s %s\n", "PID", "PPID", "STATE", "CPU", "TIME", "RESIDENT", "NAME");
    for (int i = 0; i < count; i++) {
        const struct task_info *t = &rows[i];
        unsigned long hundredths = (unsigned long)(t->cpu_time_us / 10000);
        printf("%5d %5d %-8s %3d %5lu.%02lu %8lu %s%.*s%s\n", t->pid, t->parent, state_name(t->state), t->cpu,
               hundredths / 100, hundredths % 100, (unsigned long)t->resident_kb, t->kernel_only ? "[" : "",
               TASK_NAME_SIZE, t->name, t->kernel_only ? "]" : "");
        check_stdout();
    }
    return 0;
}
