/*
 * bench [row...] -- how fast is this system? One line per row: "bench: KEY VALUE UNIT". tools/bench shows them
 * beside the goals.
 *
 * A row does its thing often enough that one sample lasts at least SAMPLE_NS, takes several samples and reports
 * the fastest: what disturbs a measurement only ever adds. Times are wall time of the machine's clock.
 * Files are made in DIRECTORY, which is removed at the end. Nothing here uses floating point: tasks that do
 * are more expensive to switch.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "user/user.h"
#include <unistd.h>

#define DIRECTORY "/tmp/bench.d"
#define SAMPLE_NS 25000000ull
#define SAMPLES   7
#define FAILED    UINT64_MAX            /* no time: what a sample returns when a call failed; errno says why */
#define PAGE      4096
#define MIB       (1024 * 1024)
#define HOUR      36000                 /* for pause(), in tenths of a second */

/* A row: `prepare` once, `sample` many times, `finish` once. `size` is the row's own parameter. */
struct row {
    const char *key;
    const char *unit;
    int       (*prepare)(unsigned long size);                   /* 0, or -1 with errno; NULL: nothing to do */
    uint64_t  (*sample)(unsigned long times, unsigned long size);   /* nanoseconds for doing it so often */
    void      (*finish)(unsigned long size);                    /* also after a prepare that failed half-way */
    unsigned long size;
    unsigned long parts;                /* bytes or pages in one of the `times` */
    unsigned long fixed_times;          /* 0: as many times as a sample needs */
};

/* Memory of a row comes from sbrk(), and measure() gives it back: a fork pays for all that the program has. */
static char *grow_heap(size_t nbytes)
{
    char *memory = sbrk((intptr_t)nbytes);

    return memory == SBRK_ERROR ? NULL : memory;
}

#define BUFFER_BYTES (64 * 1024)
static char *buffer;

static int make_buffer(unsigned long size)
{
    (void)size;
    buffer = grow_heap(BUFFER_BYTES);
    if (buffer == NULL)
        return -1;
    memset(buffer, 'x', BUFFER_BYTES);
    return 0;
}

/* ---- System calls and tasks */

static uint64_t null_calls(unsigned long times, unsigned long size)
{
    uint64_t start = clock_ns();

    (void)size;
    while (times-- > 0)
        getpid();
    return clock_ns() - start;
}

static char  *resident;
static size_t resident_bytes;

static void write_each_page(char *memory, size_t nbytes, size_t step)
{
    for (size_t i = 0; i < nbytes; i += step)
        memory[i] = 1;
}

static int make_resident(unsigned long nbytes)
{
    resident = grow_heap(nbytes);
    if (resident == NULL)
        return -1;
    resident_bytes = nbytes;
    write_each_page(resident, resident_bytes, PAGE);
    return 0;
}

/* The child does `work` and ends; the parent waits for it. */
static uint64_t fork_and_wait(unsigned long times, void (*work)(void))
{
    uint64_t start = clock_ns();

    while (times-- > 0) {
        int pid = fork();
        if (pid == 0) {
            if (work != NULL)
                work();
            _exit(0);
        }
        int status = -1;
        if (pid < 0 || wait(&status) != pid || status != 0)
            return FAILED;
    }
    return clock_ns() - start;
}

static uint64_t forks(unsigned long times, unsigned long size)
{
    (void)size;
    return fork_and_wait(times, NULL);
}

static void write_resident(void)
{
    write_each_page(resident, resident_bytes, PAGE);
}

static uint64_t writing_forks(unsigned long times, unsigned long size)
{
    (void)size;
    return fork_and_wait(times, write_resident);
}

static void exec_true(void)
{
    char *argv[] = { "true", 0 };

    exec("/bin/true", argv);
    _exit(1);
}

static uint64_t execs(unsigned long times, unsigned long size)
{
    (void)size;
    return fork_and_wait(times, exec_true);
}

static int *sleepers;
static unsigned long sleeper_count;

