/*
 * tests/support.h -- what user test programs share beyond check.h: expected errors, children, bad pointers, files.
 */
#ifndef TAMAL_TESTS_SUPPORT_H
#define TAMAL_TESTS_SUPPORT_H

#include "abi/fsformat.h"
#include "machine.h"                            /* user/tests/$(ARCH)/ */
#include "user/tests/check.h"

#define PAGE 4096ul
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* FAILS -- the call returns -1 and leaves this error in errno. */
#define FAILS(call, error) \
    (errno = 0, check_fails((long)(call), error, __FILE__, __LINE__, #call))

static inline int check_fails(long result, int error, const char *file, int line, const char *text)
{
    int seen = errno;

    check_count++;
    if (result == -1 && seen == error)
        return 1;
    check_failures++;
    printf("FAIL %s:%d: %s is %ld, errno %d (%s); expected -1, errno %d (%s)\n", file, line, text, result, seen,
           strerror(seen), error, strerror(error));
    return 0;
}

/* in_child -- the exit status of a child that runs body(argument) and exits with its result; -1: it was killed. */
static inline int in_child(int (*body)(void *), void *argument)
{
    int status = -2;
    int pid = fork();

    if (pid == 0)
        exit(body(argument));
    if (pid < 0 || wait_for_task(pid, &status) != pid)
        return -2;
    return status;
}

/* checks_in_child -- body makes CHECKs in a child of its own; its failures are ours. */
static inline void checks_in_child(void (*body)(void))
{
    int status = -2;
    int pid = fork();

    if (pid == 0) {
        check_failures = 0;
        body();
        exit(check_failures != 0);
    }
    CHECK(pid > 0);
    CHECK_EQ(wait_for_task(pid, &status), pid);
    CHECK_EQ(status, 0);
}

/* Tasks killed for a bad access since boot: other programs may not run meanwhile. */
static inline uint64_t evictions_now(void)
{
    struct kcounters counters;
    return kcounters(&counters) == 0 ? counters.evictions : ~0ull;
}

/* EVICTED -- a child that runs body(argument) dies of a fault: status -1, one more eviction, and this task lives on. */
#define EVICTED(body, argument) \
    do { \
        uint64_t evictions_before = evictions_now(); \
        CHECK_EQ(in_child(body, (void *)(argument)), -1); \
        CHECK_EQ(evictions_now(), evictions_before + 1); \
    } while (0)

/* Addresses at which no byte belongs to a program. A call given one must answer EFAULT and harm nobody. */
#define BAD_POINTER(address) (char *)(address),
static char *const bad_pointers[] = { BAD_ADDRESSES(BAD_POINTER) };
#define BAD_POINTERS COUNT(bad_pointers)

/* Readable, not writable: an address in the program's text. */
int main();
static inline char *main_text(void)
{
    return (char *)main;
}

/* Make a file with these contents; its descriptor is closed. */
static inline int make_file(const char *path, const char *text)
{
    int fd = open(path, O_CREATE | O_TRUNC | O_WRONLY);
    size_t length = strlen(text);

    if (fd < 0)
        return -1;
    long written = write(fd, text, length);
    close(fd);
    return written == (long)length ? 0 : -1;
}

static inline int file_is(const char *path, const char *text)
{
    char buffer[256];
    int fd = open(path, O_RDONLY);

    if (fd < 0)
        return 0;
    long length = read(fd, buffer, sizeof buffer);
    close(fd);
    return length == (long)strlen(text) && memcmp(buffer, text, (size_t)length) == 0;
}

static inline int exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* A name of `length` times the same letter, with a NUL, in a buffer that the next call reuses. */
static inline char *long_name(size_t length, char letter)
{
    static char name[4096];

    memset(name, letter, length);
    name[length] = '\0';
    return name;
}

/* How many descriptors can be opened from here: closes them again. -1: some went missing. */
static inline int free_descriptors(void)
{
    static int fds[4096];
    int n = 0;

    while (n < 4096 && (fds[n] = open("/dev/null", O_RDONLY)) >= 0)
        n++;
    for (int i = 0; i < n; i++)
        close(fds[i]);
    return n;
}

#endif
