/*
 * user_check.h -- the frame of checks that are a program: the grader boots it in the place of /bin/init.
 *
 *   static void pages_are_zero(void)
 *   {
 *       char *block = malloco(PAGE);
 *       EXPECT(block[0] == 0, "not-zero", "page %p reads 0x%x, expected 0", block, block[0]);
 *   }
 *   static const struct check checks[] = { { "pages_are_zero", pages_are_zero }, ... };
 *   int main(void) { return run_check(checks, COUNT(checks)); }
 *
 * The file /job says which check to run, with which key and seed. The check is task 1 and alone: when it ends, or dies, the
 * machine goes off.
 */
#ifndef LABS_USER_CHECK_H
#define LABS_USER_CHECK_H

#include "labs/record.h"
#include "user/tests/pages.h"
#include <stdio.h>
#include <string.h>

struct check {
    const char *name;
    void      (*function)(void);
};

static struct record_key check_key;
static unsigned check_records, check_held, check_broken;
static int      check_child;                    /* its pid, in a child that makes records */
static uint64_t check_seed = 1;

/* One line, in one write(). */
static inline void record(const char *kind, const char *format, ...)
{
    char text[RECORD_MAX], line[RECORD_MAX + 32];
    va_list arguments;

    int number = snprintf(text, sizeof text, check_child != 0 ? "%u.%d" : "%u", ++check_records, check_child);
    int start = number + snprintf(text + number, sizeof text - (size_t)number, " %s ", kind);
    va_start(arguments, format);
    vsnprintf(text + start, sizeof text - (size_t)start, format, arguments);
    va_end(arguments);
    uint64_t tag = record_tag(&check_key, text, strlen(text));
    int length = snprintf(line, sizeof line, "@%.*s %016llx%s\n", number, text, (unsigned long long)tag, text + number);
    write(1, line, (size_t)length);
}

/* EXPECT -- whether it holds; if not: the key of a hint, and what was expected and what was seen. Only the first ones are told. */
#define EXPECT(condition, hint, ...) \
    ({ \
        int held_ = (condition) ? 1 : 0; \
        if (held_) \
            check_held++; \
        else if (check_broken++ < 8) \
            record("fail", hint "|" __VA_ARGS__); \
        held_; \
    })

#define EXPECT_EQ(seen, expected, hint, what) \
    do { \
        long long seen_ = CHECKED(seen), expected_ = CHECKED(expected); \
        EXPECT(seen_ == expected_, hint, what ": expected %lld, saw %lld", expected_, seen_); \
    } while (0)

/* The same numbers for the same seed. */
static inline uint32_t check_random(void)
{
    check_seed ^= check_seed << 13;
    check_seed ^= check_seed >> 7;
    check_seed ^= check_seed << 17;
    return (uint32_t)(check_seed >> 16);
}

/* in_child(), for a body that makes EXPECTs: those that do not hold are counted here, in the parent. */
static inline void expects_in_child(void (*body)(void))
{
    int status = -2, pid = fork();

    if (pid == 0) {
        check_child = getpid();
        check_records = check_broken = 0;
        body();
        exit(check_broken < 100 ? (int)check_broken : 100);
    }
    EXPECT(pid > 0, "", "fork gives a child: expected a pid, saw %d", pid);
    wait_for_task(pid, &status);
    EXPECT(status != -1, "", "the child that checks lives to its end: it was killed");
    if (status > 0)
        check_broken += (unsigned)status;
}

static inline void read_job(char name[64])
{
    char text[128] = "";
    int fd = open("/job", O_RDONLY);

    if (fd >= 0)
        read(fd, text, sizeof text - 1);
    close(fd);
    const char *rest = read_hex(read_hex(text, &check_key.word[0]), &check_key.word[1]);
    rest = read_hex(rest, &check_seed) + 1;             /* KEY SEED, a space, NAME */
    strlcpy(name, rest, 64);
}

/* Frames somebody could have, when all that is going on has ended: orphans buried, files written. */
static inline long frames_at_rest(void)
{
    struct kcounters c = counters_now();
    return frames_to_have(&c);
}

static inline int run_check(const struct check *checks, size_t count)
{
    char name[64];

    for (int fd = open("/dev/console", O_RDWR); fd >= 0 && fd < 2; )
        fd = dup(fd);
    read_job(name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(checks[i].name, name) != 0)
            continue;
        record("begin", "%s", name);
        long frames = frames_at_rest();
        uint64_t tasks = counters_now().tasks_live;
        checks[i].function();
        while (wait(0) > 0)                             /* children that the check left, and orphans */
            ;
        record("pass", "%u", check_held);
        record("end", "%u %ld %ld", check_broken, frames - frames_at_rest(), (long)(counters_now().tasks_live - tasks));
        halt(check_broken != 0);
    }
    record("note", "there is no check %s", name);
    halt(2);
    return 0;
}

#endif
