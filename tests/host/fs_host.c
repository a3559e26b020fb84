/*
 * fs_host.c -- the floors below kernel/fs, played on the host.
 *
 * Tasks are threads of which exactly one runs; it passes the turn when it suspends, and now and then when it takes a
 * spinlock, as another CPU could be there at that moment. All turns come from one random sequence: a seed repeats a run. When
 * nobody can run, the disk completes a request; when there is none, that is a deadlock and the test fails.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs_host.h"
#include "dev/console.h"
#include "fs/super.h"
#include "lib/printk.h"
#include "mkfs/check.h"
#include "mkfs/layout.h"
#include "mm/kalloc.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "sched/clock.h"
#include "sched/sleeplock.h"
#include "task/task.h"

void host_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    fflush(NULL);
    abort();
}

unsigned long host_checks;

/* ---- Random */
static uint64_t random_state = 88172645463325252ull;
void host_seed(uint64_t seed)
{
    random_state = seed * 2654435769u + 88172645463325252ull;
    for (int i = 0; i < 8; i++)
        host_random();
}
uint32_t host_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16);
}

/* ---- Messages */
bool host_quiet;
char host_last_message[256];
void printk(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(host_last_message, sizeof(host_last_message), format, args);
    va_end(args);
    if (!host_quiet)
        fputs(host_last_message, stderr);
}
void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    host_failed("panic", 0, format);
    abort();
}

/* ---- Tasks */
#define TASKS_MAX 32
static struct task tasks[TASKS_MAX], main_task = { .number = -1 };
static struct { pthread_t thread; void (*body)(long); long argument; } bodies[TASKS_MAX];
static int task_count;
static __thread struct task *self = &main_task;
static struct task *running = &main_task;
static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static bool multi;
static unsigned spin_depth;
static bool in_interrupt;               /* a request is being completed: no turn passes */

struct task *current(void) { return self; }
static bool complete_one(void);

static struct task *pick(void)
{
    for (;;) {
        struct task *ready[TASKS_MAX];
        int n = 0;
        for (int i = 0; i < task_count; i++)
            if (!tasks[i].over && tasks[i].wait_on == NULL)
                ready[n++] = &tasks[i];
        if (n > 0 && (host_random() % 16 != 0 || !complete_one()))
            return ready[host_random() % (unsigned)n];
        if (n == 0 && !complete_one()) {
            bool all_over = true;
            for (int i = 0; i < task_count; i++)
                all_over &= tasks[i].over;
            if (all_over)
                return &main_task;
            for (int i = 0; i < task_count; i++)
                if (!tasks[i].over)
                    fprintf(stderr, "task %d waits for %p\n", i, tasks[i].wait_on);
            host_failed("deadlock", 0, "nobody can run");
        }
    }
}

static void pass_turn(void)
{
    running = pick();
    if (running == self)
        return;
    pthread_mutex_lock(&turn_lock);
    pthread_cond_broadcast(&turn);
    while (running != self && !self->over)
        pthread_cond_wait(&turn, &turn_lock);
    pthread_mutex_unlock(&turn_lock);
}

static void *thread_main(void *argument)
{
    self = argument;
    pthread_mutex_lock(&turn_lock);
    while (running != self)
        pthread_cond_wait(&turn, &turn_lock);
    pthread_mutex_unlock(&turn_lock);
    bodies[self->number].body(bodies[self->number].argument);
    self->over = true;
    pass_turn();
    return NULL;
}

void host_spawn(void (*body)(long), long argument)
{
    int n = task_count++;
    EXPECT(n < TASKS_MAX);
    tasks[n] = (struct task){ .number = n, .files = files_new() };
    bodies[n].body = body;
    bodies[n].argument = argument;
}

void host_run(uint64_t seed)
{
    host_seed(seed);
    multi = true;
    for (int i = 0; i < task_count; i++)
        pthread_create(&bodies[i].thread, NULL, thread_main, &tasks[i]);
    running = pick();
    pthread_mutex_lock(&turn_lock);
    pthread_cond_broadcast(&turn);
    while (running != &main_task)
        pthread_cond_wait(&turn, &turn_lock);
    pthread_mutex_unlock(&turn_lock);
    for (int i = 0; i < task_count; i++)
        pthread_join(bodies[i].thread, NULL);
    multi = false;
    for (int i = 0; i < task_count; i++)
        files_release(tasks[i].files);
    task_count = 0;
}

