/* open read write close dup dup2 lseek ftruncate fstat: descriptors and the bytes behind them. */
#include <limits.h>
#include "user/tests/support.h"

TEST(bad_descriptors)
{
    static const int bad[] = { -1, -2, 50, 1000, 4096, 0x7fffffff, (int)0x80000000, 1 << 20 };
    struct stat st;
    char byte;

    for (size_t i = 0; i < COUNT(bad); i++) {
        FAILS(read(bad[i], &byte, 1), EBADF);
        FAILS(write(bad[i], &byte, 1), EBADF);
        FAILS(close(bad[i]), EBADF);
        FAILS(dup(bad[i]), EBADF);
        FAILS(dup2(bad[i], 9), EBADF);
        FAILS(fstat(bad[i], &st), EBADF);
        FAILS(lseek(bad[i], 0, SEEK_SET), EBADF);
        FAILS(ftruncate(bad[i], 0), EBADF);
        FAILS(fsync(bad[i]), EBADF);
        FAILS(ttymode(bad[i], TTY_COOKED), EBADF);
        FAILS(tcsetpgrp(bad[i], 1), EBADF);
    }
    FAILS(dup2(1, -1), EBADF);
    FAILS(dup2(1, 0x7fffffff), EBADF);
    FAILS(dup2(1, (int)0x80000000), EBADF);
}

TEST(lowest_descriptor_first)
{
    int a = open("/dev/null", O_RDONLY), b = dup(a), c = dup(a);

    CHECK(b == a + 1 && c == b + 1);
    CHECK_EQ(close(b), 0);
    CHECK_EQ(open("/dev/zero", O_RDONLY), b);
    CHECK_EQ(close(a), 0);
    CHECK_EQ(dup(c), a);
    close(a), close(b), close(c);
}

TEST(descriptors_run_out_and_come_back)
{
    static int fds[5000];
    int n = 0, pipes[2];

    while (n < 5000 && (fds[n] = open("/dev/null", O_RDONLY)) >= 0)
        n++;
    CHECK(n >= 13);                             /* xv6: 16 in all */
    if (n < 5000) {
        int error = errno;
        CHECK(error == EMFILE || error == ENFILE);
        FAILS(dup(0), error);
        FAILS(pipe(pipes), error);
        close(fds[n - 1]);
        error = (pipe(pipes) == -1) ? errno : 0;        /* a pipe needs two */
        CHECK(error == EMFILE || error == ENFILE);
        CHECK_EQ(dup(0), fds[n - 1]);           /* and took none */
    }
    for (int i = 0; i < n; i++)
        close(fds[i]);
    CHECK_EQ(free_descriptors(), n);
}

TEST(flags_of_open)
{
    char byte = 'x';

    unlink("f");
    FAILS(open("f", O_RDONLY), ENOENT);
    int fd = open("f", O_CREATE | O_WRONLY);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "12345", 5), 5);
    FAILS(read(fd, &byte, 1), EBADF);
    close(fd);
    FAILS(open("f", O_CREATE | O_EXCL | O_RDWR), EEXIST);
    fd = open("f", O_CREATE | O_RDONLY);        /* it is there: not emptied */
    CHECK_EQ(read(fd, &byte, 1), 1);
    CHECK_EQ(byte, '1');
    FAILS(write(fd, &byte, 1), EBADF);
    close(fd);
    fd = open("f", O_RDWR | O_TRUNC);
    CHECK_EQ(read(fd, &byte, 1), 0);
    close(fd);
    fd = open("f", O_WRONLY | O_APPEND);
    CHECK_EQ(write(fd, "abc", 3), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(write(fd, "def", 3), 3);           /* goes to the end all the same */
    close(fd);
    CHECK(file_is("f", "abcdef"));
    FAILS(open("f", O_ACCMODE), EINVAL);        /* neither reading nor writing is not one of the three */
    FAILS(open("/", O_RDWR), EISDIR);
    FAILS(open("/", O_WRONLY), EISDIR);
    FAILS(open("f/x", O_RDONLY), ENOTDIR);
    FAILS(open("nodir/x", O_CREATE | O_RDWR), ENOENT);
    unlink("f");
}

TEST(offsets_are_shared_by_dup_and_fork_not_by_open)
{
    char text[8] = { 0 };

    CHECK_EQ(make_file("f", "0123456789"), 0);
    int a = open("f", O_RDONLY), b = dup(a), c = open("f", O_RDONLY);
    CHECK_EQ(read(a, text, 2), 2);
    CHECK_EQ(read(b, text, 2), 2);
    CHECK(memcmp(text, "23", 2) == 0);
    CHECK_EQ(read(c, text, 2), 2);
    CHECK(memcmp(text, "01", 2) == 0);
    int pid = fork();
    if (pid == 0)
        exit(read(a, text, 3) == 3 && memcmp(text, "456", 3) == 0 ? 0 : 1);
    int status = -2;
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(read(b, text, 1), 1);
    CHECK_EQ(text[0], '7');
    close(a);
    CHECK_EQ(read(b, text, 1), 1);              /* the other one lives */
    close(b), close(c);
    unlink("f");
}

