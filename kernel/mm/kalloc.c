/*
 * kalloc.c -- hands out physical page frames.
 *
 * Owns:     every free frame; struct page of every frame.
 * Locks:    each CPU's list and the common pool have a lock of rank RANK_PAGES; two are never held at once.
 *           Reference counts are atomic.
 * Not here: who may map what (vm.c), promises of memory (commit.c), smaller objects (slab.c).
 *
 * A free frame's first word links to the next one. Each CPU keeps up to 2 * BATCH frames of its own and exchanges
 * whole batches with the pool: a batch is a chain of frames whose second word links batches, so moving 32 frames
 * between a CPU and the pool is a few instructions under the pool's lock.
 */
#include "arch/arch.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/kalloc.h"
#include "sched/sched.h"

#define BATCH 32
#define ZONES (KERNEL_POOL_END != 0 ? 2 : 1)    /* a machine may keep frames for the kernel alone */
enum zone { ZONE_USER, ZONE_KERNEL };

struct free_frame {
    struct free_frame *next;            /* in its chain */
    struct free_frame *next_batch;      /* in the pool: the next chain */
    size_t             batch_length;    /* in the pool: frames of this chain */
};

struct frame_list {
    struct spinlock    lock;
    struct free_frame *head;            /* a CPU: a chain of frames; the pool: a chain of batches */
    size_t             count;           /* frames */
} ALIGNED(64);

static struct frame_list pools[2] = { [0 ... 1] = { .lock = SPINLOCK_INIT("frame pool", RANK_PAGES) } };
static struct frame_list lists[2][CPUS_MAX];
struct frame_table frame_table;
static size_t total_frames;
static uintptr_t reserved_start, reserved_end;

static size_t (*shrink_cache)(size_t nframes);
static size_t (*count_reclaimable)(void);

void kalloc_set_shrinker(size_t (*shrink)(size_t), size_t (*reclaimable)(void))
{
    shrink_cache = shrink;
    count_reclaimable = reclaimable;
}

size_t frames_reclaimable(void) { return count_reclaimable != NULL ? count_reclaimable() : 0; }
size_t frames_total(void) { return total_frames; }

static size_t frames_in(enum zone zone)
{
    size_t n = __atomic_load_n(&pools[zone].count, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < CPUS_MAX; i++)
        n += __atomic_load_n(&lists[zone][i].count, __ATOMIC_RELAXED);
    return n;
}

size_t frames_user_free(void) { return frames_in(ZONE_USER); }
size_t frames_kernel_free(void) { return ZONES > 1 ? frames_in(ZONE_KERNEL) : 0; }
size_t frames_free(void) { return frames_user_free() + frames_kernel_free(); }

static enum zone zone_of(const struct free_frame *f)
{
    const uintptr_t border = KERNEL_POOL_END;
    return (uintptr_t)f < border ? ZONE_KERNEL : ZONE_USER;
}

void bad_frame(const void *page, const char *what) { panic("frame %p %s", page, what); }

/* ---- Poison: debug builds fill a free frame behind its links and look whether somebody wrote there. */
#ifdef DEBUG
static void poison(struct free_frame *f) { memset(f + 1, POISON_FREE, PAGE_SIZE - sizeof(*f)); }

static void check_poison(struct free_frame *f)
{
    const uint64_t *word = (const uint64_t *)(f + 1);
    for (size_t i = 0; i < (PAGE_SIZE - sizeof(*f)) / 8; i++)
        if (word[i] != 0x0101010101010101ull * POISON_FREE)
            panic("free frame %p was written at %p: 0x%llx", (void *)f, (const void *)&word[i], (unsigned long long)word[i]);
}
#else
static void poison(struct free_frame *f) { (void)f; }
static void check_poison(struct free_frame *f) { (void)f; }
#endif

/* ---- Lists */

static void put_batch(struct free_frame *chain, size_t length)
{
    struct frame_list *pool = &pools[zone_of(chain)];
    chain->batch_length = length;
    acquire(&pool->lock);
    chain->next_batch = pool->head;
    pool->head = chain;
    pool->count += length;
    release(&pool->lock);
}

static struct free_frame *take_batch(struct frame_list *pool, size_t *length)
{
    acquire(&pool->lock);
    struct free_frame *chain = pool->head;
    *length = 0;
    if (chain != NULL) {
        *length = chain->batch_length;
        pool->head = chain->next_batch;
        pool->count -= *length;
    }
    release(&pool->lock);
    return chain;
}

HOT static struct free_frame *pop(struct frame_list *l)
{
    if (__atomic_load_n(&l->count, __ATOMIC_RELAXED) == 0)
        return NULL;
    acquire(&l->lock);
    struct free_frame *f = l->head;
    if (f != NULL) {
        l->head = f->next;
        l->count--;
    }
    release(&l->lock);
    return f;
}

/* push -- returns a chain of BATCH frames that no longer fit this list and go to the pool, or NULL. */
static struct free_frame *push(struct frame_list *l, struct free_frame *f)
{
    struct free_frame *surplus = NULL;
    acquire(&l->lock);
    f->next = l->head;
    l->head = f;
    if (++l->count == 2 * BATCH) {                      /* keep the warm half, give the cold one away */
        struct free_frame *last = f;
        for (unsigned i = 1; i < BATCH; i++)
            last = last->next;
        surplus = last->next;
        last->next = NULL;
        l->count = BATCH;
    }
    release(&l->lock);
    return surplus;
}