static void maybe_switch(void)
{
    if (multi && spin_depth == 0 && !in_interrupt && host_random() % 8 == 0)
        pass_turn();
}

void preempt_point(void)
{
    EXPECT(spin_depth == 0);
    maybe_switch();
}

int suspend(const void *on, struct spinlock *lock, enum wait_mode mode)
{
    (void)mode;
    if (lock != NULL)
        release(lock);
    EXPECT(spin_depth == 0);
    if (!multi) {
        if (!complete_one())
            host_failed("deadlock", 0, "the only task waits for nothing");
    } else {
        self->wait_on = on;
        pass_turn();
    }
    if (lock != NULL)
        acquire(lock);
    return 0;
}

void wakeup(const void *on)
{
    for (int i = 0; i < task_count; i++)
        if (tasks[i].wait_on == on)
            tasks[i].wait_on = NULL;
}

/* ---- Locks */
void spinlock_init(struct spinlock *lock, const char *name, enum lock_rank rank)
{
    *lock = (struct spinlock)SPINLOCK_INIT(name, rank);
}
void acquire(struct spinlock *lock)
{
    maybe_switch();
    EXPECT(lock->locked == 0);
    lock->locked = 1;
    spin_depth++;
}
bool try_acquire(struct spinlock *lock)
{
    if (lock->locked || host_random() % 64 == 0)
        return false;
    lock->locked = 1;
    spin_depth++;
    return true;
}
void release(struct spinlock *lock)
{
    EXPECT(lock->locked == 1 && spin_depth > 0);
    lock->locked = 0;
    spin_depth--;
}
void sleeplock_init(struct sleeplock *lock, const char *name, enum lock_rank rank)
{
    *lock = (struct sleeplock){ .rank = rank, .name = name };
}
void sleep_acquire(struct sleeplock *lock)
{
    maybe_switch();
    EXPECT(lock->holder != current() && spin_depth == 0);
    while (lock->holder != NULL)
        suspend(lock, NULL, WAIT_FIRM);
    lock->holder = current();
}
int sleep_acquire_killable(struct sleeplock *lock)
{
    sleep_acquire(lock);
    return 0;
}
bool sleep_try_acquire(struct sleeplock *lock)
{
    if (lock->holder)
        return false;
    lock->holder = current();
    return true;
}
void sleep_release(struct sleeplock *lock)
{
    EXPECT(lock->holder == current());
    lock->holder = NULL;
    wakeup(lock);
    maybe_switch();                     /* others come before the next statement of ours, too */
}
bool sleep_held(const struct sleeplock *lock) { return lock->holder == current(); }

/* ---- Memory. Every piece is on one list, so that host_drop() can forget it. */
struct piece { struct piece *next, *prev; size_t nbytes; bool frame; };
static struct piece pieces = { &pieces, &pieces, 0, false };
size_t host_frames = 4096, host_frames_used, host_objects_used;
long host_fail_alloc;
bool host_alloc_always;
static size_t (*shrinker)(size_t);

static bool injected(long *countdown, bool always)
{
    if (*countdown == 0 || --*countdown > 0)
        return false;
    if (always)
        *countdown = 1;
    return true;
}

static void *piece_new(size_t nbytes, bool frame)
{
    if (injected(&host_fail_alloc, host_alloc_always))
        return NULL;
    if (frame && host_frames_used >= host_frames && (shrinker == NULL || shrinker(16) == 0))
        return NULL;
    struct piece *p = malloc(sizeof(*p) + (frame ? 4096 + 4096 : nbytes + 16));
    p->nbytes = nbytes;
    p->frame = frame;
    p->next = pieces.next;
    p->prev = &pieces;
    p->next->prev = p->prev->next = p;
    *(frame ? &host_frames_used : &host_objects_used) += 1;
    return p;
}

static void piece_free(struct piece *p)
{
    p->next->prev = p->prev;
    p->prev->next = p->next;
    *(p->frame ? &host_frames_used : &host_objects_used) -= 1;
    free(p);
}

