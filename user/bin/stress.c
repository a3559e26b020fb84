/*
 * stress [-t seconds] [-n workers] [kind...] -- work the kernel hard in several ways at once, and check it.
 *
 * Kinds: fork (families of short-lived tasks), pipe (data through pipes, checked), file (create, write, read back,
 * rename, delete), memory (grow the heap, fill it, check it, give it back). Each worker repeats one kind until the
 * time is over. Afterwards the free frames must be as many as before, give or take what the block cache holds.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "user/user.h"
#include "tool.h"

#define ARGUMENTS "[-t seconds] [-n workers] [fork|pipe|file|memory...]"

/* What a round says: running out is no failure of the kernel, wrong data is. */
enum outcome { DONE, NO_RESOURCES, WRONG };

static enum outcome ran_out_or_wrong(const char *what)
{
    if (errno == ENOMEM || errno == EAGAIN || errno == ENOSPC || errno == ENFILE || errno == EMFILE)
        return NO_RESOURCES;
    warn("%s", what);
    return WRONG;
}

static enum outcome fork_round(unsigned seed)
{
    enum outcome outcome = DONE;
    int pids[8], started = 0;

    for (; started < 8; started++) {
        pids[started] = fork();
        if (pids[started] == 0) {
            if (started % 2 == 1 && fork() == 0)
                exit(0);                        /* an orphan for init */
            exit((int)(seed + (unsigned)started) & 0xff);
        }
        if (pids[started] < 0) {
            outcome = ran_out_or_wrong("fork");
            break;
        }
    }
    for (int i = started - 1; i >= 0; i--) {
        int status;
        if (wait_for_task(pids[i], &status) != pids[i] || status != ((int)(seed + (unsigned)i) & 0xff)) {
            warnx("child %d: wrong status", pids[i]);
            outcome = WRONG;
        }
    }
    return outcome;
}

static unsigned char pattern_byte(unsigned seed, size_t i)
{
    return (unsigned char)((seed + i) * 2654435761u >> 24);
}

static void fill(unsigned char *buffer, size_t nbytes, unsigned seed, size_t from)
{
    for (size_t i = 0; i < nbytes; i++)
        buffer[i] = pattern_byte(seed, from + i);
}

static bool is_filled(const unsigned char *buffer, size_t nbytes, unsigned seed, size_t from)
{
    for (size_t i = 0; i < nbytes; i++)
        if (buffer[i] != pattern_byte(seed, from + i))
            return false;
    return true;
}

#define PIPE_BYTES (64 * 1024)
#define PIECE      1500

_Noreturn static void pipe_writer(int fds[2], unsigned seed)
{
    unsigned char buffer[PIECE];

    close(fds[0]);
    for (size_t sent = 0; sent < PIPE_BYTES; ) {
        size_t piece = PIPE_BYTES - sent < PIECE ? PIPE_BYTES - sent : PIECE;
        fill(buffer, piece, seed, sent);
        long written = write(fds[1], buffer, piece);
        if (written <= 0)
            exit(1);
        sent += (size_t)written;
    }
    exit(0);
}

static enum outcome pipe_round(unsigned seed)
{
    unsigned char buffer[2048];
    int fds[2], status = 0;
    size_t received = 0;
    bool right = true;
    long got;

    if (pipe(fds) < 0)
        return ran_out_or_wrong("pipe");
    int pid = fork();
    if (pid == 0)
        pipe_writer(fds, seed);
    close(fds[1]);
    while (pid > 0 && (got = read(fds[0], buffer, sizeof buffer)) > 0) {
        right &= is_filled(buffer, (size_t)got, seed, received);
        received += (size_t)got;
    }
    close(fds[0]);
    if (pid < 0)
        return ran_out_or_wrong("fork");
    wait_for_task(pid, &status);
    if (right && received == PIPE_BYTES && status == 0)
        return DONE;
    warnx("pipe: %zu bytes, %s, writer's status %d", received, right ? "right" : "wrong", status);
    return WRONG;
}

static enum outcome file_step(const char *name, const char *renamed, unsigned seed)
{
    static unsigned char buffer[20000];
    size_t nbytes = 1 + seed % sizeof buffer;

    int fd = open(name, O_CREATE | O_TRUNC | O_RDWR);
    if (fd < 0)
        return ran_out_or_wrong(name);
    fill(buffer, nbytes, seed, 0);
    long written = write(fd, buffer, nbytes);
    if (written != (long)nbytes) {
        enum outcome outcome = written < 0 ? ran_out_or_wrong(name) : NO_RESOURCES;
        close(fd);
        return outcome;
    }
    memset(buffer, 0, nbytes);
    lseek(fd, 0, SEEK_SET);
    bool right = read(fd, buffer, nbytes) == (long)nbytes && is_filled(buffer, nbytes, seed, 0);
    close(fd);
    if (!right) {
        warnx("%s: wrong data", name);
        return WRONG;
    }
    if (rename(name, renamed) < 0)
        return ran_out_or_wrong(renamed);
    return DONE;
}

static enum outcome file_round(unsigned seed)
{
    char name[40], renamed[48];

    snprintf(name, sizeof name, "/stress.%d.%u", getpid(), seed % 7);
    snprintf(renamed, sizeof renamed, "%s.new", name);
    enum outcome outcome = file_step(name, renamed, seed);
    unlink(name);
    if (unlink(renamed) < 0 && outcome == DONE)
        return ran_out_or_wrong(renamed);
    return outcome;
}

