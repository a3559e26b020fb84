/*
 * malloc.c -- the heap of a program, on top of sbrk().
 *
 * The heap is a row of blocks, each with a header that knows its size, whether it is used, and the size of the
 * block before it; neighbours that are both free become one at once. Free blocks hang in lists by size: list i
 * holds sizes from 2^i up to 2^(i+1). A row ends with a used header of size 0; when the program calls sbrk()
 * itself, a new row begins behind its memory.
 *
 *   | header | payload ... | header | payload ... | end header |
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define ALIGNMENT 16
#define GROWTH    (64 * 1024)                   /* smallest request to the kernel */
#define LISTS     (8 * (int)sizeof(size_t))

struct header {
    size_t size;                                /* bytes of header and payload; multiple of ALIGNMENT */
    size_t before;                              /* size of the block before, 0 for the first of a row */
    size_t used;                                /* USED or FREE: anything else was overwritten */
    size_t reserved;                            /* keeps payloads aligned on 32-bit machines too */
};

struct block {                                  /* a free one: links in the payload */
    struct header  header;
    struct block  *next, *previous;
};

#define USED 0x75736564u
#define FREE 0x66726565u
#define SMALLEST ((sizeof(struct block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

static struct block *lists[LISTS];
static struct header *row_end;                  /* of the newest row */

static int list_of(size_t size)
{
    return LISTS - 1 - __builtin_clzl(size);
}

static struct header *after(struct header *h)
{
    return (struct header *)((char *)h + h->size);
}

static void insert_free(struct header *h)
{
    struct block *b = (struct block *)h, **list = &lists[list_of(h->size)];

    h->used = FREE;
    b->previous = NULL;
    b->next = *list;
    if (b->next != NULL)
        b->next->previous = b;
    *list = b;
}

static void remove_free(struct header *h)
{
    struct block *b = (struct block *)h;

    if (b->next != NULL)
        b->next->previous = b->previous;
    if (b->previous != NULL)
        b->previous->next = b->next;
    else
        lists[list_of(h->size)] = b->next;
}

static void set_size(struct header *h, size_t size)
{
    h->size = size;
    after(h)->before = size;
}

/* Join `h`, in no list, with free neighbours, and put the result into its list. */
static void release(struct header *h)
{
    struct header *next = after(h);

    if (next->used == FREE) {
        remove_free(next);
        set_size(h, h->size + next->size);
    }
    if (h->before != 0) {
        struct header *previous = (struct header *)((char *)h - h->before);
        if (previous->used == FREE) {
            remove_free(previous);
            set_size(previous, previous->size + h->size);
            h = previous;
        }
    }
    insert_free(h);
}

/* Use the first `size` bytes of a block that is in no list; free the rest if it can be a block. */
static void *take(struct header *h, size_t size)
{
    size_t rest = h->size - size;

    h->used = USED;
    if (rest >= SMALLEST) {
        struct header *tail = (struct header *)((char *)h + size);
        tail->used = USED;
        set_size(h, size);
        set_size(tail, rest);
        release(tail);
    }
    return h + 1;
}

/* Get memory for a block of `size` from the kernel: longer row, or a new one. */
static bool grow(size_t size)
{
    size_t nbytes = size + 2 * sizeof(struct header) + ALIGNMENT;
    if (nbytes < GROWTH)
        nbytes = GROWTH;
    nbytes = (nbytes + 4095) & ~(size_t)4095;

    char *start = call_sbrk((intptr_t)nbytes);
    if (start == (char *)-1)
        return false;
    char *end = start + nbytes;
    struct header *h = row_end;
    if (h == NULL || start != (char *)(h + 1)) {
        h = (struct header *)(((uintptr_t)start + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
        h->before = 0;
    }
    row_end = (struct header *)((uintptr_t)end & ~(uintptr_t)(ALIGNMENT - 1)) - 1;
    row_end->size = 0;
    row_end->used = USED;
    set_size(h, (size_t)((char *)row_end - (char *)h));
    h->used = USED;
    release(h);
    return true;
}

static struct header *find(size_t size)
{
    for (int i = list_of(size); i < LISTS; i++)
        for (struct block *b = lists[i]; b != NULL; b = b->next)
            if (b->header.size >= size)
                return &b->header;
    return NULL;
}

/* Bytes of the block for a payload, or 0 when there is no such number. */
static size_t block_size(size_t nbytes)
{
    if (nbytes > PTRDIFF_MAX - 3 * 4096 - GROWTH)
        return 0;
    size_t size = (nbytes + sizeof(struct header) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    return size < SMALLEST ? SMALLEST : size;
}

void *malloc(size_t nbytes)
{
    size_t size = block_size(nbytes);
    struct header *h = size ? find(size) : NULL;

    if (h == NULL && size != 0 && grow(size))
        h = find(size);
    if (h == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    remove_free(h);
    return take(h, size);
}

static struct header *header_of(void *payload, const char *who)
{
    struct header *h = (struct header *)payload - 1;

    if ((uintptr_t)payload % ALIGNMENT != 0 || h->used != USED || h->size < SMALLEST) {
        dprintf(2, "%s(%p): %s\n", who, payload, h->used == FREE ? "already free" : "not a block of malloc()");
        abort();
    }
    return h;
}

void free(void *payload)
{
    if (payload != NULL)
        release(header_of(payload, "free"));
}

void *calloc(size_t count, size_t nbytes)
{
    size_t total;

    if (__builtin_mul_overflow(count, nbytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    void *payload = malloc(total);
    if (payload != NULL)
        memset(payload, 0, total);
    return payload;
}

void *realloc(void *payload, size_t nbytes)
{
    if (payload == NULL)
        return malloc(nbytes);

    struct header *h = header_of(payload, "realloc"), *next = after(h);
    size_t size = block_size(nbytes);
    if (size != 0 && size > h->size && next->used == FREE && h->size + next->size >= size) {
        remove_free(next);
        set_size(h, h->size + next->size);
    }
    if (size != 0 && size <= h->size)
        return take(h, size);

    void *bigger = malloc(nbytes);
    if (bigger != NULL) {
        memcpy(bigger, payload, h->size - sizeof *h);
        free(payload);
    }
    return bigger;
}
