/*
 * slab.c -- fixed-size kernel objects carved out of single frames.
 *
 * A slab is one frame: a header, then objects; free objects link through their first word. Full slabs are on no list:
 * the frame's address leads back to the header when one of their objects is freed.
 * Locks:    each cache's own.
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "mm/slab.h"

struct slab {
    struct slab_cache *cache;
    struct list        link;            /* on cache->partial while an object is free */
    void              *free;            /* chain of free objects */
    unsigned           used, capacity;
};

#define HEADER ((sizeof(struct slab) + 15) & ~(size_t)15)

static size_t stride(const struct slab_cache *cache) { return (cache->object_size + 15) & ~(size_t)15; }

static struct slab *slab_create(struct slab_cache *cache)
{
    struct slab *s = alloc_page_raw();
    if (s == NULL)
        return NULL;
    KASSERT(stride(cache) <= (PAGE_SIZE - HEADER) / 2);
    s->cache = cache;
    list_init(&s->link);
    s->free = NULL;
    s->used = 0;
    s->capacity = (unsigned)((PAGE_SIZE - HEADER) / stride(cache));
    for (unsigned i = s->capacity; i-- > 0; ) {
        void **object = (void **)((char *)s + HEADER + i * stride(cache));
        *object = s->free;
        s->free = object;
    }
    return s;
}

void *slab_alloc(struct slab_cache *cache)
{
    if (alloc_fails_now())
        return NULL;
    acquire(&cache->lock);
    if (cache->partial.next == NULL)
        list_init(&cache->partial);                     /* first use: SLAB_CACHE cannot name itself */
    struct slab *s = list_first(&cache->partial, struct slab, link);
    if (s == NULL) {
        release(&cache->lock);                          /* a dry allocator shrinks caches, which frees objects here */
        s = slab_create(cache);
        if (s == NULL)
            return NULL;
        acquire(&cache->lock);
        cache->slabs++;
        list_push_front(&cache->partial, &s->link);
    }
    void **object = s->free;
    s->free = *object;
    if (++s->used == s->capacity)
        list_remove(&s->link);
    cache->objects++;
    release(&cache->lock);
    memset(object, 0, cache->object_size);
    return object;
}

void slab_free(struct slab_cache *cache, void *object)
{
    struct slab *s = (struct slab *)PAGE_DOWN(object);
    KASSERT(s->cache == cache);
#ifdef DEBUG
    memset(object, POISON_FREE, cache->object_size);
#endif
    acquire(&cache->lock);
    if (s->used-- == s->capacity)
        list_push_front(&cache->partial, &s->link);
    *(void **)object = s->free;
    s->free = object;
    cache->objects--;
    bool empty = s->used == 0;
    if (empty) {
        list_remove(&s->link);
        cache->slabs--;
    }
    release(&cache->lock);
    if (empty)
        free_page(s);
}
