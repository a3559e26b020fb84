/* slab.h -- kernel objects of a fixed size, on top of kalloc: no table in the kernel has a fixed length. */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "sched/spinlock.h"
#include "lib/list.h"

struct slab_cache {
    const char     *name;
    size_t          object_size;        /* bytes, at least two fit a page beside its header */
    struct spinlock lock;
    struct list     partial;            /* slabs with a free object */
    size_t          objects;            /* handed out now */
    size_t          slabs;              /* frames they lie in */
};

#define SLAB_CACHE(the_name, type) { .name = (the_name), .object_size = sizeof(type), \
    .lock = SPINLOCK_INIT("slab", RANK_SLAB) }

/* slab_alloc -- one zeroed object, 16-byte aligned, or NULL. slab_free -- give it back to the same cache.
 * Any context; never suspend. A page whose objects are all free goes back to kalloc at once. */
MUST_CHECK void *slab_alloc(struct slab_cache *cache);
void slab_free(struct slab_cache *cache, void *object);

#endif
