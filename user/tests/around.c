/*
 * around program [argument...] -- run a test program and see that the machine is as it was: frames free or cached,
 * tasks, promised pages. Prints "AROUND name: status S, lost F frames, T tasks, P promises".
 *
 * Caches (inodes and names in memory, slabs) may keep some frames after a program's first run. A leak takes more each
 * time: so the program is run again until a run loses nothing, at most RUNS times.
 */
#include "user/user.h"

#define RUNS   4
#define SETTLE 30

struct state { long frames, tasks, promises; };

static struct state look(void)
{
    struct kcounters c;

    kcounters(&c);
    return (struct state){ (long)(c.frames_free + c.frames_cached), (long)c.tasks_live, (long)c.pages_committed };
}

/* Orphans and write-back may need a moment; sync() suspends, so others run. */
static struct state settled(struct state goal)
{
    struct state now = look();

    for (int i = 0; i < SETTLE; i++) {
        if (now.frames >= goal.frames && now.tasks <= goal.tasks && now.promises <= goal.promises)
            break;
        sync();
        if (i >= SETTLE - 10)
            pause(1);
        now = look();
    }
    return now;
}

static int run(char **argv)
{
    int status = -2, pid = fork();

    if (pid == 0) {
        exec(argv[0], argv);
        perror(argv[0]);
        exit(127);
    }
    wait_for_task(pid, &status);
    return status;
}

int main(int argc, char **argv)
{
    struct state before, after, lost;
    int status;

    if (argc < 2)
        return 2;
    sync();
    for (int i = 0; i < RUNS; i++) {
        before = look();
        status = run(argv + 1);
        after = settled(before);
        lost = (struct state){ before.frames - after.frames, after.tasks - before.tasks, after.promises - before.promises };
        if (status != 0 || (lost.frames <= 0 && lost.tasks <= 0 && lost.promises <= 0))
            break;
    }
    printf("AROUND %s: status %d, lost %ld frames, %ld tasks, %ld promises\n", argv[1], status,
           lost.frames > 0 ? lost.frames : 0, lost.tasks > 0 ? lost.tasks : 0, lost.promises > 0 ? lost.promises : 0);
    return status != 0 || lost.frames > 0 || lost.tasks > 0 || lost.promises > 0;
}