/* Fork tasks that sleep until they are killed: `count`, or fewer when one fails. */
static int start_sleepers(unsigned long count)
{
    sleepers = (int *)grow_heap(count * sizeof *sleepers);
    if (sleepers == NULL)
        return -1;
    for (sleeper_count = 0; sleeper_count < count; sleeper_count++) {
        int pid = fork();
        if (pid == 0)
            for (;;)
                pause(HOUR);
        if (pid < 0)
            return -1;
        sleepers[sleeper_count] = pid;
    }
    return 0;
}

static void end_sleepers(unsigned long count)
{
    (void)count;
    for (unsigned long i = 0; i < sleeper_count; i++)
        kill(sleepers[i]);
    for (unsigned long i = 0; i < sleeper_count; i++)
        wait_for_task(sleepers[i], 0);
    sleeper_count = 0;
}

/* ---- Pipes */

static int to_echo[2] = { -1, -1 }, from_echo[2] = { -1, -1 }, echo_pid;

_Noreturn static void echo_bytes(int from, int to)
{
    char byte;

    while (read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1)
        ;
    _exit(0);
}

/* A second task that sends back every byte it gets, and `count` more that sleep. */
static int start_echo(unsigned long count)
{
    echo_pid = -1;
    if (start_sleepers(count) < 0 || pipe(to_echo) < 0 || pipe(from_echo) < 0)
        return -1;
    echo_pid = fork();
    if (echo_pid == 0) {
        close(to_echo[1]);
        close(from_echo[0]);
        echo_bytes(to_echo[0], from_echo[1]);
    }
    close(to_echo[0]);
    close(from_echo[1]);
    return echo_pid < 0 ? -1 : 0;
}

static void end_echo(unsigned long count)
{
    close(to_echo[1]);                          /* end of file for the other task */
    close(from_echo[0]);
    to_echo[1] = from_echo[0] = -1;
    if (echo_pid > 0)
        wait_for_task(echo_pid, 0);
    end_sleepers(count);
}

static uint64_t round_trips(unsigned long times, unsigned long size)
{
    uint64_t start = clock_ns();
    char byte = 0;

    (void)size;
    while (times-- > 0)
        if (write(to_echo[1], &byte, 1) != 1 || read(from_echo[0], &byte, 1) != 1)
            return FAILED;
    return clock_ns() - start;
}

/* One task writes pieces of `size` bytes, the other reads with a buffer of that size. */
static uint64_t pipe_bytes(unsigned long times, unsigned long size)
{
    unsigned long received = 0;
    int fds[2];
    long got;

    if (pipe(fds) < 0)
        return FAILED;
    int pid = fork();
    if (pid == 0) {
        close(fds[0]);
        for (unsigned long i = 0; i < times; i++)
            if (write(fds[1], buffer, size) != (long)size)
                _exit(1);
        _exit(0);
    }
    close(fds[1]);
    uint64_t start = clock_ns();
    while ((got = read(fds[0], buffer, size)) > 0)
        received += (unsigned long)got;
    uint64_t end = clock_ns();
    close(fds[0]);
    if (pid < 0 || wait_for_task(pid, 0) != pid || received != times * size)
        return FAILED;
    return end - start;
}

/* ---- The heap: grown by 256 pages, one page in `step` touched, shrunk. */

#define HEAP_PAGES 256

static uint64_t heap_pages(unsigned long times, unsigned long step)
{
    uint64_t start = clock_ns();

    while (times-- > 0) {
        char *memory = sbrk(HEAP_PAGES * PAGE);
        if (memory == SBRK_ERROR)
            return FAILED;
        write_each_page(memory, HEAP_PAGES * PAGE, step * PAGE);
        if (sbrk(-HEAP_PAGES * PAGE) == SBRK_ERROR)
            return FAILED;
    }
    return clock_ns() - start;
}

/* ---- Pages on first touch, by `count` tasks at once; together they touch times * HEAP_PAGES pages. */

static bool touch_lazy_pages(unsigned long times)
{
    while (times-- > 0) {
        char *memory = sbrklazy(HEAP_PAGES * PAGE);
        if (memory == SBRK_ERROR)
            return false;
        write_each_page(memory, HEAP_PAGES * PAGE, PAGE);
        if (sbrk(-HEAP_PAGES * PAGE) == SBRK_ERROR)
            return false;
    }
    return true;
}