TEST(dup2_replaces)
{
    char byte;

    make_file("f", "F"), make_file("g", "G");
    int f = open("f", O_RDONLY), g = open("g", O_RDONLY);
    CHECK_EQ(dup2(f, g), g);
    CHECK_EQ(read(g, &byte, 1), 1);
    CHECK_EQ(byte, 'F');
    CHECK_EQ(dup2(f, f), f);                    /* onto itself: nothing happens */
    CHECK_EQ(read(f, &byte, 1), 0);
    CHECK_EQ(dup2(f, 15), 15);
    close(f), close(g), close(15);
    unlink("f"), unlink("g");
}

TEST(lseek_goes_anywhere_from_zero_up)
{
    char byte;

    make_file("f", "0123456789");
    int fd = open("f", O_RDWR);
    CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
    CHECK_EQ(lseek(fd, 2, SEEK_CUR), 6);
    CHECK_EQ(lseek(fd, -1, SEEK_END), 9);
    CHECK_EQ(read(fd, &byte, 1), 1);
    CHECK_EQ(byte, '9');
    FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
    FAILS(lseek(fd, -11, SEEK_END), EINVAL);
    FAILS(lseek(fd, -100, SEEK_CUR), EINVAL);
    FAILS(lseek(fd, 0, 3), EINVAL);
    FAILS(lseek(fd, 0, -1), EINVAL);
    lseek(fd, 5, SEEK_SET);
    long wrapped = lseek(fd, LONG_MAX, SEEK_CUR);       /* the sum overflows */
    CHECK(wrapped == -1);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);        /* what failed moved nothing */
    CHECK_EQ(lseek(fd, 1000, SEEK_END), 1010);  /* beyond the end: allowed, reads nothing */
    CHECK_EQ(read(fd, &byte, 1), 0);
    CHECK_EQ(write(fd, "x", 1), 1);             /* makes a hole */
    struct stat st;
    fstat(fd, &st);
    CHECK_EQ(st.size, 1011);
    CHECK_EQ(lseek(fd, 500, SEEK_SET), 500);
    CHECK_EQ(read(fd, &byte, 1), 1);
    CHECK_EQ(byte, 0);
    close(fd);
    unlink("f");
}

TEST(too_big)
{
    int fd = open("f", O_CREATE | O_RDWR);
    uint64_t most = (uint64_t)FS_MAX_BLOCKS * FS_BLOCK_SIZE;
    struct stat st;

    long at = lseek(fd, LONG_MAX - 15, SEEK_SET);
    if (LONG_MAX > most) {
        long border = (long)most;
        if (at >= 0) {
            long n = write(fd, "x", 1);
            CHECK(n == -1 && (errno == EFBIG || errno == EINVAL));
        }
        if (lseek(fd, border, SEEK_SET) == border)
            FAILS(write(fd, "x", 1), EFBIG);
        FAILS(ftruncate(fd, border + 1), EFBIG);
        FAILS(ftruncate(fd, LONG_MAX), EFBIG);
    } else {                                    /* no offset is too big: the largest one works */
        CHECK_EQ(at, LONG_MAX - 15);
        CHECK_EQ(write(fd, "0123456789abcdef", 16), 16);
        fstat(fd, &st);
        CHECK_EQ(st.size, LONG_MAX + 1ull);
        FAILS(lseek(fd, 0, SEEK_CUR), EINVAL);  /* where a long cannot say it is */
        CHECK_EQ(ftruncate(fd, LONG_MAX), 0);
        CHECK_EQ(ftruncate(fd, 0), 0);
    }
    FAILS(ftruncate(fd, -1), EINVAL);
    fstat(fd, &st);
    CHECK_EQ(st.size, 0);
    close(fd);
    unlink("f");
}

TEST(ftruncate_cuts_and_extends_with_zeros)
{
    char text[20];

    make_file("f", "0123456789");
    int fd = open("f", O_RDWR);
    CHECK_EQ(ftruncate(fd, 4), 0);
    CHECK_EQ(ftruncate(fd, 12), 0);
    CHECK_EQ(read(fd, text, sizeof text), 12);
    CHECK(memcmp(text, "0123\0\0\0\0\0\0\0\0", 12) == 0);
    CHECK_EQ(ftruncate(fd, 0), 0);
    lseek(fd, 0, SEEK_SET);
    CHECK_EQ(read(fd, text, sizeof text), 0);
    close(fd);
    fd = open("f", O_RDONLY);
    int result = ftruncate(fd, 0);
    CHECK(result == -1 && (errno == EINVAL || errno == EBADF));
    close(fd);
    int directory = open("/", O_RDONLY);
    result = ftruncate(directory, 0);
    CHECK(result == -1 && (errno == EINVAL || errno == EISDIR || errno == EBADF));
    close(directory);
    unlink("f");
}

