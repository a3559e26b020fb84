/*
 * badptr: every call that takes an address, given every bad one. EFAULT, no harm, nothing half done; and addresses that
 * look odd but are good must work. A bad pointer in a call never kills the caller (R004-8).
 */
#include "user/tests/support.h"
#include "user/tests/region.h"

static int fd;                                  /* a file of two pages, read-write */
static char *page;                              /* one page of heap, nothing behind it */
static char cwd[64];

static void seek_start(void) { lseek(fd, 0, SEEK_SET); }

#define FOR_BAD_POINTERS(p) for (size_t i_ = 0; i_ < BAD_POINTERS; i_++) for (char *p = bad_pointers[i_], *once_ = (char *)1; once_; once_ = 0)

TEST(paths)
{
    struct stat st;
    struct statfs fs;
    char buffer[8];

    FOR_BAD_POINTERS(p) {
        FAILS(open(p, O_RDONLY), EFAULT);
        FAILS(open(p, O_CREATE | O_RDWR), EFAULT);
        FAILS(mknod(p, 1, 0), EFAULT);
        FAILS(mkdir(p), EFAULT);
        FAILS(unlink(p), EFAULT);
        FAILS(chdir(p), EFAULT);
        FAILS(link(p, "x"), EFAULT);
        FAILS(link("f", p), EFAULT);
        FAILS(symlink(p, "x"), EFAULT);
        FAILS(symlink("x", p), EFAULT);
        FAILS(readlink(p, buffer, sizeof buffer), EFAULT);
        FAILS(rename(p, "x"), EFAULT);
        FAILS(rename("f", p), EFAULT);
        FAILS(stat(p, &st), EFAULT);
        FAILS(lstat(p, &st), EFAULT);
        FAILS(statfs(p, &fs), EFAULT);
        FAILS(utime(p, 0), EFAULT);
    }
    CHECK(!exists("x") && exists("f"));
}

/* A path that runs into the end of its mapping before its NUL. */
TEST(paths_at_the_end_of_a_mapping)
{
    struct stat st;

    memcpy(page + PAGE - 4, "/tmp", 4);
    FAILS(stat(page + PAGE - 4, &st), EFAULT);
    memcpy(page + PAGE - 5, "/tmp", 5);
    CHECK_EQ(stat(page + PAGE - 5, &st), 0);    /* the NUL is the last byte */
    page[PAGE - 1] = 'x';
}

/* The same at the end of what a program may own at all: what comes next belongs to nobody, or to the kernel. */
TEST(paths_at_the_end_of_user_space)
{
    static char *const ends[] = { (char *)REGION_END, (char *)USER_STACK_TOP };
    char kept[8];
    struct stat st;

    CHECK_EQ((uintptr_t)malloco(REGION_END - REGION_BASE), REGION_BASE);
    for (size_t i = 0; i < COUNT(ends); i++) {
        char *end = ends[i], *args[] = { end - 8, 0 };
        memcpy(kept, end - 8, 8);
        memset(end - 8, '/', 8);
        for (size_t length = 1; length <= 8; length++)
            FAILS(stat(end - length, &st), EFAULT);
        FAILS(exec("/bin/true", args), EFAULT);
        *(char **)(end - sizeof(char *)) = cwd;
        FAILS(exec("/bin/true", (char **)(end - sizeof(char *))), EFAULT);     /* argv[] has no NULL */
        memcpy(end - 8, "///////", 8);
        CHECK_EQ(stat(end - 8, &st), 0);
        memcpy(end - 8, kept, 8);
    }
    CHECK_EQ(chau((void *)REGION_BASE), 0);
}

