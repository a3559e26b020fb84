/*
 * exec: arguments arrive as given, descriptors stay open, and a call that fails leaves the caller as it was.
 * Run by itself with arguments, this program is also what it execs: see helper().
 */
#include "user/tests/support.h"
#include "instructions.h"

#define SELF "/tests/exec"
#define raw_exec(path, argv) syscall(7, path, argv)     /* the library's exec() also looks in /bin */

/* exec helper count LENGTH: succeeds if there are `count` more arguments of LENGTH bytes each.
 * stack: what the stack pointer was when main() was called. */
static int helper(int argc, char **argv, uintptr_t stack)
{
    if (strcmp(argv[1], "helper") == 0) {
        int count = atoi(argv[2]), length = atoi(argv[3]);
        if (argc != count + 4 || argv[argc] != 0)
            return 101;
        for (int i = 4; i < argc; i++)
            if ((int)strlen(argv[i]) != length)
                return 102;
        return 42;
    }
    if (strcmp(argv[1], "write") == 0)          /* to a descriptor that was open before */
        return write(atoi(argv[2]), argv[3], strlen(argv[3])) == (long)strlen(argv[3]) ? 43 : 103;
    if (strcmp(argv[1], "fresh") == 0)          /* a fresh address space: heap empty, floating point as at the start */
        return float_is_fresh() && ((uintptr_t)sbrk(0) & 0xfff) == 0 ? 44 : 104;
    if (strcmp(argv[1], "aligned") == 0)
        return stack % 16 == 0 ? 45 : 105;
    return 100;
}

static int exec_these(void *argv)
{
    raw_exec(SELF, (char **)argv);
    return errno;
}

TEST(arguments_arrive)
{
    char *none[] = { SELF, "helper", "0", "0", 0 };
    char *three[] = { SELF, "helper", "3", "5", "abcde", "fghij", "klmno", 0 };
    char *empty[] = { SELF, "helper", "2", "0", "", "", 0 };
    char *odd[] = { SELF, "aligned", "x", 0 };
    char *odder[] = { SELF, "aligned", 0 };

    CHECK_EQ(in_child(exec_these, none), 42);
    CHECK_EQ(in_child(exec_these, three), 42);
    CHECK_EQ(in_child(exec_these, empty), 42);
    CHECK_EQ(in_child(exec_these, odd), 45);
    CHECK_EQ(in_child(exec_these, odder), 45);
}

TEST(many_arguments)
{
    static char *argv[600];
    argv[0] = SELF, argv[1] = "helper", argv[2] = "500", argv[3] = "100";
    char *word = long_name(100, 'w');
    for (int i = 0; i < 500; i++)
        argv[4 + i] = word;
    CHECK_EQ(in_child(exec_these, argv), 42);   /* 50,000 bytes */
}

TEST(long_argument)
{
    char *argv[] = { SELF, "helper", "1", "3000", long_name(3000, 'x'), 0 };
    CHECK_EQ(in_child(exec_these, argv), 42);
}

TEST(too_much_is_e2big)
{
    static char *argv[70000];
    static char big[300000];

    for (size_t i = 0; i < COUNT(argv) - 1; i++)
        argv[i] = "x";
    CHECK_EQ(in_child(exec_these, argv), E2BIG);        /* too many */
    memset(big, 'b', sizeof big - 1);
    char *one[] = { SELF, big, 0 };
    CHECK_EQ(in_child(exec_these, one), E2BIG);         /* one too long */
    big[3999] = '\0';
    for (size_t i = 0; i < 100; i++)
        argv[i] = big;
    argv[100] = 0;
    CHECK_EQ(in_child(exec_these, argv), E2BIG);        /* 400,000 bytes together */
}

TEST(bad_pointers_are_efault)
{
    char *good[] = { SELF, "helper", "0", "0", 0 };

    for (size_t i = 0; i < BAD_POINTERS; i++) {
        FAILS(raw_exec(bad_pointers[i], good), EFAULT);
        FAILS(raw_exec(SELF, bad_pointers[i]), EFAULT);
        char *inner[] = { SELF, bad_pointers[i], 0 };
        if (i > 0)                              /* 0 ends the list */
            FAILS(raw_exec(SELF, inner), EFAULT);
    }
}

/* An argv that runs off the end of its mapping without a NULL; a string that does the same. */
TEST(arguments_at_the_end_of_a_mapping)
{
    char *top = sbrk(PAGE);
    char **argv = (char **)(top + PAGE - 2 * sizeof(char *));

    CHECK_EQ(sbrk(0), top + PAGE);
    argv[0] = SELF;
    argv[1] = SELF;
    FAILS(raw_exec(SELF, argv), EFAULT);
    memset(top, 's', PAGE);
    char *unterminated[] = { SELF, top + PAGE - 10, 0 };
    FAILS(raw_exec(SELF, unterminated), EFAULT);
    FAILS(raw_exec(top + PAGE - 10, unterminated), EFAULT);
    argv[0] = SELF;
    argv[1] = 0;                                /* the NULL is the last word: fine */
    int status = -2, pid = fork();
    if (pid == 0)
        exit(exec_these(argv));
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 99);
    sbrk(-(long)PAGE);
}