TEST(fstat_tells_the_facts)
{
    struct stat st, other;

    make_file("f", "0123456789");
    int fd = open("f", O_RDONLY);
    memset(&st, 0xff, sizeof st);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.type, T_FILE);
    CHECK_EQ(st.size, 10);
    CHECK_EQ(st.nlink, 1);
    CHECK_EQ(st.blocks, 1);
    CHECK(st.ino > 1);
    CHECK_EQ(st.reserved, 0);                   /* no kernel bytes leak */
    CHECK_EQ(stat("f", &other), 0);
    CHECK(memcmp(&st, &other, sizeof st) == 0);
    close(fd);
    CHECK_EQ(stat("/", &st), 0);
    CHECK(st.type == T_DIR && st.ino == 1);
    CHECK_EQ(stat("/dev/console", &st), 0);
    CHECK(st.type == T_DEVICE && st.major == DEV_CONSOLE && st.size == 0);
    unlink("f");
}

TEST(devices)
{
    char text[64];

    memset(text, 'x', sizeof text);
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    CHECK(null >= 0 && zero >= 0);
    CHECK_EQ(read(null, text, sizeof text), 0);
    CHECK_EQ(write(null, text, sizeof text), sizeof text);
    CHECK_EQ(read(zero, text, 40), 40);
    CHECK(text[0] == 0 && text[39] == 0 && text[40] == 'x');
    CHECK_EQ(write(zero, text, sizeof text), sizeof text);
    for (size_t i = 0; i < BAD_POINTERS; i++)
        FAILS(read(zero, bad_pointers[i], 1), EFAULT);
    close(null), close(zero);
}

TEST(directories_are_read_as_records)
{
    struct dirent entries[64];
    int seen_dot = 0, seen_bin = 0;
    long n;

    int fd = open("/", O_RDONLY);
    CHECK(fd >= 0);
    while ((n = read(fd, entries, sizeof entries)) > 0) {
        CHECK_EQ(n % sizeof *entries, 0);
        for (long i = 0; i < n / (long)sizeof *entries; i++) {
            seen_dot += entries[i].inum != 0 && strcmp(entries[i].name, ".") == 0;
            seen_bin += entries[i].inum != 0 && strcmp(entries[i].name, "bin") == 0;
        }
    }
    CHECK_EQ(n, 0);
    CHECK(seen_dot == 1 && seen_bin == 1);
    FAILS(write(fd, entries, sizeof *entries), EBADF);
    close(fd);
}

/* xv6: a file without a name lives as long as a descriptor. */
TEST(unlinked_but_open)
{
    char text[8] = { 0 };
    struct stat st;

    int fd = open("f", O_CREATE | O_RDWR);
    CHECK_EQ(write(fd, "alive", 5), 5);
    CHECK_EQ(unlink("f"), 0);
    FAILS(open("f", O_RDONLY), ENOENT);
    CHECK_EQ(write(fd, "!", 1), 1);
    lseek(fd, 0, SEEK_SET);
    CHECK_EQ(read(fd, text, sizeof text), 6);
    CHECK(strcmp(text, "alive!") == 0);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.nlink, 0);
    CHECK_EQ(fsync(fd), 0);
    CHECK_EQ(close(fd), 0);
}

TEST(closed_by_exit_too)
{
    int fds[2];
    char byte;

    pipe(fds);
    if (fork() == 0)
        exit(0);
    wait(0);
    close(fds[1]);
    CHECK_EQ(read(fds[0], &byte, 1), 0);
    close(fds[0]);
}

TEST(mtime_moves_on_a_write)
{
    struct stat st;

    make_file("f", "x");
    CHECK_EQ(utime("f", 1000000000), 0);
    stat("f", &st);
    CHECK_EQ(st.mtime, 1000000000);
    int fd = open("f", O_WRONLY);
    CHECK_EQ(write(fd, "y", 1), 1);
    close(fd);
    stat("f", &st);
    CHECK(st.mtime > 1500000000);
    FAILS(utime("nosuch", 5), ENOENT);
    FAILS(utime("", 5), ENOENT);
    CHECK_EQ(utime("f", -5), 0);
    stat("f", &st);
    CHECK_EQ(st.mtime, -5);
    unlink("f");
}

TEST(no_descriptor_was_lost)
{
    static int before;

    if (before == 0)
        before = free_descriptors();
    else
        CHECK_EQ(free_descriptors(), before);
}

int main(void)
{
    mkdir("/tmp");
    mkdir("/tmp/file-test");
    CHECK_EQ(chdir("/tmp/file-test"), 0);
    RUN(no_descriptor_was_lost);
    RUN(bad_descriptors);
    RUN(lowest_descriptor_first);
    RUN(descriptors_run_out_and_come_back);
    RUN(flags_of_open);
    RUN(offsets_are_shared_by_dup_and_fork_not_by_open);
    RUN(dup2_replaces);
    RUN(lseek_goes_anywhere_from_zero_up);
    RUN(too_big);
    RUN(ftruncate_cuts_and_extends_with_zeros);
    RUN(fstat_tells_the_facts);
    RUN(devices);
    RUN(directories_are_read_as_records);
    RUN(unlinked_but_open);
    RUN(closed_by_exit_too);
    RUN(mtime_moves_on_a_write);
    RUN(no_descriptor_was_lost);
    chdir("/");
    unlink("/tmp/file-test");
    return check_summary("file");
}