struct frame_map { void *page; struct piece *piece; };
static void *frame_of(struct piece *p)
{
    void *page = (void *)(((uintptr_t)(p + 1) + sizeof(void *) + 4095) & ~(uintptr_t)4095);
    ((struct piece **)page)[-1] = p;
    return page;
}
void *alloc_page_raw(void);
void *alloc_user_page_raw(bool promised)
{
    (void)promised;
    return alloc_page_raw();
}
void *alloc_page_raw(void)
{
    struct piece *p = piece_new(4096, true);
    if (p == NULL)
        return NULL;
    void *page = frame_of(p);
    memset(page, 0xA5, 4096);
    return page;
}
void *alloc_page(void)
{
    void *page = alloc_page_raw();
    if (page != NULL)
        memset(page, 0, 4096);
    return page;
}
void free_page(void *page)
{
    memset(page, 0x5A, 4096);
    piece_free(((struct piece **)page)[-1]);
}
size_t frames_total(void) { return host_frames; }
size_t frames_free(void) { return host_frames - host_frames_used; }
void kalloc_set_shrinker(size_t (*shrink)(size_t), size_t (*reclaimable)(void))
{
    shrinker = shrink;
    (void)reclaimable;
}
void *slab_alloc(struct slab_cache *cache)
{
    struct piece *p = piece_new(cache->object_size, false);
    if (p == NULL)
        return NULL;
    cache->objects++;
    return memset(p + 1, 0, cache->object_size);
}
void slab_free(struct slab_cache *cache, void *object)
{
    cache->objects--;
    piece_free((struct piece *)object - 1);
}

/* ---- User memory: addresses are the host's; the first pages are bad. */
static bool bad(vaddr_t va, size_t n) { return va.addr < 65536 || va.addr + n < va.addr || va.addr >> 48; }
int copy_from_user(void *dst, vaddr_t src, size_t n)
{
    if (bad(src, n))
        return -EFAULT;
    memcpy(dst, (void *)src.addr, n);
    return 0;
}
int copy_to_user(vaddr_t dst, const void *src, size_t n)
{
    if (bad(dst, n))
        return -EFAULT;
    memcpy((void *)dst.addr, src, n);
    return 0;
}
int clear_user(vaddr_t dst, size_t n)
{
    if (bad(dst, n))
        return -EFAULT;
    memset((void *)dst.addr, 0, n);
    return 0;
}
bool commit_spares_a_frame(void) { return true; }       /* nothing is promised here */
int user_fault_in(vaddr_t va, size_t n, bool write)
{
    (void)write;
    return bad(va, n) ? -EFAULT : 0;
}
long copy_string_from_user(char *dst, vaddr_t src, size_t size)
{
    if (bad(src, 1))
        return -EFAULT;
    size_t n = strnlen((char *)src.addr, size);
    if (n == size)
        return -ENAMETOOLONG;
    memcpy(dst, (char *)src.addr, n + 1);
    return (long)n;
}

/* ---- Library */
void copy_page(void *dst, const void *src) { memcpy(dst, src, 4096); }
void clear_page(void *dst) { memset(dst, 0, 4096); }
size_t copy_string(char *dst, const char *src, size_t size)
{
    size_t n = strlen(src), m = n < size ? n : size - 1;
    memcpy(dst, src, m);
    memset(dst + m, 0, size - m);
    return n;
}
uint32_t hash_bytes(const void *data, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)data)[i]) * 16777619u;
    return h;
}
uint32_t crc32(uint32_t seed, const void *data, size_t n)
{
    static uint32_t table[8][256];
    if (table[0][1] == 0) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int k = 0; k < 8; k++)
                c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
            table[0][i] = c;
        }
        for (uint32_t i = 0; i < 256; i++)
            for (int t = 1; t < 8; t++)
                table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
    }
    uint32_t c = ~seed;
    const uint8_t *p = data;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        w ^= c;
        c = table[7][w & 255] ^ table[6][w >> 8 & 255] ^ table[5][w >> 16 & 255] ^ table[4][w >> 24 & 255]
            ^ table[3][w >> 32 & 255] ^ table[2][w >> 40 & 255] ^ table[1][w >> 48 & 255] ^ table[0][w >> 56];
    }
    while (n-- > 0)
        c = table[0][(c ^ *p++) & 255] ^ c >> 8;
    return ~c;
}
static int64_t now = 1000000000;
int64_t clock_seconds(void) { return now++; }
uint64_t clock_uptime_us(void) { return 0; }
int sleep_until_us(uint64_t deadline)
{
    (void)deadline;
    return -EINTR;
}
int task_start_kernel(const char *name, void (*body)(void *), void *argument)
{
    (void)name;
    (void)body;
    (void)argument;
    return 1;
}
long console_read(vaddr_t dst, size_t n)
{
    (void)dst;
    (void)n;
    return 0;
}
long console_write(vaddr_t src, size_t n)
{
    (void)src;
    return (long)n;
}
int console_set_mode(int mode) { return mode == 0 || mode == 1 ? 0 : -EINVAL; }
void console_set_group(int group) { (void)group; }

