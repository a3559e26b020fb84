/* test_pipe: bytes come out of a pipe as they went in, for every mix of sizes; writes never mix; closing an end, lack of
 * memory and bad user memory end calls as pipe.h says; no frame is lost.
 *
 * Build: cc -fsanitize=address,undefined -pthread -I. -Ikernel -Itests/host tests/host/test_pipe.c
 * The kernel's floors below are played by POSIX threads: one mutex for all spinlocks, one condition for all waits. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"

/* Stand-ins for headers whose inline functions are the machine's or the allocator's. DEBUG: locks are real functions. */
#define DEBUG
#define ARCH_ARCH_H
#define SCHED_SCHED_H
#define MM_KALLOC_H
#include "lib/types.h"
void *alloc_page_raw(void);
void free_page(void *page);
struct context { uint32_t irq_depth; };
static inline void irq_off(void) { }
static inline void irq_on(void) { }
enum wait_mode { WAIT_KILLABLE, WAIT_FIRM };
struct task { bool killed; };
static __thread struct task self;
static struct task *current(void) { return &self; }
struct spinlock;
int  suspend(const void *on, struct spinlock *lock, enum wait_mode mode);
void wakeup(const void *on);
void preempt_point(void);
#include "kernel/fs/pipe.c"

static pthread_mutex_t big_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  event = PTHREAD_COND_INITIALIZER;
static long frames_out, objects_out, frames_left = 1000000;

void spinlock_init(struct spinlock *lock, const char *name, enum lock_rank rank) { (void)lock; (void)name; (void)rank; }
void acquire(struct spinlock *lock) { (void)lock; pthread_mutex_lock(&big_lock); }
void release(struct spinlock *lock) { (void)lock; pthread_mutex_unlock(&big_lock); }
void wakeup(const void *on) { (void)on; pthread_cond_broadcast(&event); }
void preempt_point(void) { }

int suspend(const void *on, struct spinlock *lock, enum wait_mode mode)
{
    (void)on; (void)lock; (void)mode;
    if (!self.killed)
        pthread_cond_wait(&event, &big_lock);
    return self.killed ? -EINTR : 0;
}

static bool bad_address(uintptr_t addr) { return addr < 4096; }

int copy_from_user(void *dst, vaddr_t src, size_t nbytes)
{
    if (bad_address(src.addr))
        return -EFAULT;
    memcpy(dst, (void *)src.addr, nbytes);
    return 0;
}

int copy_to_user(vaddr_t dst, const void *src, size_t nbytes)
{
    if (bad_address(dst.addr))
        return -EFAULT;
    memcpy((void *)dst.addr, src, nbytes);
    return 0;
}

void *alloc_page_raw(void)
{
    if (__atomic_load_n(&frames_left, __ATOMIC_RELAXED) <= 0)
        return NULL;
    __atomic_fetch_sub(&frames_left, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&frames_out, 1, __ATOMIC_RELAXED);
    return aligned_alloc(PAGE_SIZE, PAGE_SIZE);
}

void free_page(void *page)
{
    __atomic_fetch_add(&frames_left, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&frames_out, 1, __ATOMIC_RELAXED);
    free(page);
}

void *slab_alloc(struct slab_cache *cache) { objects_out++; return calloc(1, cache->object_size); }
void slab_free(struct slab_cache *cache, void *object) { (void)cache; objects_out--; free(object); }

/* ---- */

static vaddr_t user(const void *p) { return va_of((uintptr_t)p); }

static void empty_and_closed(void)
{
    char c = 'x';
    struct pipe *p = pipe_new();

    CHECK(pipe_write(p, user(&c), 0) == 0 && pipe_read(p, user(&c), 0) == 0);
    CHECK(pipe_write(p, user("abc"), 3) == 3 && pipe_available(p) == 3);
    CHECK(pipe_read(p, va_of(16), 2) == -EFAULT && pipe_available(p) == 3);
    CHECK(pipe_write(p, va_of(16), 2) == -EFAULT && pipe_available(p) == 3);
    CHECK(pipe_read(p, user(&c), 1) == 1 && c == 'a');
    pipe_close_end(p, true);
    CHECK(pipe_read(p, user(&c), 1) == 1 && c == 'b');
    CHECK(pipe_read(p, user(&c), 1) == 1 && c == 'c');
    CHECK(pipe_read(p, user(&c), 1) == 0);
    pipe_close_end(p, false);

    p = pipe_new();
    pipe_close_end(p, false);
    CHECK(pipe_write(p, user(&c), 1) == -EPIPE);
    pipe_close_end(p, true);

    p = pipe_new();
    self.killed = true;
    CHECK(pipe_read(p, user(&c), 1) == -EINTR && pipe_write(p, user(&c), 1) == -EINTR);
    self.killed = false;
    pipe_close_end(p, true);
    pipe_close_end(p, false);

    frames_left = 0;
    CHECK(pipe_new() == NULL);
    frames_left = 1000000;
    CHECK(frames_out == 0 && objects_out == 0);
}

