/*
 * around program [argument...] -- run a program and see that the machine is as it was: frames free or cached, tasks,
 * promised pages. Prints "AROUND name: status S, lost F frames, T tasks, P promises".
 *
 * Blocks that are only in the file system's log count as used until the log is emptied. So the log is kept busy for a
 * while before and after, and the best moment counts; a disk with a small log (mkfs -l 64) needs few rounds for that.
 * Other caches (inodes and names in memory) may keep frames after a first run. A leak takes more each time: so the program
 * is run again until a run loses nothing, at most RUNS times.
 */
#include "user/user.h"

#define RUNS  3
#define CHURN 8
#define WAITS 20

struct state { long frames, tasks, promises; };

static struct state look(void)
{
    struct kcounters c;

    kcounters(&c);
    return (struct state){ (long)(c.frames_free + c.frames_cached + c.frames_cache_index), (long)c.tasks_live,
                           (long)c.pages_committed };
}

/* The best of many looks, while the log is made to go round. */
static struct state look_well(void)
{
    struct state best = look();

    for (int i = 0; i < CHURN; i++) {
        close(open("/tmp/around", O_CREATE | O_WRONLY));
        sync();
        unlink("/tmp/around");
        sync();
        struct state now = look();
        if (now.frames > best.frames)
            best.frames = now.frames;
        best.tasks = now.tasks;
        best.promises = now.promises;
    }
    return best;
}

/* Orphans may still be on their way out, and what they wrote on its way to the disk. */
static struct state settled(struct state goal)
{
    struct state now = look_well();

    for (int i = 0; i < WAITS; i++) {
        if (now.frames >= goal.frames && now.tasks <= goal.tasks && now.promises <= goal.promises)
            break;
        pause(1);
        now = look();
        if (i % 5 == 4)
            now = look_well();
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
    mkdir("/tmp");
    for (int i = 0; i < RUNS; i++) {
        before = look_well();
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
