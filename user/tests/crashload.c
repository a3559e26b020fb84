/*
 * crashload [TASKS [ROUNDS [SEED [small]]]] -- the busy workload of the crash tests (tests/test_crash_judge.py).
 *
 * Several tasks change files of their own in the directories they share, and say on the console what they did:
 *
 *   op: TASK VERSION write PATH OFFSET COUNT     also create, truncate, rename, link, unlink, mkdir, rmdir, symlink
 *   promise: TASK VERSION PATH SIZE              an fsync of PATH returned (or a sync: PATH is *): the operations of the
 *                                                task up to VERSION are durable
 *   quiet: ROUND                                 all tasks rest, each after a promise. A line of input begins the next round
 *   crashload: done
 *
 * What a file contains follows from the operations (crashload.h). After each promise the task writes its mark, which goes
 * to the disk some time later: what comes after the mark in the disk's log of writes comes after the promise.
 * small: few bytes at a time, mostly over old ones: the kernel then puts file data into its log.
 */
#include <stdbool.h>
#include "user/tests/support.h"
#include "user/tests/crashload.h"
#include <stdio.h>

#define FILES      14                   /* 0-7 in /crash, the next three in d0, the last three in d1 */
#define DIRECTORIES 2
#define OPS_A_ROUND 30
#define BYTES_MAX  (1200 << 10)        /* of one task */
#define WRITE_MAX  (300u << 10)         /* beyond the direct blocks */

enum kind { NONE, ONE_FILE, SYMLINK };
struct inode { long size; long filled; int names; };
static struct { enum kind kind; int inode; } files[FILES];
static struct inode inodes[64];
static bool directories[DIRECTORIES];
static unsigned task, version;
static bool small;
static uint64_t random_state;
static int mark_fd, held_fd = -1;       /* held: a file without a name that is still open */
static unsigned char bytes[WRITE_MAX + 16];

static unsigned below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 20) % n;
}

static void fail(const char *what, const char *path)
{
    printf("FAIL crashload %u: %s %s after %u: %s\n", task, what, path, version, strerror(errno));
    exit(1);
}

static const char *path_of(int file)
{
    static char names[4][32];           /* several are in use at a time */
    static int next;
    char *name = names[next++ % 4];

    if (file < 8)
        snprintf(name, 32, "/crash/t%u-n%d", task, file);
    else
        snprintf(name, 32, "/crash/t%u-d%d/n%d", task, file >= 11, file);
    return name;
}

static const char *directory(int d)
{
    static char names[2][32];
    snprintf(names[d], 32, "/crash/t%u-d%d", task, d);
    return names[d];
}

/* One line, one write: lines of several tasks do not mix. */
static void say(const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (write(1, line, (size_t)n) != n)
        exit(1);
}

static bool parent_exists(int file) { return file < 8 || directories[file >= 11]; }

/* A random file of this kind in a directory that exists; -1: none. */
static int pick(enum kind kind)
{
    int first = (int)below(FILES);
    for (int i = 0; i < FILES; i++) {
        int file = (first + i) % FILES;
        if (files[file].kind == kind && parent_exists(file))
            return file;
    }
    return -1;
}

static long bytes_now(void)
{
    long sum = 0;
    for (size_t i = 0; i < COUNT(inodes); i++)
        if (inodes[i].names > 0)
            sum += inodes[i].filled;
    return sum;
}

static void drop_name(int file)
{
    if (files[file].kind == ONE_FILE)
        inodes[files[file].inode].names--;
    files[file].kind = NONE;
}

static int new_inode(void)
{
    for (size_t i = 0; i < COUNT(inodes); i++)
        if (inodes[i].names == 0) {
            inodes[i] = (struct inode){ .names = 1 };
            return (int)i;
        }
    return 0;
}

/* ---- Operations. Each says its line after it succeeded; the version is that of the line. */

static void create(void)
{
    int file = pick(NONE);
    if (file < 0)
        return;
    const char *path = path_of(file);
    int fd = open(path, O_CREATE | O_EXCL | O_WRONLY);
    if (fd < 0)
        fail("create", path);
    close(fd);
    files[file].kind = ONE_FILE;
    files[file].inode = new_inode();
    say("op: %u %u create %s\n", task, ++version, path);
}

static size_t some_size(void)
{
    if (small)
        return 1 + below(below(4) ? 600 : 6000);
    switch (below(16)) {
    case 0: case 1: case 2: return 1 + below(100);
    case 3: case 4: case 5: return 1 + below(5000);
    case 6: case 7:         return 4096 * (1 + below(4));
    case 8:                 return 90000 + below(WRITE_MAX - 90000);
    default:                return 1 + below(40000);
    }
}