struct job { struct pipe *pipe; size_t total; unsigned seed; };

static uint8_t byte_of(size_t i) { return (uint8_t)(i * 31 + (i >> 8) * 7); }

static void *stream_writer(void *arg)
{
    struct job *job = arg;
    uint8_t buf[20000];

    for (size_t done = 0; done < job->total; ) {
        size_t n = (size_t)rand_r(&job->seed) % (rand_r(&job->seed) % 2 ? sizeof(buf) : 50) + 1;
        n = MIN(n, job->total - done);
        for (size_t i = 0; i < n; i++)
            buf[i] = byte_of(done + i);
        if (pipe_write(job->pipe, user(buf), n) != (long)n)
            break;
        done += n;
    }
    pipe_close_end(job->pipe, true);
    return NULL;
}

/* One writer, one reader, random sizes; with few frames the writer must wait for the reader's. */
static void stream(long frames, unsigned seed)
{
    struct job job = { .total = 3000000, .seed = seed };
    uint8_t buf[9000];
    size_t done = 0;
    bool right = true;
    pthread_t writer;

    frames_left = frames;
    job.pipe = pipe_new();
    pthread_create(&writer, NULL, stream_writer, &job);
    for (long n; (n = pipe_read(job.pipe, user(buf), (size_t)rand_r(&seed) % sizeof(buf) + 1)) > 0; done += (size_t)n)
        for (long i = 0; i < n; i++)
            right &= buf[i] == byte_of(done + (size_t)i);
    pthread_join(writer, NULL);
    CHECK(right && done == job.total);
    pipe_close_end(job.pipe, false);
    CHECK(frames_out == 0 && objects_out == 0);
    frames_left = 1000000;
}

static void *record_writer(void *arg)
{
    struct job *job = arg;
    uint8_t record[4096];

    memset(record, (int)job->seed, sizeof(record));
    for (size_t i = 0; i < job->total; i++)
        if (pipe_write(job->pipe, user(record), sizeof(record)) != sizeof(record))
            break;
    return NULL;
}

static void writes_never_mix(void)
{
    enum { WRITERS = 4, RECORDS = 300 };
    struct pipe *p = pipe_new();
    struct job jobs[WRITERS];
    pthread_t threads[WRITERS];
    uint8_t record[4096];
    bool right = true;

    for (int i = 0; i < WRITERS; i++) {
        jobs[i] = (struct job){ .pipe = p, .total = RECORDS, .seed = (unsigned)i + 1 };
        pthread_create(&threads[i], NULL, record_writer, &jobs[i]);
    }
    for (int r = 0; r < WRITERS * RECORDS; r++) {
        for (size_t got = 0; got < sizeof(record); )
            got += (size_t)pipe_read(p, user(record + got), MIN((size_t)1000, sizeof(record) - got));
        for (size_t i = 1; i < sizeof(record); i++)
            right &= record[i] == record[0];
    }
    CHECK(right);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    pipe_close_end(p, true);
    pipe_close_end(p, false);
    CHECK(frames_out == 0);
}

static void *big_writer(void *arg)
{
    struct job *job = arg;
    uint8_t *buf = calloc(1, job->total);
    long n = pipe_write(job->pipe, user(buf), job->total);
    free(buf);
    return (void *)n;
}

/* The reader goes away while a writer is blocked: it gets what it had written, later writers -EPIPE. */
static void reader_leaves(void)
{
    struct job job = { .pipe = pipe_new(), .total = 1000000 };
    uint8_t buf[100];
    void *result;
    pthread_t writer;

    pthread_create(&writer, NULL, big_writer, &job);
    CHECK(pipe_read(job.pipe, user(buf), sizeof(buf)) > 0);
    pipe_close_end(job.pipe, false);
    pthread_join(writer, &result);
    CHECK((long)result > 0 && (long)result < 1000000);
    CHECK(pipe_write(job.pipe, user(buf), 1) == -EPIPE);
    pipe_close_end(job.pipe, true);
    CHECK(frames_out == 0 && objects_out == 0);
}

int main(void)
{
    empty_and_closed();
    for (unsigned seed = 1; seed <= 8; seed++) {
        stream(1000000, seed);
        stream(1, seed);
        stream(3, seed);
    }
    writes_never_mix();
    reader_leaves();
    return check_done("test_pipe");
}