/* ---- The disk */
uint8_t *host_disk;
uint32_t host_disk_blocks;
struct event *host_events;
size_t host_event_count;
static size_t event_room;
static bool recording;
unsigned long host_requests, host_reads, host_writes, host_flushes;
long host_fail_request;
bool host_fail_always, host_delay;
unsigned host_fail_ops = 7;
static struct block_request *queue[256];
static unsigned queued;

static void add_event(enum event_kind kind, uint32_t block, const void *data)
{
    if (!recording)
        return;
    if (host_event_count == event_room)
        host_events = realloc(host_events, (event_room = event_room * 2 + 1024) * sizeof(*host_events));
    uint8_t *copy = NULL;
    if (data != NULL) {
        copy = malloc(4096);
        memcpy(copy, data, 4096);
    }
    host_events[host_event_count++] = (struct event){ kind, block, copy };
}

void host_record(bool on)
{
    if (on) {
        for (size_t i = 0; i < host_event_count; i++)
            free(host_events[i].data);
        host_event_count = 0;
    }
    recording = on;
}

static void complete(struct block_request *r)
{
    host_requests++;
    *(r->op == BLOCK_READ ? &host_reads : r->op == BLOCK_WRITE ? &host_writes : &host_flushes) += 1;
    bool fails = (host_fail_ops >> r->op & 1) && injected(&host_fail_request, host_fail_always);
    EXPECT(r->op == BLOCK_FLUSH ||
           (r->count >= 1 && r->count <= BLOCK_SEGMENTS_MAX && r->block + r->count <= host_disk_blocks));
    uint32_t good = fails ? (r->count ? host_random() % r->count : 0) : r->count;       /* a failed write may be half done */
    for (uint32_t i = 0; i < good && r->op != BLOCK_FLUSH; i++) {
        uint8_t *at = host_disk + (size_t)(r->block + i) * 4096;
        if (r->op == BLOCK_READ)
            memcpy(r->pages[i], at, 4096);
        else {
            memcpy(at, r->pages[i], 4096);
            add_event(EVENT_WRITE, r->block + i, at);
        }
    }
    if (r->op == BLOCK_FLUSH && !fails)
        add_event(EVENT_FLUSH, 0, NULL);
    r->error = fails ? -EIO : 0;
    bool nested = in_interrupt;
    in_interrupt = true;
    if (r->done != NULL)
        r->done(r);
    in_interrupt = nested;
}

static bool complete_one(void)
{
    if (queued == 0)
        return false;
    unsigned i = host_random() % queued;
    struct block_request *r = queue[i];
    queue[i] = queue[--queued];
    complete(r);
    return true;
}

static void submit(struct block_device *dev, struct block_request *r)
{
    (void)dev;
    EXPECT(spin_depth == 0);
    if (!host_delay || queued == ARRAY_SIZE(queue)) {
        complete(r);
        return;
    }
    queue[queued++] = r;
}

static struct block_device device = { .name = "host", .submit = submit };
struct block_device *root_disk = &device;

static void wait_done(struct block_request *r)
{
    *(bool *)r->private = true;
    wakeup(r);
}
int block_wait(struct block_device *dev, struct block_request *r)
{
    bool done = false;
    r->private = &done;
    r->done = wait_done;
    dev->submit(dev, r);
    while (!done)
        suspend(r, NULL, WAIT_FIRM);
    return r->error;
}

/* ---- Life */
extern struct inode *fs_root;
void host_drop(void)
{
    while (complete_one())
        ;
    while (pieces.next != &pieces)
        piece_free(pieces.next);
    shrinker = NULL;
    fs_root = NULL;
    main_task.files = NULL;
}