static void write_at(int file, long offset, size_t n, int flags)
{
    const char *path = path_of(file);
    struct inode *inode = &inodes[files[file].inode];
    int fd = open(path, flags);
    if (fd < 0)
        fail("open", path);
    version++;
    for (uint64_t word = (uint64_t)offset / 8; word <= ((uint64_t)offset + n) / 8; word++) {
        uint64_t value = crash_word(task, version, word);
        memcpy(bytes + (word - (uint64_t)offset / 8) * 8, &value, 8);
    }
    if (!(flags & O_APPEND))
        lseek(fd, offset, SEEK_SET);
    if (write(fd, bytes + offset % 8, n) != (ssize_t)n)
        fail("write", path);
    close(fd);
    inode->filled += (long)n;
    if (offset + (long)n > inode->size)
        inode->size = offset + (long)n;
    say("op: %u %u write %s %ld %lu\n", task, version, path, offset, (unsigned long)n);
}

static void write_somewhere(void)
{
    int file = pick(ONE_FILE);
    if (file < 0)
        return;
    struct inode *inode = &inodes[files[file].inode];
    size_t n = some_size();
    if (bytes_now() + (long)n > BYTES_MAX)
        n = 1 + n % 200;
    long offset = inode->size;
    int how = (int)below(8);
    if (how < (small ? 7 : 4) && inode->size > 0)
        offset = below((unsigned)inode->size);          /* overwrite, perhaps beyond the end */
    else if (how == 4)
        offset = inode->size + below(20000);            /* leaves a hole */
    else if (how == 5 && below(4) == 0 && n < 20000)
        offset = (22 + 1024) * 4096l + below(100000);   /* the double-indirect blocks */
    write_at(file, offset, n, offset == inode->size ? O_WRONLY | O_APPEND : O_WRONLY);
}

static void truncate_one(void)
{
    int file = pick(ONE_FILE);
    if (file < 0)
        return;
    const char *path = path_of(file);
    struct inode *inode = &inodes[files[file].inode];
    int how = (int)below(4);
    long size = how == 0 || inode->size == 0 ? 0 : how == 1 ? inode->size + below(9000) : below((unsigned)inode->size);
    int fd = open(path, how == 0 ? O_WRONLY | O_TRUNC : O_WRONLY);
    if (fd < 0 || (how != 0 && ftruncate(fd, size) != 0))
        fail("truncate", path);
    close(fd);
    inode->size = size;
    if (inode->filled > size)
        inode->filled = size;
    say("op: %u %u truncate %s %ld\n", task, ++version, path, size);
}

/* Sometimes the file stays open without a name, and grows: a crash leaves it to be freed. It only grows: until the unlink is
 * committed a crash gives the name back, and what was written over in place with it. */
static void unlink_one(void)
{
    int file = pick(below(5) == 0 ? SYMLINK : ONE_FILE);
    if (file < 0)
        return;
    const char *path = path_of(file);
    bool hold = files[file].kind == ONE_FILE && inodes[files[file].inode].names == 1 && held_fd < 0 && below(2) == 0;
    if (hold && (held_fd = open(path, O_RDWR)) < 0)
        fail("open", path);
    if (unlink(path) != 0)
        fail("unlink", path);
    drop_name(file);
    say("op: %u %u unlink %s\n", task, ++version, path);
    if (hold && (lseek(held_fd, 0, SEEK_END) < 0 || write(held_fd, bytes, 1 + below(50000)) < 0))
        fail("write without a name", path);
}

static void rename_one(void)
{
    int from = pick(below(4) == 0 ? SYMLINK : ONE_FILE), to = pick(below(2) ? NONE : ONE_FILE);
    if (from < 0 || to < 0 || from == to
        || (files[to].kind == ONE_FILE && files[from].kind == ONE_FILE && files[to].inode == files[from].inode))
        return;
    const char *old = path_of(from), *new = path_of(to);
    if (rename(old, new) != 0)
        fail("rename", old);
    drop_name(to);
    files[to] = files[from];
    files[from].kind = NONE;
    say("op: %u %u rename %s %s\n", task, ++version, old, new);
}

static void link_one(void)
{
    int from = pick(ONE_FILE), to = pick(NONE);
    if (from < 0 || to < 0)
        return;
    const char *old = path_of(from), *new = path_of(to);
    if (link(old, new) != 0)
        fail("link", old);
    files[to] = files[from];
    inodes[files[from].inode].names++;
    say("op: %u %u link %s %s\n", task, ++version, old, new);
}

static void symlink_one(void)
{
    int file = pick(NONE);
    if (file < 0)
        return;
    const char *path = path_of(file);
    char target[80];
    snprintf(target, sizeof target, "somewhere/%u/%.*s", version, (int)below(60),
             "a-long-way-from-here-there-was-once-a-file-that-had-no-name-at-all");
    if (symlink(target, path) != 0)
        fail("symlink", path);
    files[file].kind = SYMLINK;
    say("op: %u %u symlink %s %s\n", task, ++version, path, target);
}

static bool directory_is_empty(int d)
{
    for (int file = d ? 11 : 8; file < (d ? FILES : 11); file++)
        if (files[file].kind != NONE)
            return false;
    return true;
}