static uint64_t faults(unsigned long times, unsigned long count)
{
    unsigned long each = times / count + (times % count != 0);
    int go[2], status;
    char byte = 0;
    bool good = true;

    if (pipe(go) < 0)
        return FAILED;
    for (unsigned long i = 0; i < count; i++) {
        int pid = fork();
        if (pid == 0) {
            close(go[1]);
            read(go[0], &byte, 1);              /* end of file: all are there */
            _exit(!touch_lazy_pages(each));
        }
        good &= pid > 0;
    }
    close(go[0]);
    uint64_t start = clock_ns();
    close(go[1]);
    for (unsigned long i = 0; i < count; i++)
        good &= wait(&status) > 0 && status == 0;
    uint64_t end = clock_ns();
    return good ? (end - start) * times / (each * count) : FAILED;
}

/* One-page blocks granted, touched, given back. When REGION is full the sweeper must come first, and that is not counted. */
static uint64_t blocks(unsigned long times, unsigned long size)
{
    uint64_t total = 0, start = clock_ns();

    while (times-- > 0) {
        char *block = malloco(size);
        if (block == NULL) {
            total += clock_ns() - start;
            while ((block = malloco(size)) == NULL)
                pause(1);
            start = clock_ns();
        }
        *block = 1;
        if (chau(block) < 0)
            return FAILED;
    }
    return total + clock_ns() - start;
}

/* ---- Files */

#define SMALL_FILE "small"
#define LARGE_FILE "large"
#define SMALL_BYTES 1024

static int create_file(const char *name, size_t nbytes, bool durable)
{
    int fd = open(name, O_CREATE | O_WRONLY);
    size_t written = 0;

    if (fd < 0)
        return -1;
    while (written < nbytes) {
        size_t piece = nbytes - written < BUFFER_BYTES ? nbytes - written : BUFFER_BYTES;
        if (write(fd, buffer, piece) != (long)piece)
            break;
        written += piece;
    }
    if (durable && fsync(fd) < 0)
        written = 0;
    close(fd);
    return written == nbytes ? 0 : -1;
}

/* Durable at sync: one sync() after all of them, counted. */
static uint64_t files_then_sync(unsigned long times, unsigned long nbytes)
{
    uint64_t start = clock_ns();

    while (times-- > 0)
        if (create_file(SMALL_FILE, nbytes, false) < 0 || unlink(SMALL_FILE) < 0)
            return FAILED;
    return sync() < 0 ? FAILED : clock_ns() - start;
}

/* Durable at return: fsync() before each close. */
static uint64_t files_with_fsync(unsigned long times, unsigned long nbytes)
{
    uint64_t start = clock_ns();

    while (times-- > 0)
        if (create_file(SMALL_FILE, nbytes, true) < 0 || unlink(SMALL_FILE) < 0)
            return FAILED;
    return clock_ns() - start;
}

static int large_fd = -1;

static int open_large(unsigned long nbytes)
{
    if (make_buffer(0) < 0 || create_file(LARGE_FILE, nbytes, true) < 0)
        return -1;
    large_fd = open(LARGE_FILE, O_RDONLY);
    return large_fd;
}

static void close_large(unsigned long nbytes)
{
    (void)nbytes;
    if (large_fd >= 0)
        close(large_fd);
    large_fd = -1;
    unlink(LARGE_FILE);
}

/* A new file, written 64 KiB at a time and made durable. Giving its blocks back is not counted. */
static uint64_t sequential_writes(unsigned long times, unsigned long nbytes)
{
    uint64_t total = 0;

    while (times-- > 0) {
        uint64_t start = clock_ns();
        if (create_file(LARGE_FILE, nbytes, true) < 0)
            return FAILED;
        total += clock_ns() - start;
        unlink(LARGE_FILE);
    }
    return total;
}

static uint64_t rereads(unsigned long times, unsigned long nbytes)
{
    uint64_t start = clock_ns();

    while (times-- > 0) {
        lseek(large_fd, 0, SEEK_SET);
        for (unsigned long done = 0; done < nbytes; done += BUFFER_BYTES)
            if (read(large_fd, buffer, BUFFER_BYTES) != BUFFER_BYTES)
                return FAILED;
    }
    return clock_ns() - start;
}

