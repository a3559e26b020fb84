/* pipe: bytes come out in order and once; the ends' deaths are seen; bad memory harms neither end. */
#include "user/tests/support.h"

TEST(bad_addresses)
{
    int before = free_descriptors();

    for (size_t i = 0; i < BAD_POINTERS; i++)
        FAILS(pipe((int *)bad_pointers[i]), EFAULT);
    FAILS(pipe((int *)main_text()), EFAULT);
    char *top = sbrk(PAGE);
    FAILS(pipe((int *)(top + PAGE - 4)), EFAULT);       /* the second number does not fit */
    sbrk(-(long)PAGE);
    CHECK_EQ(free_descriptors(), before);               /* none stays open */
}

TEST(ends_have_their_direction)
{
    int fds[2];
    char byte = 'x';

    CHECK_EQ(pipe(fds), 0);
    CHECK(fds[0] >= 0 && fds[1] >= 0 && fds[0] != fds[1]);
    FAILS(write(fds[0], &byte, 1), EBADF);
    FAILS(read(fds[1], &byte, 1), EBADF);
    FAILS(lseek(fds[0], 0, SEEK_SET), ESPIPE);
    FAILS(ftruncate(fds[1], 0), EINVAL);
    CHECK_EQ(write(fds[1], &byte, 0), 0);
    CHECK_EQ(read(fds[0], &byte, 0), 0);
    struct stat st;
    CHECK_EQ(fstat(fds[0], &st), 0);
    CHECK_EQ(st.type, T_PIPE);
    close(fds[0]);
    close(fds[1]);
}

TEST(end_of_file_after_the_last_writer)
{
    char buffer[16];
    int fds[2];

    pipe(fds);
    int copy = dup(fds[1]);
    CHECK_EQ(write(fds[1], "abc", 3), 3);
    close(fds[1]);
    CHECK_EQ(write(copy, "de", 2), 2);          /* the other descriptor still writes */
    close(copy);
    CHECK_EQ(read(fds[0], buffer, sizeof buffer), 5);
    CHECK(memcmp(buffer, "abcde", 5) == 0);
    CHECK_EQ(read(fds[0], buffer, sizeof buffer), 0);
    CHECK_EQ(read(fds[0], buffer, sizeof buffer), 0);
    close(fds[0]);
}

TEST(writing_without_a_reader_is_epipe)
{
    int fds[2];

    pipe(fds);
    close(fds[0]);
    FAILS(write(fds[1], "x", 1), EPIPE);        /* xv6: -1, and no signal */
    FAILS(write(fds[1], "x", 1), EPIPE);
    close(fds[1]);
}

/* A writer that waits for room learns that the reader went away. */
TEST(reader_goes_while_a_writer_waits)
{
    static char block[1 << 20];
    char byte;
    int fds[2], status = -2;

    pipe(fds);
    int pid = fork();
    if (pid == 0) {
        close(fds[0]);
        long written = write(fds[1], block, sizeof block);
        exit(written < (long)sizeof block ? 3 : 4);
    }
    close(fds[1]);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 3);
}

static unsigned char expected(size_t i) { return (unsigned char)(i * 7 + i / 251); }

/* Two megabytes through the pipe in odd pieces. */
static void stream(size_t write_piece, size_t read_piece)
{
    static unsigned char out[70000], in[70000];
    const size_t total = 200000;
    size_t got = 0;
    int fds[2], status = -2, wrong = 0;
    long n;

    pipe(fds);
    int pid = fork();
    if (pid == 0) {
        close(fds[0]);
        for (size_t sent = 0; sent < total; ) {
            size_t piece = total - sent < write_piece ? total - sent : write_piece;
            for (size_t i = 0; i < piece; i++)
                out[i] = expected(sent + i);
            if (write(fds[1], out, piece) != (long)piece)
                exit(1);
            sent += piece;
        }
        exit(0);
    }
    close(fds[1]);
    while ((n = read(fds[0], in, read_piece)) > 0) {
        for (long i = 0; i < n; i++)
            wrong += in[i] != expected(got + (size_t)i);
        got += (size_t)n;
    }
    close(fds[0]);
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(got, total);
    CHECK_EQ(wrong, 0);
}