int host_mount(void)
{
    device.blocks = host_disk_blocks;
    int err = fs_mount();
    if (err == 0) {
        main_task.files = files_new();
        EXPECT(main_task.files != NULL);
    }
    return err;
}

static void set_bits(uint8_t *map, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        map[i / 8] |= (uint8_t)(1 << i % 8);
}

void host_format(uint32_t blocks, uint32_t inodes, uint32_t log_blocks)
{
    struct superblock sb;
    char why[200];
    if (!image_layout_make(&sb, blocks, inodes, log_blocks, why, sizeof(why)))
        host_failed("format", 0, why);
    free(host_disk);
    host_disk = calloc(blocks, 4096);
    host_disk_blocks = blocks;
    memcpy(host_disk, &sb, sizeof(sb));
    struct log_header header = { .magic = LOG_HEADER_MAGIC, .sequence = 1 };
    header.checksum = crc32(0, &header, offsetof(struct log_header, checksum));
    memcpy(host_disk + (size_t)sb.log_start * 4096, &header, sizeof(header));
    set_bits(host_disk + (size_t)sb.imap_start * 4096, 0, 2);
    set_bits(host_disk + (size_t)sb.bmap_start * 4096, 0, sb.data_start + 1);
    struct disk_inode root = { .type = T_DIR, .nlink = 2, .size = 128, .blocks = 1, .direct = { sb.data_start } };
    memcpy(host_disk + (size_t)sb.inode_start * 4096 + sizeof(root), &root, sizeof(root));
    struct dirent dots[2] = { { 1, "." }, { 1, ".." } };
    memcpy(host_disk + (size_t)sb.data_start * 4096, dots, sizeof(dots));
}

/* ---- Crashes */
uint8_t *host_copy_disk(void)
{
    uint8_t *image = malloc((size_t)host_disk_blocks * 4096);
    memcpy(image, host_disk, (size_t)host_disk_blocks * 4096);
    return image;
}

/* Does the unflushed write `i` reach the disk? Many are lost; or a few; or those of a while. */
static bool reaches(unsigned way, size_t i, size_t from, size_t to)
{
    switch (way) {
    case 0:  return host_random() % 2;
    case 1:  return host_random() % 8 != 0;
    default: return i < from || i >= to;
    }
}

/* A crash state: what reached the disk before event `cut`, and of the writes since the last flush a random part. Half of the
 * cuts are moved to just before a flush, when most is in flight. */
uint8_t *host_crash_image(const uint8_t *base, size_t *at_event, bool subset)
{
    size_t flushed = 0, cut = *at_event;
    uint8_t *image = malloc((size_t)host_disk_blocks * 4096);
    memcpy(image, base, (size_t)host_disk_blocks * 4096);
    if (subset && host_random() % 2)
        while (cut < host_event_count && host_events[cut].kind != EVENT_FLUSH)
            cut++;
    for (size_t i = 0; i < cut; i++)
        if (host_events[i].kind == EVENT_FLUSH)
            flushed = i;
    unsigned way = host_random() % 4;
    size_t from = flushed + host_random() % (cut - flushed + 1), to = from + host_random() % (cut - from + 1);
    for (size_t i = 0; i < cut; i++) {
        if (host_events[i].kind == EVENT_FLUSH || (subset && i > flushed && !reaches(way, i, from, to)))
            continue;
        uint8_t *at = image + (size_t)host_events[i].block * 4096;
        if (subset && i > flushed && host_random() % 16 == 0) {
            for (int sector = 0; sector < 8; sector++)          /* torn */
                if (host_random() % 2)
                    memcpy(at + sector * 512, host_events[i].data + sector * 512, 512);
        } else {
            memcpy(at, host_events[i].data, 4096);
        }
    }
    *at_event = cut;
    return image;
}

static void print_problem(void *context, enum fsck_kind kind, const char *line)
{
    if (kind != FSCK_NOTE)
        fprintf(stderr, "fsck (%s): %s\n", (const char *)context, line);
}

unsigned host_orphans;
unsigned host_check(const uint8_t *image, uint32_t blocks, const char *what)
{
    struct fsck_result result;
    fsck_check(image, (size_t)blocks * 4096, print_problem, (void *)what, &result);
    host_orphans = result.orphans;
    return result.verdict == FSCK_CLEAN ? 0 : result.verdict == FSCK_INCONSISTENT ? (unsigned)result.problems : 1;
}