static void change_directory(void)
{
    int d = (int)below(2);
    const char *path = directory(d);
    if (!directories[d]) {
        if (mkdir(path) != 0)
            fail("mkdir", path);
        directories[d] = true;
        say("op: %u %u mkdir %s\n", task, ++version, path);
    } else if (directory_is_empty(d)) {
        if (unlink(path) != 0)
            fail("rmdir", path);
        directories[d] = false;
        say("op: %u %u rmdir %s\n", task, ++version, path);
    } else if (!directories[!d] || directory_is_empty(!d)) {
        if (rename(path, directory(!d)) != 0)
            fail("rename", path);
        for (int i = 0; i < 3; i++) {
            files[d ? 8 + i : 11 + i] = files[d ? 11 + i : 8 + i];
            files[d ? 11 + i : 8 + i].kind = NONE;
        }
        directories[!d] = true;
        directories[d] = false;
        say("op: %u %u rename %s %s\n", task, ++version, path, directory(!d));
        /* the slots have names of their own, which must exist: give each file its slot's */
        for (int i = 0; i < 3; i++) {
            int slot = d ? 8 + i : 11 + i;
            char old[48];
            snprintf(old, sizeof old, "%s/n%d", directory(!d), d ? 11 + i : 8 + i);
            if (files[slot].kind == NONE)
                continue;
            if (rename(old, path_of(slot)) != 0)
                fail("rename", old);
            say("op: %u %u rename %s %s\n", task, ++version, old, path_of(slot));
        }
    }
}

static void operation(void)
{
    switch (below(20)) {
    case 0: case 1: case 2:  create();           break;
    case 3: case 4:          truncate_one();     break;
    case 5: case 6:          unlink_one();       break;
    case 7: case 8:          rename_one();       break;
    case 9:                  link_one();         break;
    case 10:                 symlink_one();      break;
    case 11: case 12:        change_directory(); break;
    default:                 write_somewhere();  break;
    }
}

/* ---- Promises */

static void promise(bool mark)
{
    int file = below(4) ? pick(ONE_FILE) : -1;
    const char *path = file < 0 ? "*" : path_of(file);
    if (file < 0) {
        if (sync() != 0)
            fail("sync", path);
    } else {
        int fd = open(path, O_RDONLY);
        if (fd < 0 || fsync(fd) != 0)
            fail("fsync", path);
        close(fd);
    }
    say("promise: %u %u %s %ld\n", task, version, path, file < 0 ? 0 : inodes[files[file].inode].size);
    struct crash_mark m = { CRASH_MARK_MAGIC, task, version, crash_word(task, version, CRASH_MARK_MAGIC) };
    if (mark && (lseek(mark_fd, 0, SEEK_SET) != 0 || write(mark_fd, &m, sizeof m) != sizeof m))
        fail("write", "the mark");
}

static void round_of_work(void)
{
    for (int i = 0; i < OPS_A_ROUND; i++) {
        operation();
        if (held_fd >= 0 && below(5) == 0) {
            close(held_fd);
            held_fd = -1;
        }
        if (below(6) == 0)
            promise(true);
    }
    promise(false);                             /* nothing is written after it: the disk's log ends here */
}

static void work(unsigned number, uint64_t seed, int go, int done)
{
    char path[32], byte;

    task = number;
    random_state = seed * 2654435769u + (number + 1) * 88172645463325252u;
    for (int i = 0; i < 8; i++)
        below(2);
    snprintf(path, sizeof path, "/crash/m%u", task);
    if ((mark_fd = open(path, O_CREATE | O_RDWR)) < 0)
        fail("create", path);
    while (read(go, &byte, 1) == 1) {
        round_of_work();
        if (write(done, "", 1) != 1)
            exit(1);
    }
    exit(0);
}

int main(int argc, char **argv)
{
    int ntasks = argc > 1 ? atoi(argv[1]) : 3, rounds = argc > 2 ? atoi(argv[2]) : 5, seed = argc > 3 ? atoi(argv[3]) : 1;
    small = argc > 4;
    int go[8][2], done[2], status, failed = 0;
    char line[16], byte;

    if (ntasks < 1 || ntasks > 8 || mkdir("/crash") != 0 || pipe(done) != 0) {
        printf("FAIL crashload: cannot start\n");
        return 1;
    }
    for (int i = 0; i < ntasks; i++) {
        if (pipe(go[i]) != 0)
            return 1;
        int pid = fork();
        if (pid < 0)
            return 1;
        if (pid == 0) {
            for (int k = 0; k <= i; k++)        /* so that it sees the end */
                close(go[k][1]);
            close(done[0]);
            work((unsigned)i, (uint64_t)seed, go[i][0], done[1]);
        }
        close(go[i][0]);
    }
    close(done[1]);
    for (int r = 1; r <= rounds && !failed; r++) {
        for (int i = 0; i < ntasks; i++)
            failed |= write(go[i][1], "", 1) != 1;
        for (int i = 0; i < ntasks && !failed; i++)
            failed |= read(done[0], &byte, 1) != 1;
        say("quiet: %d\n", r);
        gets(line, sizeof line);
    }
    for (int i = 0; i < ntasks; i++)
        close(go[i][1]);
    while (wait(&status) > 0)
        failed |= status != 0;
    say("crashload: %s\n", failed ? "FAIL" : "done");
    return failed;
}