TEST(bytes_in_order)
{
    stream(1000, 1000);
    stream(4096, 512);
    stream(513, 4097);
    stream(70000, 1234);
    stream(777, 70000);
}

/* Several writers: pieces of up to 512 bytes are never mixed (kernel/fs/pipe.h). */
TEST(small_writes_do_not_mix)
{
    static unsigned char piece[512];
    int fds[2], wrong = 0, pieces = 0;

    pipe(fds);
    for (int w = 0; w < 4; w++)
        if (fork() == 0) {
            close(fds[0]);
            memset(piece, 'a' + w, sizeof piece);
            for (int i = 0; i < 60; i++)
                write(fds[1], piece, sizeof piece);
            exit(0);
        }
    close(fds[1]);
    for (;;) {
        size_t have = 0;
        long n;
        while (have < sizeof piece && (n = read(fds[0], piece + have, sizeof piece - have)) > 0)
            have += (size_t)n;
        if (have == 0)
            break;
        pieces++;
        for (size_t i = 1; i < have; i++)
            wrong += piece[i] != piece[0];
    }
    close(fds[0]);
    for (int w = 0; w < 4; w++)
        wait(0);
    CHECK_EQ(pieces, 240);
    CHECK_EQ(wrong, 0);
}

TEST(bad_memory)
{
    char byte;
    int fds[2];

    pipe(fds);
    for (size_t i = 0; i < BAD_POINTERS; i++) {
        FAILS(write(fds[1], bad_pointers[i], 1), EFAULT);
        CHECK_EQ(write(fds[1], "k", 1), 1);
        FAILS(read(fds[0], bad_pointers[i], 1), EFAULT);
        CHECK_EQ(read(fds[0], &byte, 1), 1);    /* the byte was not taken out */
        CHECK_EQ(byte, 'k');
    }
    CHECK_EQ(write(fds[1], "k", 1), 1);
    FAILS(read(fds[0], main_text(), 1), EFAULT);        /* text is read-only */
    char *top = sbrk(PAGE);
    long n = write(fds[1], top + PAGE - 10, 20);        /* half of it is there */
    CHECK(n == 10 || (n == -1 && errno == EFAULT));
    sbrk(-(long)PAGE);
    close(fds[0]);
    close(fds[1]);
}

TEST(sizes_that_wrap)
{
    char *page = sbrk(PAGE);
    int fds[2];

    pipe(fds);
    close(fds[0]);                              /* so that a write never waits */
    long n = write(fds[1], page, ~0ul);
    CHECK(n == -1 && (errno == EPIPE || errno == EFAULT || errno == EINVAL));
    n = write(fds[1], page, ~0ul >> 1);
    CHECK(n == -1 && (errno == EPIPE || errno == EFAULT || errno == EINVAL));
    close(fds[1]);
    pipe(fds);
    CHECK_EQ(write(fds[1], "abc", 3), 3);
    n = read(fds[0], page, ~0ul >> 1);          /* there is room for what is there */
    CHECK(n == 3 || (n == -1 && (errno == EFAULT || errno == EINVAL)));
    close(fds[0]);
    close(fds[1]);
    sbrk(-(long)PAGE);
}

TEST(many_pipes)
{
    static int fds[600][2];
    int n = 0;

    while (n < 600 && pipe(fds[n]) == 0)
        n++;
    CHECK(n >= 8);                              /* xv6 promises 16 descriptors in all */
    if (n < 600)
        CHECK(errno == EMFILE || errno == ENFILE || errno == ENOMEM);
    for (int i = 0; i < n; i++) {
        char byte = (char)i, back = 0;
        if (write(fds[i][1], &byte, 1) != 1 || read(fds[i][0], &back, 1) != 1 || back != byte) {
            CHECK_EQ(i, -1);
            break;
        }
    }
    for (int i = 0; i < n; i++) {
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

int main(void)
{
    RUN(bad_addresses);
    RUN(ends_have_their_direction);
    RUN(end_of_file_after_the_last_writer);
    RUN(writing_without_a_reader_is_epipe);
    RUN(reader_goes_while_a_writer_waits);
    RUN(bytes_in_order);
    RUN(small_writes_do_not_mix);
    RUN(bad_memory);
    RUN(sizes_that_wrap);
    RUN(many_pipes);
    return check_summary("pipe");
}