/* refill -- one frame, and the rest of its batch onto this CPU's list. */
static struct free_frame *refill(struct frame_list *l, struct frame_list *pool)
{
    size_t length;
    struct free_frame *f = take_batch(pool, &length);
    if (f == NULL)
        return NULL;
    if (f->next != NULL) {
        struct free_frame *last = f->next;
        while (last->next != NULL)
            last = last->next;
        acquire(&l->lock);
        last->next = l->head;
        l->head = f->next;
        l->count += length - 1;
        release(&l->lock);
    }
    return f;
}

HOT static struct free_frame *take_free_frame(enum zone zone)
{
    struct frame_list *mine = &lists[zone][this_cpu()->id];
    struct free_frame *f = pop(mine);
    if (f == NULL)
        f = refill(mine, &pools[zone]);
    for (unsigned i = 0; f == NULL && i < cpus_online; i++)
        f = pop(&lists[zone][i]);                       /* the last frames may lie in another CPU's list */
    return f;
}

/* ---- The interface */

#ifdef DEBUG
bool alloc_fails_now(void)
{
    struct task *self = current();
    if (LIKELY(self->fail_alloc_at == 0) || --self->fail_alloc_at != 0)
        return false;
    self->alloc_was_failed = true;
    return true;
}
#endif

/* take_user_frame -- from the frames that may be promised: not the last of those, unless this is a promised one. */
HOT static struct free_frame *take_user_frame(bool promised)
{
    struct free_frame *f = NULL;
    if (promised || pools[ZONE_USER].count > commit_outstanding() || commit_spares_a_frame()) {
        f = take_free_frame(ZONE_USER);
        if (f == NULL && shrink_cache != NULL && shrink_cache(BATCH) > 0)
            f = take_free_frame(ZONE_USER);
    }
    return f;
}

HOT static void *alloc_frame(bool for_kernel, bool promised)
{
    struct free_frame *f = NULL;
    irq_push();
#ifdef DEBUG
    KASSERT(!lock_held_from(RANK_FS));                  /* the shrinker takes such locks */
#endif
    if (!alloc_fails_now()) {
        if (ZONES > 1 && for_kernel)
            f = take_free_frame(ZONE_KERNEL);
        if (f == NULL)
            f = take_user_frame(promised);
    }
    irq_pop();
    if (f == NULL)
        return NULL;
    check_poison(f);
    struct page *p = page_of(f);
    KASSERT(p->refs == 0);
    __atomic_store_n(&p->refs, 1, __ATOMIC_RELAXED);
    p->entries = 0;
    p->flags = 0;
    return f;
}

HOT void *alloc_page_raw(void) { return alloc_frame(true, false); }
void *alloc_table_page_raw(void) { return alloc_frame(true, true); }
HOT void *alloc_user_page_raw(bool promised) { return alloc_frame(false, promised); }

void *alloc_page(void)
{
    void *page = alloc_page_raw();
    if (page != NULL)
        clear_page(page);
    return page;
}

/* The emulator keeps every store to a page slow until all the code it translated there has been overwritten: frames that
 * held code are cleared at once, or they would slow down whoever gets them next. */
void release_frame(void *page)
{
    if (page_of(page)->flags & PAGE_PROMISED)
        commit_frame_freed();
    if (page_of(page)->flags & PAGE_CODE)
        clear_page(page);
    struct free_frame *f = page;
    poison(f);
    irq_push();
    struct free_frame *surplus = push(&lists[zone_of(f)][this_cpu()->id], f);
    irq_pop();
    if (surplus != NULL)
        put_batch(surplus, BATCH);
}

/* ---- Start */

void kalloc_reserve(uintptr_t start, uintptr_t end)
{
    reserved_start = PAGE_DOWN(start);
    reserved_end = PAGE_UP(end);
}

void init_kalloc(uintptr_t start, uintptr_t end)
{
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        spinlock_init(&lists[ZONE_USER][i].lock, "frame list", RANK_PAGES);
        spinlock_init(&lists[ZONE_KERNEL][i].lock, "frame list", RANK_PAGES);
    }
    /* The table itself takes the first frames; it has entries for them too, which are never used. */
    size_t nframes = (PAGE_DOWN(end) - PAGE_UP(start)) >> PAGE_SHIFT;
    if (reserved_start < PAGE_UP(start) + nframes * sizeof(struct page) && start < reserved_end) {
        start = reserved_end;                           /* a RAM disk lies where the table would */
        nframes = (PAGE_DOWN(end) - start) >> PAGE_SHIFT;
    }
    frame_table.pages = (struct page *)PAGE_UP(start);
    frame_table.first = PAGE_UP(frame_table.pages + nframes);
    frame_table.bytes = PAGE_DOWN(end) - frame_table.first;
    memset(frame_table.pages, 0, nframes * sizeof(struct page));

    struct free_frame *chain = NULL;
    size_t length = 0;
    for (uintptr_t a = PAGE_DOWN(end); a > frame_table.first; ) {       /* downwards: low frames are handed out first */
        a -= PAGE_SIZE;
        if (a >= reserved_start && a < reserved_end)
            continue;
        struct free_frame *f = (struct free_frame *)a;
        if (length > 0 && zone_of(f) != zone_of(chain)) {
            put_batch(chain, length);
            chain = NULL;
            length = 0;
        }
        poison(f);
        f->next = chain;
        chain = f;
        total_frames++;
        if (++length == BATCH) {
            put_batch(chain, length);
            chain = NULL;
            length = 0;
        }
    }
    if (length > 0)
        put_batch(chain, length);
    printk("kalloc: %zu frames of 4 KiB free (%zu MiB)\n", total_frames, total_frames >> 8);
}