static enum outcome memory_round(unsigned seed)
{
    size_t words = (size_t)(1 + seed % 64) * 4096 / sizeof(unsigned long);
    bool right = true;

    unsigned long *memory = (unsigned long *)sbrk((intptr_t)(words * sizeof *memory));
    if (memory == (void *)-1)
        return ran_out_or_wrong("sbrk");
    for (size_t i = 0; i < words; i++) {
        right &= memory[i] == 0;
        memory[i] = seed ^ i;
    }
    int pid = seed % 4 == 0 ? fork() : -1;      /* now and then a child that writes its own copy */
    if (pid == 0) {
        for (size_t i = 0; i < words; i++)
            memory[i]++;
        exit(0);
    }
    for (size_t i = 0; i < words; i++)
        right &= memory[i] == (seed ^ i);
    if (pid > 0)
        wait_for_task(pid, 0);
    sbrk(-(intptr_t)(words * sizeof *memory));
    if (right)
        return DONE;
    warnx("memory: wrong contents");
    return WRONG;
}

struct kind {
    const char *name;
    enum outcome (*round)(unsigned seed);
};

static const struct kind kinds[] = {
    { "fork", fork_round }, { "pipe", pipe_round }, { "file", file_round }, { "memory", memory_round },
};
#define KINDS (sizeof kinds / sizeof *kinds)

struct result {                                 /* what a worker sends to its parent at the end */
    unsigned kind;
    unsigned long rounds, without_resources, wrong;
};

_Noreturn static void work(unsigned kind, unsigned worker, uint64_t until, int to)
{
    struct result result = { .kind = kind };

    for (unsigned seed = worker * 1000003u; clock_ns() < until && result.wrong == 0; seed++) {
        enum outcome outcome = kinds[kind].round(seed);
        result.rounds += outcome == DONE;
        result.without_resources += outcome == NO_RESOURCES;
        result.wrong += outcome == WRONG;
        if (outcome == NO_RESOURCES)
            pause(1);
    }
    write(to, &result, sizeof result);
    exit(0);
}

static unsigned long frames_available(void)
{
    struct kcounters counters;

    sync();
    if (kcounters(&counters) < 0)
        err(1, "kcounters");
    return (unsigned long)(counters.frames_free + counters.frames_cached + counters.frames_cache_index);
}

/* Orphans may still be on their way out: wait a little for their frames. Slabs of other objects may stay. */
#define SLABS 64
static bool frames_are_back(unsigned long before)
{
    unsigned long now = 0;

    for (int tries = 0; tries < 50; tries++) {
        now = frames_available();
        if (now + SLABS >= before)
            break;
        pause(1);
    }
    printf("stress: frames available before %lu, after %lu\n", before, now);
    return now + SLABS >= before;
}

static bool run(const bool chosen[KINDS], unsigned workers, uint64_t until)
{
    struct result total[KINDS] = { 0 }, result;
    unsigned started = 0, reported = 0, kind = 0;
    int fds[2], status;
    bool good = true;

    if (pipe(fds) < 0)
        err(1, "pipe");
    for (; started < workers; started++, kind = (kind + 1) % KINDS) {
        while (!chosen[kind])
            kind = (kind + 1) % KINDS;
        int pid = fork();
        if (pid == 0) {
            close(fds[0]);
            work(kind, started, until, fds[1]);
        }
        if (pid < 0) {
            warn("worker %u", started);
            break;
        }
    }
    close(fds[1]);
    for (; read(fds[0], &result, sizeof result) == sizeof result; reported++) {
        total[result.kind].rounds += result.rounds;
        total[result.kind].without_resources += result.without_resources;
        total[result.kind].wrong += result.wrong;
    }
    close(fds[0]);
    for (unsigned i = 0; i < started; i++)
        if (wait(&status) < 0 || status != 0)
            good = false;

    for (unsigned i = 0; i < KINDS; i++) {
        if (!chosen[i])
            continue;
        printf("stress: %-6s %8lu rounds, %lu without resources, %lu wrong\n", kinds[i].name, total[i].rounds,
               total[i].without_resources, total[i].wrong);
        good &= total[i].wrong == 0;
    }
    if (reported != started)
        printf("stress: %u of %u workers did not report\n", started - reported, started);
    return good && reported == started && started > 0;
}

static void choose(bool chosen[KINDS], const char *name)
{
    for (unsigned i = 0; i < KINDS; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            chosen[i] = true;
            return;
        }
    usage(ARGUMENTS);
}

int main(int argc, char **argv)
{
    bool chosen[KINDS] = { false };
    unsigned long seconds = 10, workers = 8;
    int option;

    while ((option = getopt(argc, argv, "t:n:")) != -1)
        switch (option) {
        case 't': seconds = (unsigned long)number_argument(optarg); break;
        case 'n': workers = (unsigned long)number_argument(optarg); break;
        default:  usage(ARGUMENTS);
        }
    for (int i = optind; i < argc; i++)
        choose(chosen, argv[i]);
    for (unsigned i = 0; optind == argc && i < KINDS; i++)
        chosen[i] = true;

    unsigned long before = frames_available();
    bool good = run(chosen, (unsigned)workers, clock_ns() + seconds * 1000000000ull);
    good &= frames_are_back(before);
    printf("stress: %s\n", good ? "PASS" : "FAIL");
    return !good;
}