static uint64_t byte_reads(unsigned long times, unsigned long nbytes)
{
    uint64_t start = clock_ns();

    (void)nbytes;
    while (times-- > 0) {
        long got = read(large_fd, buffer, 1);
        if (got < 0)
            return FAILED;
        if (got == 0)
            lseek(large_fd, 0, SEEK_SET);
    }
    return clock_ns() - start;
}

/* Directories: of their `count` files some are opened in turn, spread over the whole directory. */
#define OPENED 64
static char opened[OPENED][16];

static void name_file(char name[16], unsigned long i)
{
    snprintf(name, 16, "d/file%05lu", i);
}

static int fill_directory(unsigned long count)
{
    char name[16];

    if (mkdir("d") < 0)
        return -1;
    for (unsigned long i = 0; i < count; i++) {
        name_file(name, i);
        if (create_file(name, 0, false) < 0)
            return -1;
    }
    for (unsigned long i = 0; i < OPENED; i++)
        name_file(opened[i], i * count / OPENED);
    return sync();
}

static void empty_directory(unsigned long count)
{
    char name[16];
    int failure = errno;                        /* of fill_directory, to be reported */

    for (unsigned long i = 0; i < count; i++) {
        name_file(name, i);
        if (unlink(name) < 0)
            break;
    }
    unlink("d");
    errno = failure;
}

static uint64_t opens(unsigned long times, unsigned long count)
{
    uint64_t start = clock_ns();

    (void)count;
    for (unsigned long i = 0; i < times; i++) {
        int fd = open(opened[i % OPENED], O_RDONLY);
        if (fd < 0 || close(fd) < 0)
            return FAILED;
    }
    return clock_ns() - start;
}

/* ---- Console. Lines that start with '~' are noise for whoever reads our results. */

#define LINE "~ the quick brown fox jumps over the lazy dog 0123456789 ABCDEF\n"
#define LINE_BYTES (sizeof LINE - 1)

static uint64_t console_lines(unsigned long times, unsigned long size)
{
    uint64_t start = clock_ns();

    (void)size;
    while (times-- > 0)
        if (write(1, LINE, LINE_BYTES) != (long)LINE_BYTES)
            return FAILED;
    return clock_ns() - start;
}

/* ---- All rows */

#define FILE_BYTES (8 * MIB)

static const struct row rows[] = {
    /* key               unit       prepare         sample             finish           size         parts, fixed_times */
    { "null",            "ns",      NULL,           null_calls,        NULL,            0,           1, 0 },
    { "fork",            "ns",      NULL,           forks,             NULL,            0,           1, 0 },
    { "fork-4m",         "ns",      make_resident,  forks,             NULL,            4 * MIB,     1, 0 },
    { "fork-32m",        "ns",      make_resident,  forks,             NULL,            32 * MIB,    1, 0 },
    { "fork-4m-write",   "ns",      make_resident,  writing_forks,     NULL,            4 * MIB,     1, 0 },
    { "exec",            "ns",      NULL,           execs,             NULL,            0,           1, 0 },
    { "pipe-trip",       "ns",      start_echo,     round_trips,       end_echo,        0,           1, 0 },
    { "pipe-trip-50",    "ns",      start_echo,     round_trips,       end_echo,        50,          1, 0 },
    { "pipe-trip-1000",  "ns",      start_echo,     round_trips,       end_echo,        1000,        1, 0 },
    { "pipe-8k",         "ns/byte", make_buffer,    pipe_bytes,        NULL,            8192,        8192, 0 },
    { "pipe-512",        "ns/byte", make_buffer,    pipe_bytes,        NULL,            512,         512, 0 },
    { "heap",            "ns/page", NULL,           heap_pages,        NULL,            1,           HEAP_PAGES, 0 },
    { "heap-sparse",     "ns/page", NULL,           heap_pages,        NULL,            16,          HEAP_PAGES, 0 },
    { "faults",          "ns/page", NULL,           faults,            NULL,            1,           HEAP_PAGES, 0 },
    { "faults-2",        "ns/page", NULL,           faults,            NULL,            2,           HEAP_PAGES, 0 },
    { "faults-4",        "ns/page", NULL,           faults,            NULL,            4,           HEAP_PAGES, 0 },
    { "malloco",         "ns",      NULL,           blocks,            NULL,            PAGE,        1, 1024 },
    { "create-sync",     "ns",      make_buffer,    files_then_sync,   NULL,            SMALL_BYTES, 1, 0 },
    { "create-fsync",    "ns",      make_buffer,    files_with_fsync,  NULL,            SMALL_BYTES, 1, 0 },
    { "write",           "ns/byte", make_buffer,    sequential_writes, close_large,     FILE_BYTES,  FILE_BYTES, 0 },
    { "reread",          "ns/byte", open_large,     rereads,           close_large,     FILE_BYTES,  FILE_BYTES, 0 },
    { "read-1",          "ns",      open_large,     byte_reads,        close_large,     FILE_BYTES,  1, 0 },
    { "open",            "ns",      fill_directory, opens,             empty_directory, 1,           1, 0 },
    { "open-100",        "ns",      fill_directory, opens,             empty_directory, 100,         1, 0 },
    { "open-10000",      "ns",      fill_directory, opens,             empty_directory, 10000,       1, 0 },
    { "console",         "ns/byte", NULL,           console_lines,     NULL,            0,           LINE_BYTES, 0 },
    { "tasks",           "tasks",   start_sleepers, NULL,              end_sleepers,    2500,        1, 0 },
};
#define ROWS (sizeof rows / sizeof *rows)

