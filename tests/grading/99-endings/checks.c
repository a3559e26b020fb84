/* checks.c -- not a lab: programs that end in every way that the grader must tell apart, honest ones and liars. tests/test_grade.py. */
#include "labs/user_check.h"

static void good(void)
{
    EXPECT(1 + 1 == 2, "", "1 + 1: expected 2");
    EXPECT_EQ(check_random() == check_random(), 0, "", "two random numbers are equal");
}

static void wrong(void) { EXPECT_EQ(3, 4, "three", "the answer"); }

static void looks_at_nothing(void) { }

static void waits_for_ever(void)
{
    int fds[2];
    char byte;

    EXPECT(pipe(fds) == 0, "", "a pipe");
    read(fds[0], &byte, 1);                     /* we hold the other end ourselves */
}

static void spins(void)
{
    EXPECT(1, "", "");
    for (volatile int i = 0; ; i++)
        ;
}

static void reports_for_ever(void)
{
    for (;;) {
        pause(10);
        record("note", "still here");
    }
}

static void dies(void)
{
    EXPECT(1, "", "");
    *(volatile int *)8 = 1;
}

static void exits(void) { exit(0); }
static void resets(void) { reboot(); }
static void halts(void) { halt(0); }

static void floods(void)
{
    for (;;)
        printf("all work and no play makes the console a dull boy, says the student's loop\n");
}

/* ---- Liars */

/* What a good run says, word by word, but for the key. */
static void prints_the_expected(void)
{
    printf("@1 0123456789abcdef begin prints_the_expected\n@2 0123456789abcdef pass 2\n@3 0123456789abcdef end 0 0 0\nok\nPASS\n");
    halt(0);
}

/* A record of this very run, once more. */
static void repeats_itself(void)
{
    char text[] = "2 pass 7";
    uint64_t tag = record_tag(&check_key, text, strlen(text));

    printf("@2 %016llx pass 7\n@2 %016llx pass 7\n", (unsigned long long)tag, (unsigned long long)tag);
    halt(0);                                    /* and no end */
}

/* A child that found the numbers out, but not the key. */
static void lies_in_a_child(void)
{
    if (fork() == 0) {
        printf("@2 %016llx pass 100\n@3 %016llx end 0 0 0\n", 1ull, 2ull);
        halt(0);
    }
    wait(0);
}

static void hangs_after_printing(void)
{
    printf("@2 0123456789abcdef end 0 0 0\nAll tests passed\n");
    waits_for_ever();
}

/* Half of a line, then others' words: a record that is not whole is none. */
static void cuts_records(void)
{
    EXPECT(1, "", "");
    check_records++;                            /* as if number 2 had been lost on the way */
}

static const struct check checks[] = {
    { "good", good }, { "wrong", wrong }, { "looks_at_nothing", looks_at_nothing }, { "waits_for_ever", waits_for_ever },
    { "spins", spins }, { "reports_for_ever", reports_for_ever }, { "dies", dies }, { "exits", exits }, { "resets", resets },
    { "halts", halts }, { "floods", floods }, { "prints_the_expected", prints_the_expected }, { "repeats_itself", repeats_itself },
    { "lies_in_a_child", lies_in_a_child }, { "hangs_after_printing", hangs_after_printing }, { "cuts_records", cuts_records },
};

int main(void) { return run_check(checks, COUNT(checks)); }