TEST(buffers)
{
    FOR_BAD_POINTERS(p) {
        seek_start();
        FAILS(read(fd, p, 1), EFAULT);
        FAILS(read(fd, p, 5000), EFAULT);
        seek_start();
        FAILS(write(fd, p, 1), EFAULT);
        FAILS(write(fd, p, 5000), EFAULT);
        FAILS(fstat(fd, (struct stat *)p), EFAULT);
        FAILS(stat("f", (struct stat *)p), EFAULT);
        FAILS(lstat("f", (struct stat *)p), EFAULT);
        FAILS(statfs("/", (struct statfs *)p), EFAULT);
        FAILS(readlink("l", p, 5), EFAULT);
        FAILS(kcounters((struct kcounters *)p), EFAULT);
        FAILS(tasklist((struct task_info *)p, 10), EFAULT);
        FAILS(syscall(24, p), EFAULT);          /* time */
        FAILS(syscall(28, p, 64), EFAULT);      /* getcwd */
    }
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.size, 2 * PAGE);                /* no write grew it */
}

TEST(read_only_memory)
{
    char *text = main_text();
    char before = *text;

    seek_start();
    FAILS(read(fd, text, 1), EFAULT);
    FAILS(fstat(fd, (struct stat *)text), EFAULT);
    FAILS(kcounters((struct kcounters *)text), EFAULT);
    FAILS(tasklist((struct task_info *)text, 4), EFAULT);
    FAILS(syscall(24, text), EFAULT);
    FAILS(syscall(28, text, 64), EFAULT);
    FAILS(read(fd, (char *)"constant", 1), EFAULT);
    CHECK_EQ(*text, before);
    seek_start();
    CHECK_EQ(write(fd, text, 100), 100);        /* reading it is fine */
}

TEST(across_the_end_of_a_mapping)
{
    char *end = page + PAGE;

    seek_start();
    long n = read(fd, end - 10, 20);            /* what fits may have been read, but never less is said than done */
    CHECK(n == 10 || (n == -1 && errno == EFAULT));
    seek_start();
    n = write(fd, end - 10, 20);
    CHECK(n == 10 || (n == -1 && errno == EFAULT));
    FAILS(fstat(fd, (struct stat *)(end - sizeof(struct stat) + 1)), EFAULT);
    FAILS(fstat(fd, (struct stat *)(end - 1)), EFAULT);
    FAILS(kcounters((struct kcounters *)(end - 8)), EFAULT);
    FAILS(statfs("/", (struct statfs *)(end - 8)), EFAULT);
    FAILS(syscall(24, end - 4), EFAULT);
    FAILS(readlink("l", end - 2, 5), EFAULT);
    FAILS(syscall(28, end - 1, 64), EFAULT);
    CHECK_EQ(fstat(fd, (struct stat *)(end - sizeof(struct stat))), 0);
    CHECK_EQ(kcounters((struct kcounters *)(end - sizeof(struct kcounters))), 0);
    seek_start();
    CHECK_EQ(read(fd, end - 10, 10), 10);
}

TEST(sizes_that_wrap)
{
    static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4096, SIZE_MAX / 2 + 1, SIZE_MAX / 2, USER_LIMIT,
                                    USER_LIMIT / 2, 0xffffffff };
    struct stat st;

    for (size_t i = 0; i < COUNT(sizes); i++) {
        seek_start();
        long n = write(fd, page, sizes[i]);     /* the memory that is there may have been written */
        CHECK((n >= 0 && n <= (long)PAGE) || (n == -1 && (errno == EFAULT || errno == EINVAL)));
        seek_start();
        n = read(fd, page, sizes[i]);
        CHECK((n >= 0 && n <= (long)PAGE) || (n == -1 && (errno == EFAULT || errno == EINVAL)));
        n = readlink("l", page, sizes[i]);
        CHECK(n == 7 || (n == -1 && (errno == EFAULT || errno == EINVAL)));
        n = (long)syscall(28, page, sizes[i]);
        CHECK(n >= 0 || errno == EFAULT || errno == EINVAL);
        n = read(fd, (char *)(SIZE_MAX - sizes[i] + 1), sizes[i]);      /* pointer + size is 0 */
        CHECK(n == -1 && (errno == EFAULT || errno == EINVAL));
    }
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.size, 2 * PAGE);
}