/* fastest -- repeat until one sample is long enough, then take the fastest of several. Each did it `*times` times. */
static uint64_t fastest(const struct row *row, unsigned long *times)
{
    uint64_t best = FAILED;

    *times = row->fixed_times > 0 ? row->fixed_times : 1;
    while (row->fixed_times == 0) {
        uint64_t ns = row->sample(*times, row->size);
        if (ns == FAILED)
            return FAILED;
        if (ns >= SAMPLE_NS)
            break;
        *times = ns < SAMPLE_NS / 10 ? *times * 8 : *times * (SAMPLE_NS + SAMPLE_NS / 5) / ns + 1;
    }
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t ns = row->sample(*times, row->size);
        if (ns == FAILED)
            return FAILED;
        if (ns < best)
            best = ns;
    }
    return best;
}

static bool measure(const struct row *row)
{
    uint64_t ns = FAILED, thousandths;
    unsigned long times = 1;
    char *heap = sbrk(0);

    bool ready = row->prepare == NULL || row->prepare(row->size) >= 0;
    if (row->sample == NULL)                    /* the row that counts: how far did prepare come? */
        thousandths = sleeper_count * 1000ull;
    else {
        if (ready)
            ns = fastest(row, &times);
        thousandths = ns * 1000 / ((uint64_t)times * row->parts);
    }
    int failure = errno;
    if (row->finish != NULL)
        row->finish(row->size);
    sbrk(heap - sbrk(0));
    if (row->sample != NULL && ns == FAILED) {
        printf("bench: %s failed: %s\n", row->key, strerror(failure));
        return false;
    }
    printf("bench: %s %lu.%03lu %s\n", row->key, (unsigned long)(thousandths / 1000),
           (unsigned long)(thousandths % 1000), row->unit);
    return true;
}

/* Is this row among those named by the command? */
static bool wanted(const char *key, char **names)
{
    if (*names == NULL)
        return true;
    for (; *names != NULL; names++)
        if (strcmp(*names, key) == 0)
            return true;
    return false;
}

static void check_names(char **names)
{
    for (; *names != NULL; names++) {
        bool known = false;
        for (unsigned i = 0; i < ROWS; i++)
            known |= strcmp(*names, rows[i].key) == 0;
        if (!known)
            errx(2, "no such row: %s", *names);
    }
}

int main(int argc, char **argv)
{
    bool good = true;

    (void)argc;
    check_names(argv + 1);
    if (mkdir(DIRECTORY) < 0 && errno != EEXIST)
        warn(DIRECTORY);
    if (chdir(DIRECTORY) < 0)
        warn(DIRECTORY);
    for (unsigned i = 0; i < ROWS; i++)
        if (wanted(rows[i].key, argv + 1))
            good &= measure(&rows[i]);
    chdir("/");
    unlink(DIRECTORY);
    return !good;
}