TEST(what_is_no_program)
{
    char *argv[] = { "x", 0 };

    FAILS(raw_exec("", argv), ENOENT);
    FAILS(raw_exec("/nosuch", argv), ENOENT);
    FAILS(raw_exec("/tests/exec/x", argv), ENOTDIR);
    FAILS(raw_exec("/bin", argv), EACCES);
    FAILS(raw_exec("/dev/null", argv), EACCES);
    FAILS(raw_exec(long_name(1500, 'n'), argv), ENAMETOOLONG);
    FAILS(raw_exec(long_name(60, 'n'), argv), ENAMETOOLONG);
    CHECK_EQ(make_file("empty", ""), 0);
    FAILS(raw_exec("empty", argv), ENOEXEC);
    CHECK_EQ(make_file("empty", "#!/bin/sh\necho hi\n"), 0);
    FAILS(raw_exec("empty", argv), ENOEXEC);
    unlink("empty");
}

TEST(descriptors_stay_open_and_share_their_offset)
{
    char text[16] = { 0 };
    char *argv[] = { SELF, "write", "9", "world", 0 };

    int fd = open("shared", O_CREATE | O_RDWR);
    CHECK_EQ(write(fd, "hello ", 6), 6);
    CHECK_EQ(dup2(fd, 9), 9);
    CHECK_EQ(in_child(exec_these, argv), 43);
    CHECK_EQ(write(fd, "!", 1), 1);             /* after what the program wrote */
    lseek(fd, 0, SEEK_SET);
    CHECK_EQ(read(fd, text, sizeof text), 12);
    CHECK(strcmp(text, "hello world!") == 0);
    close(fd);
    close(9);
    unlink("shared");
}

static int dirty_then_exec(void *argument)
{
    (void)argument;
    sbrk(100);
    float_leave_traces();
    char *argv[] = { SELF, "fresh", 0 };
    return exec_these(argv);
}

TEST(memory_and_floats_are_fresh)
{
    CHECK_EQ(in_child(dirty_then_exec, 0), 44);
}

TEST(through_a_symbolic_link_and_a_relative_path)
{
    char *argv[] = { "l", "helper", "0", "0", 0 };
    int status = -2, pid;

    CHECK_EQ(symlink(SELF, "link-to-exec"), 0);
    if ((pid = fork()) == 0) {
        raw_exec("link-to-exec", argv);
        exit(1);
    }
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 42);
    if ((pid = fork()) == 0) {
        chdir("/tests");
        raw_exec("./exec", argv);
        exit(1);
    }
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 42);
    unlink("link-to-exec");
}

TEST(failures_lose_no_frame)
{
    struct kcounters before, after;
    char *good[] = { SELF, 0 };
    char *bad[] = { SELF, (char *)KERNEL_ADDRESS, 0 };

    raw_exec(SELF, bad);
    kcounters(&before);
    for (int i = 0; i < 50; i++) {
        raw_exec(SELF, bad);
        raw_exec("/nosuch", good);
        raw_exec("/README", good);
    }
    kcounters(&after);
    CHECK(after.frames_free + after.frames_cached + 8 > before.frames_free + before.frames_cached);
    CHECK_EQ(after.pages_committed, before.pages_committed);
}

int main(int argc, char **argv)
{
    volatile uintptr_t stack = (uintptr_t)__builtin_dwarf_cfa();        /* volatile: the compiler believes it is aligned */
    if (argc > 1)
        return helper(argc, argv, stack);
    if (exists("/tmp/exec-test"))               /* run, alone, by arguments_at_the_end_of_a_mapping */
        return 99;
    mkdir("/tmp");
    CHECK_EQ(mkdir("/tmp/exec-test"), 0);
    CHECK_EQ(chdir("/tmp/exec-test"), 0);
    RUN(arguments_arrive);
    RUN(many_arguments);
    RUN(long_argument);
    RUN(too_much_is_e2big);
    RUN(bad_pointers_are_efault);
    RUN(arguments_at_the_end_of_a_mapping);
    RUN(what_is_no_program);
    RUN(descriptors_stay_open_and_share_their_offset);
    RUN(memory_and_floats_are_fresh);
    RUN(through_a_symbolic_link_and_a_relative_path);
    RUN(failures_lose_no_frame);
    chdir("/");
    unlink("/tmp/exec-test");
    return check_summary("exec");
}
