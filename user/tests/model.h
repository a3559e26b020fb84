/*
 * tests/model.h -- what the address space of one task must look like, kept beside the real one by /tests/model.
 *
 * A plain data structure: what is granted, which pages were touched, what their bytes are. No system call is made here,
 * nothing of the kernel is looked at. A forked child inherits its parent's model as it inherits the memory itself.
 *
 * Time cannot be told: when the sweeper comes is not in the model. A block is MARKED from chau() until model.c has seen
 * that it is not marked any more.
 */
#ifndef TAMAL_TESTS_MODEL_H
#define TAMAL_TESTS_MODEL_H

#include "user/tests/support.h"

#define REGION_START REGION_BASE                /* malloco's */
#define REGION_PAGES 1024
#define REGION_STOP  (REGION_START + REGION_PAGES * PAGE)

/* Bounds, so that 8 tasks and their children fit in 64 MiB. */
#define PAGES_MAX    224                        /* touched */
#define HEAP_MAX     48                         /* pages granted */
#define AREAS_MAX    20                         /* of tamalloc; more than the kernel keeps inside its struct vm */
#define AREA_TOUCHED 64                         /* pages of them: they never go */
#define MARKED_MAX   64
#define PIECES       6

/* `length` bytes from `at` on were written with the pattern of `tag`; 0: zeros. Later pieces lie over earlier ones. */
struct piece { uint16_t at, length; uint32_t tag; };

struct page {                                   /* one that was touched: it is in a frame */
    uintptr_t va;
    uint8_t   cow;                              /* shared by a fork, not written since */
    uint8_t   count;
    struct piece pieces[PIECES];                /* over a page of zeros */
};

struct span { uintptr_t start, end; };          /* granted, whole pages */

struct marked {                                 /* a block between chau() and its sweep, in the order of the calls */
    uint16_t first, pages;
    uint64_t sweeps_before, sweeps_after;       /* complete ones, read before and after the call */
};

enum { FREE, ACTIVE, MARKED };

static struct model {
    struct page   pages[PAGES_MAX];
    size_t        page_count;
    uintptr_t     heap_start, brk;
    struct span   areas[AREAS_MAX];
    size_t        area_count;
    uint8_t       state[REGION_PAGES], first[REGION_PAGES];
    struct marked marked[MARKED_MAX];
    size_t        marked_count;
    size_t        own_pages;                    /* the program's own image and stack, all touched */
} model;

static inline uintptr_t page_up(uintptr_t va) { return (va + PAGE - 1) & -PAGE; }
static inline uintptr_t page_down(uintptr_t va) { return va & -PAGE; }
static inline uintptr_t region_va(size_t page) { return REGION_START + page * PAGE; }
static inline int in_region(uintptr_t va) { return va >= REGION_START && va < REGION_STOP; }
static inline size_t region_page(uintptr_t va) { return (va - REGION_START) / PAGE; }

/* ---- Bytes. The pattern depends on the place in the page, so that a page in a wrong place is seen; no byte is 0. */

typedef uint64_t __attribute__((may_alias)) pattern_t;

static inline uint64_t pattern_word(uint32_t tag, size_t word)
{
    return ((tag + 1) * 0x9e3779b97f4a7c15u ^ word * 0xbf58476d1ce4e5b9u) * 0x94d049bb133111ebu | 0x0101010101010101u;
}

static inline uint8_t pattern_byte(uint32_t tag, size_t at)
{
    return tag == 0 ? 0 : (uint8_t)(pattern_word(tag, at / 8) >> at % 8 * 8);
}

/* write_pattern -- the bytes that belong to [at, at + length) of a page, where bytes[0] stands for `at`. */
static inline void write_pattern(uint8_t *bytes, uint32_t tag, size_t at, size_t length)
{
    size_t i = 0;

    if (tag == 0) {
        memset(bytes, 0, length);
        return;
    }
    for (; i < length && ((at + i) % 8 != 0 || (uintptr_t)&bytes[i] % 8 != 0); i++)
        bytes[i] = pattern_byte(tag, at + i);
    for (; i + 8 <= length; i += 8)
        *(pattern_t *)&bytes[i] = pattern_word(tag, (at + i) / 8);
    for (; i < length; i++)
        bytes[i] = pattern_byte(tag, at + i);
}

/* page_bytes -- all that a touched page must hold; NULL: a page of zeros. */
static inline void page_bytes(const struct page *page, uint8_t *bytes)
{
    memset(bytes, 0, PAGE);
    for (size_t i = 0; page != NULL && i < page->count; i++) {
        const struct piece *piece = &page->pieces[i];
        write_pattern(bytes + piece->at, piece->tag, piece->at, piece->length);
    }
}

/* ---- Pages */

static inline struct page *find_page(uintptr_t va)
{
    for (size_t i = 0; i < model.page_count; i++)
        if (model.pages[i].va == page_down(va))
            return &model.pages[i];
    return NULL;
}