TEST(nothing_to_copy_is_no_error)
{
    seek_start();
    CHECK_EQ(read(fd, page, 0), 0);
    CHECK_EQ(write(fd, page, 0), 0);
    long n = read(fd, 0, 0);
    CHECK(n == 0 || (n == -1 && errno == EFAULT));
    CHECK(tasklist(0, 0) > 0);                  /* max 0 only asks how many */
}

TEST(misaligned_is_fine)
{
    static char room[600];

    for (int shift = 1; shift < 8; shift++) {
        struct stat st;
        CHECK_EQ(fstat(fd, (struct stat *)(room + shift)), 0);
        memcpy(&st, room + shift, sizeof st);
        CHECK_EQ(st.size, 2 * PAGE);
        CHECK_EQ(kcounters((struct kcounters *)(room + shift)), 0);
        CHECK(tasklist((struct task_info *)(room + shift), 2) > 0);
        CHECK_EQ(syscall(24, room + shift), 0);
        seek_start();
        CHECK_EQ(read(fd, room + shift, 500), 500);
    }
}

TEST(untouched_memory_is_faulted_in)            /* lazy heap, and lazier */
{
    char *lazy = sbrk(8 * PAGE), *lazier = sbrklazy(8 * PAGE);

    seek_start();
    CHECK_EQ(read(fd, lazy + 100, 2 * PAGE), 2 * PAGE);
    seek_start();
    CHECK_EQ(read(fd, lazier + 100, 2 * PAGE), 2 * PAGE);
    CHECK(memcmp(lazy + 100, lazier + 100, 2 * PAGE) == 0);
    CHECK_EQ(kcounters((struct kcounters *)(lazier + 6 * PAGE - 20)), 0);
    seek_start();
    CHECK_EQ(write(fd, lazy + 4 * PAGE, PAGE), PAGE);       /* reads as zero */
    CHECK_EQ(stat("f", (struct stat *)(lazier + 7 * PAGE)), 0);
    sbrk(-16 * (long)PAGE);
}

TEST(tasklist_never_writes_too_much)
{
    static struct task_info rows[64];

    int live = tasklist(0, 0);
    CHECK(live >= 2 && live < 60);
    memset(rows, 0xee, sizeof rows);
    CHECK_EQ(tasklist(rows, 1), live);
    CHECK(rows[0].pid > 0);
    CHECK_EQ(*(unsigned char *)&rows[1], 0xee); /* the byte after row max-1 */
    CHECK_EQ(tasklist(rows, 64), live);
    CHECK_EQ(*(unsigned char *)&rows[live], 0xee);
    for (int i = 1; i < live; i++)
        CHECK(rows[i].pid > rows[i - 1].pid);
    FAILS(tasklist(rows, -1), EINVAL);
    FAILS(tasklist(rows, (int)0x80000000), EINVAL);
    CHECK_EQ(tasklist(rows, 0x7fffffff), live); /* max * size would wrap; only the live ones count */
    FAILS(tasklist((struct task_info *)(page + PAGE - 64), 0x7fffffff), EFAULT);
}

int main(void)
{
    getcwd(cwd, sizeof cwd);
    mkdir("/tmp");
    CHECK_EQ(mkdir("/tmp/badptr-test"), 0);
    chdir("/tmp/badptr-test");
    symlink("./././f", "l");
    fd = open("f", O_CREATE | O_RDWR);
    ftruncate(fd, 2 * PAGE);
    sbrk((intptr_t)(-(uintptr_t)sbrk(0) & (PAGE - 1)));
    page = sbrk(PAGE);
    RUN(paths);
    RUN(paths_at_the_end_of_a_mapping);
    RUN(paths_at_the_end_of_user_space);
    RUN(buffers);
    RUN(read_only_memory);
    RUN(across_the_end_of_a_mapping);
    RUN(sizes_that_wrap);
    RUN(nothing_to_copy_is_no_error);
    RUN(misaligned_is_fine);
    RUN(untouched_memory_is_faulted_in);
    RUN(tasklist_never_writes_too_much);
    close(fd);
    unlink("l"), unlink("f");
    chdir("/");
    CHECK_EQ(unlink("/tmp/badptr-test"), 0);
    return check_summary("badptr");
}
