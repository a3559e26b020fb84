/*
 * crashwork WORKERS ROUNDS -- a busy workload whose promises are told to the host, for tests/test_crash.py.
 *
 * Each worker has a directory, and writes, overwrites, appends to, renames, links, truncates and removes files there. Every
 * now and then it calls fsync() or sync() and then promises what is on the disk now:
 *     PROMISE path size seed     the file is there with `size` bytes, byte i being byte_of(seed, i)
 *     PROMISE path -1 0          nothing has this name
 *     RETRACT path               from now on the promise for this name does not hold
 * Before a worker touches a name it has promised, it retracts. After each line it waits for the host's "go": by then the
 * host has noted how far the disk's log has got. Only the first task talks to the console; workers talk to it by pipes.
 */
#include "user/tests/support.h"

#define FILES 12

struct message { int worker; char text[96]; };

static int to_main, from_main, me;

static unsigned random_state;

static unsigned random_below(unsigned limit)
{
    random_state = random_state * 1103515245u + 12345u;
    return (random_state >> 8) % limit;
}

static unsigned char byte_of(unsigned seed, unsigned long i)
{
    return (unsigned char)((seed + i / 7) * 2654435761u >> 24) ^ (unsigned char)i;
}

static void tell(const char *format, ...)
{
    struct message m = { .worker = me };
    va_list args;
    char go;

    va_start(args, format);
    /* the library has no vsnprintf in user.h: two shapes are enough */
    const char *path = va_arg(args, const char *);
    long size = va_arg(args, long);
    unsigned long seed = va_arg(args, unsigned long);
    va_end(args);
    snprintf(m.text, sizeof m.text, format, path, size, seed);
    write(to_main, &m, sizeof m);
    if (read(from_main, &go, 1) != 1)
        exit(9);
}

struct file {
    char     name[32];
    int      there, promised;                   /* there: since the last change, as the task sees it */
    long     size;
    unsigned seed;
};
static struct file files[FILES];

static void must(int condition, const char *what)
{
    if (!condition) {
        printf("crashwork: worker %d: %s: %s\n", me, what, strerror(errno));
        exit(8);
    }
}

static void retract(struct file *f)
{
    if (f->promised)
        tell("RETRACT %s", f->name, 0l, 0ul);
    f->promised = 0;
}

static void promise(struct file *f)
{
    if (!f->promised)
        tell("PROMISE %s %ld %lu", f->name, f->there ? f->size : -1l, f->there ? (unsigned long)f->seed : 0ul);
    f->promised = 1;
}

static void fill(int fd, struct file *f, long from, long to)
{
    static unsigned char buffer[8192];

    while (from < to) {
        long n = to - from < (long)sizeof buffer ? to - from : (long)sizeof buffer;
        for (long i = 0; i < n; i++)
            buffer[i] = byte_of(f->seed, (unsigned long)(from + i));
        must(write(fd, buffer, (size_t)n) == n, "write");
        from += n;
    }
}

static void write_file(struct file *f, int durable)
{
    retract(f);
    int fd = open(f->name, O_CREATE | O_TRUNC | O_WRONLY);
    must(fd >= 0, "open");
    f->there = 1;
    f->seed = random_state & 0xffffff;
    f->size = (long)random_below(random_below(8) == 0 ? 120000 : 7000);
    fill(fd, f, 0, f->size);
    if (durable) {
        must(fsync(fd) == 0, "fsync");
        promise(f);
    }
    close(fd);
}

static void append_file(struct file *f, int durable)
{
    if (!f->there)
        return;
    retract(f);
    int fd = open(f->name, O_WRONLY | O_APPEND);
    must(fd >= 0, "open for appending");
    long more = (long)random_below(6000);
    fill(fd, f, f->size, f->size + more);
    f->size += more;
    if (durable) {
        must(fsync(fd) == 0, "fsync");
        promise(f);
    }
    close(fd);
}

/* In place: the same blocks get other bytes. */
static void overwrite_file(struct file *f, int durable)
{
    if (!f->there)
        return;
    retract(f);
    int fd = open(f->name, O_WRONLY);
    must(fd >= 0, "open for overwriting");
    f->seed = random_state & 0xffffff;
    fill(fd, f, 0, f->size);
    if (durable) {
        must(fsync(fd) == 0, "fsync");
        promise(f);
    }
    close(fd);
}

static void cut_file(struct file *f, int durable)
{
    if (!f->there)
        return;
    retract(f);
    int fd = open(f->name, O_WRONLY);
    must(fd >= 0, "open for cutting");
    f->size = f->size > 0 ? (long)random_below((unsigned)f->size) : 0;
    must(ftruncate(fd, f->size) == 0, "ftruncate");
    if (durable) {
        must(fsync(fd) == 0, "fsync");
        promise(f);
    }
    close(fd);
}

static void remove_file(struct file *f)
{
    if (!f->there)
        return;
    retract(f);
    must(unlink(f->name) == 0, "unlink");
    f->there = 0;
}

static void rename_file(struct file *from, struct file *to)
{
    if (!from->there || from == to)
        return;
    retract(from);
    retract(to);
    must(rename(from->name, to->name) == 0, "rename");
    to->there = 1;
    to->size = from->size;
    to->seed = from->seed;
    from->there = 0;
}

static void make_and_remove_directory(void)
{
    char name[32];

    snprintf(name, sizeof name, "sub%d", random_below(3));
    if (mkdir(name) != 0)
        must(unlink(name) == 0, "unlink of a directory");
}

static void promise_all(void)
{
    must(sync() == 0, "sync");
    for (int i = 0; i < FILES; i++)
        promise(&files[i]);
}

static void work(int rounds)
{
    char directory[16];

    snprintf(directory, sizeof directory, "/w%d", me);
    random_state = (unsigned)me * 7919u + 17u;
    must(mkdir(directory) == 0, "mkdir");
    for (int i = 0; i < FILES; i++)
        snprintf(files[i].name, sizeof files[i].name, "%s/f%d", directory, i);
    must(chdir(directory) == 0, "chdir");
    for (int round = 0; round < rounds; round++) {
        struct file *f = &files[random_below(FILES)];
        int durable = random_below(5) == 0;
        switch (random_below(12)) {
        case 0: case 1: case 2: case 3: write_file(f, durable); break;
        case 4: append_file(f, durable); break;
        case 10: case 11: overwrite_file(f, 1); break;
        case 5: cut_file(f, durable); break;
        case 6: remove_file(f); break;
        case 7: rename_file(f, &files[random_below(FILES)]); break;
        case 8: make_and_remove_directory(); break;
        case 9:
            if (random_below(4) == 0)
                promise_all();
        }
    }
    promise_all();
    exit(0);
}

int main(int argc, char **argv)
{
    int workers = argc > 1 ? atoi(argv[1]) : 3, rounds = argc > 2 ? atoi(argv[2]) : 60;
    int messages[2], reply[8][2], failed = 0, status;
    struct message m;
    char line[16];

    pipe(messages);
    for (int i = 0; i < workers; i++) {
        pipe(reply[i]);
        if (fork() == 0) {
            me = i;
            to_main = messages[1];
            from_main = reply[i][0];
            work(rounds);
        }
    }
    close(messages[1]);
    while (read(messages[0], &m, sizeof m) == sizeof m) {
        printf("%s\n", m.text);
        if (gets(line, sizeof line)[0] != 'g')
            exit(7);
        write(reply[m.worker][1], "g", 1);
    }
    for (int i = 0; i < workers; i++) {
        wait(&status);
        failed |= status;
    }
    printf("crashwork: %s\n", failed ? "FAIL" : "done");
    return failed;
}