static inline size_t touched_in(uintptr_t start, uintptr_t end)
{
    size_t count = 0;

    for (size_t i = 0; i < model.page_count; i++)
        count += model.pages[i].va >= start && model.pages[i].va < end;
    return count;
}

/* touch_page -- it has a frame from now on, of zeros if it had none. The caller has looked that there is room. */
static inline struct page *touch_page(uintptr_t va)
{
    struct page *page = find_page(va);

    if (page == NULL) {
        page = &model.pages[model.page_count++];
        *page = (struct page){ .va = page_down(va) };
    }
    return page;
}

static inline void forget_pages(uintptr_t start, uintptr_t end)
{
    for (size_t i = 0; i < model.page_count; )
        if (model.pages[i].va >= start && model.pages[i].va < end)
            model.pages[i] = model.pages[--model.page_count];
        else
            i++;
}

/* has_room -- can the model hold a write to this part of this page? */
static inline int has_room(uintptr_t va, size_t length)
{
    const struct page *page = find_page(va);
    return page == NULL || page->count < PIECES || length == PAGE;
}

/* write_page -- [va, va + length) was written; it lies in one page. */
static inline void write_page(uintptr_t va, size_t length, uint32_t tag)
{
    struct page *page = touch_page(va);

    page->cow = 0;
    if (length == PAGE)
        page->count = 0;
    page->pieces[page->count++] = (struct piece){ (uint16_t)(va % PAGE), (uint16_t)length, tag };
}

/* fork_pages -- what a fork does to either side. */
static inline void fork_pages(void)
{
    for (size_t i = 0; i < model.page_count; i++)
        model.pages[i].cow = 1;
}

/* ---- malloco's blocks */

/* first_fit -- the lowest run of `count` FREE pages, or REGION_PAGES. swept: as if all that is MARKED were free. */
static inline size_t first_fit(size_t count, int swept)
{
    size_t run = 0;

    for (size_t page = 0; page < REGION_PAGES; page++) {
        run = model.state[page] == FREE || (swept && model.state[page] == MARKED) ? run + 1 : 0;
        if (run == count)
            return page + 1 - count;
    }
    return REGION_PAGES;
}

static inline void add_block(size_t first, size_t count)
{
    memset(model.state + first, ACTIVE, count);
    model.first[first] = 1;
}

static inline size_t block_end(size_t page)
{
    do
        page++;
    while (page < REGION_PAGES && model.state[page] != FREE && !model.first[page]);
    return page;
}

static inline size_t block_start(size_t page)
{
    while (!model.first[page])
        page--;
    return page;
}

static inline void mark_block(size_t first, uint64_t sweeps_before, uint64_t sweeps_after)
{
    size_t count = block_end(first) - first;

    memset(model.state + first, MARKED, count);
    model.marked[model.marked_count++] = (struct marked){ (uint16_t)first, (uint16_t)count, sweeps_before,
                                                          sweeps_after };
}

/* sweep_blocks -- the sweeper took the first `count` of the marked ones. */
static inline void sweep_blocks(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct marked *block = &model.marked[i];
        memset(model.state + block->first, FREE, block->pages);
        model.first[block->first] = 0;
        forget_pages(region_va(block->first), region_va(block->first + block->pages));
    }
    model.marked_count -= count;
    memmove(model.marked, model.marked + count, model.marked_count * sizeof *model.marked);
}

/* ---- Totals, and what pagemap() must say of a page */

static inline uintptr_t heap_end(void) { return page_up(model.brk); }

static inline size_t reserved_pages(void)
{
    size_t count = model.own_pages + (heap_end() - model.heap_start) / PAGE;

    for (size_t i = 0; i < model.area_count; i++)
        count += (model.areas[i].end - model.areas[i].start) / PAGE;
    for (size_t page = 0; page < REGION_PAGES; page++)
        count += model.state[page] != FREE;
    return count;
}

static inline size_t resident_pages(void) { return model.own_pages + model.page_count; }

static inline int in_an_area(uintptr_t va)
{
    for (size_t i = 0; i < model.area_count; i++)
        if (va >= model.areas[i].start && va < model.areas[i].end)
            return 1;
    return va >= model.heap_start && va < heap_end();
}

static inline unsigned page_state(uintptr_t va)
{
    static const unsigned bits[] = { 0, PAGE_IS_GRANTED, PAGE_IS_GRANTED | PAGE_IS_MARKED };
    const struct page *page = find_page(va);
    unsigned state = page == NULL ? 0 : PAGE_IS_RESIDENT | (page->cow ? PAGE_IS_COW : PAGE_IS_WRITABLE);

    if (!in_region(va))
        return state | (in_an_area(va) ? PAGE_IS_GRANTED : 0);
    return state | bits[model.state[region_page(va)]] | (model.first[region_page(va)] ? PAGE_IS_FIRST : 0);
}

#endif
