/*
 * pipe.c -- a one-way channel of bytes between tasks.
 *
 * How:      positions count bytes for ever; byte p lies in page (p / PAGE_SIZE) % PIPE_PAGES. Pages come when the writer
 *           reaches them and go when the reader has emptied them, so an idle pipe holds one. The last page is kept as a
 *           spare, so a writer into an empty pipe never finds itself without memory.
 *           One reader and one writer at a time have the turn. Who has it copies from or to user memory without the
 *           spinlock (a page may have to be faulted in), then moves its position. A write has its turn until it is
 *           done, so writes never mix, whatever their length.
 * Owns:     the pipe and its pages.
 * Locks:    pipe->lock: everything in struct pipe. The bytes themselves: [read, write) the reader's with the turn, the
 *           rest the writer's.
 * Not here: descriptors (file.c).
 */
#include "fs/pipe.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "sched/sched.h"
#include "sched/spinlock.h"

#define PIPE_PAGES 16u                  /* 64 KiB: as much as a task writes before another must run */

struct end {                            /* one side of the pipe; its address is what its tasks wait for */
    bool     open;
    bool     busy;                      /* a task has the turn */
    bool     waits;                     /* it sleeps until the other side acts */
    uint32_t queue;                     /* tasks that sleep until they get the turn */
    size_t   position;                  /* bytes read or written since the beginning */
};

struct pipe {
    struct spinlock lock;
    struct end reader, writer;
    void      *pages[PIPE_PAGES];
    void      *spare;
};

static struct slab_cache pipe_cache = SLAB_CACHE("pipe", struct pipe);

struct pipe *pipe_new(void)
{
    struct pipe *pipe = slab_alloc(&pipe_cache);

    if (pipe == NULL)
        return NULL;
    pipe->spare = alloc_page_raw();
    if (pipe->spare == NULL) {
        slab_free(&pipe_cache, pipe);
        return NULL;
    }
    spinlock_init(&pipe->lock, "pipe", RANK_PIPE);
    pipe->reader.open = pipe->writer.open = true;
    return pipe;
}

/* ---- Turns and waiting; pipe->lock is held. */

HOT static int take_turn(struct pipe *pipe, struct end *end)
{
    while (end->busy) {
        end->queue++;
        int err = suspend(&end->busy, &pipe->lock, WAIT_KILLABLE);
        end->queue--;
        if (err < 0)
            return err;
    }
    end->busy = true;
    return 0;
}

HOT static void give_turn(struct end *end)
{
    end->busy = false;
    if (end->queue > 0)
        wakeup(&end->busy);
}

HOT static int wait_for_other(struct pipe *pipe, struct end *self)
{
    self->waits = true;
    int err = suspend(self, &pipe->lock, WAIT_KILLABLE);
    self->waits = false;
    return err;
}

HOT static void wake(struct end *end)
{
    if (end->waits) {
        end->waits = false;             /* once is enough, until it sleeps again */
        wakeup(end);
    }
}

/* ---- The bytes; pipe->lock is held. */

static size_t bytes_waiting(const struct pipe *pipe) { return pipe->writer.position - pipe->reader.position; }

static void **page_slot(struct pipe *pipe, size_t position) { return &pipe->pages[position / PAGE_SIZE % PIPE_PAGES]; }

static char *byte_at(struct pipe *pipe, size_t position)
{
    return (char *)*page_slot(pipe, position) + position % PAGE_SIZE;
}

static size_t left_in_page(size_t position) { return PAGE_SIZE - position % PAGE_SIZE; }

/* How much the writer can put at its position now; brings the page. 0: full, or no memory before the reader moves.
 * Reader and writer never share a page round the ring's end: the reader gives it away when it leaves it. */
HOT static size_t room_to_write(struct pipe *pipe)
{
    size_t position = pipe->writer.position;
    void **slot = page_slot(pipe, position);

    if (position / PAGE_SIZE - pipe->reader.position / PAGE_SIZE >= PIPE_PAGES)
        return 0;
    if (*slot == NULL) {
        *slot = pipe->spare != NULL ? pipe->spare : alloc_page_raw();
        if (*slot == pipe->spare)
            pipe->spare = NULL;
    }
    return *slot == NULL ? 0 : left_in_page(position);
}

HOT static void advance_reader(struct pipe *pipe, size_t nbytes)
{
    void **slot = page_slot(pipe, pipe->reader.position);

    pipe->reader.position += nbytes;
    if (pipe->reader.position % PAGE_SIZE != 0)
        return;
    if (pipe->spare == NULL)            /* this page is empty, and the writer is past it */
        pipe->spare = *slot;
    else
        free_page(*slot);
    *slot = NULL;
}

/* ---- Copying. Called with the turn and pipe->lock, which they drop while they touch user memory. */

HOT static int copy_in(struct pipe *pipe, vaddr_t src, size_t nbytes)
{
    char *here = byte_at(pipe, pipe->writer.position);

    release(&pipe->lock);
    int err = copy_from_user(here, src, nbytes);
    if (nbytes == PAGE_SIZE)
        preempt_point();
    acquire(&pipe->lock);
    if (err == 0)
        pipe->writer.position += nbytes;
    return err;
}

HOT static int copy_out(struct pipe *pipe, vaddr_t dst, size_t nbytes)
{
    const char *here = byte_at(pipe, pipe->reader.position);

    release(&pipe->lock);
    int err = copy_to_user(dst, here, nbytes);
    if (nbytes == PAGE_SIZE)
        preempt_point();
    acquire(&pipe->lock);
    if (err == 0)
        advance_reader(pipe, nbytes);
    return err;
}

/* One step of a write: some bytes, or a sleep. Returns the count or a negative errno. */
HOT static long write_some(struct pipe *pipe, vaddr_t src, size_t nbytes)
{
    if (!pipe->reader.open)
        return -EPIPE;
    size_t piece = MIN(nbytes, room_to_write(pipe));
    if (piece > 0) {
        int err = copy_in(pipe, src, piece);
        return err < 0 ? err : (long)piece;
    }
    wake(&pipe->reader);
    return wait_for_other(pipe, &pipe->writer);
}

HOT long pipe_write(struct pipe *pipe, vaddr_t src, size_t nbytes)
{
    size_t done = 0;

    acquire(&pipe->lock);
    long result = take_turn(pipe, &pipe->writer);
    if (result == 0) {
        while (done < nbytes) {
            result = current()->killed ? -EINTR : write_some(pipe, va_add(src, done), nbytes - done);
            if (result < 0)
                break;
            done += (size_t)result;
        }
        wake(&pipe->reader);
        give_turn(&pipe->writer);
    }
    release(&pipe->lock);
    return done > 0 ? (long)done : result;
}

HOT static int wait_for_bytes(struct pipe *pipe)
{
    int err = 0;

    while (bytes_waiting(pipe) == 0 && pipe->writer.open && err == 0)
        err = wait_for_other(pipe, &pipe->reader);
    return err;
}

HOT long pipe_read(struct pipe *pipe, vaddr_t dst, size_t nbytes)
{
    size_t done = 0;

    if (nbytes == 0)
        return 0;
    acquire(&pipe->lock);
    int err = take_turn(pipe, &pipe->reader);
    if (err == 0) {
        err = wait_for_bytes(pipe);
        while (err == 0 && done < nbytes && bytes_waiting(pipe) > 0 && !current()->killed) {
            size_t piece = MIN(bytes_waiting(pipe), left_in_page(pipe->reader.position));
            piece = MIN(piece, nbytes - done);
            err = copy_out(pipe, va_add(dst, done), piece);
            if (err == 0)
                done += piece;
        }
        wake(&pipe->writer);
        give_turn(&pipe->reader);
    }
    release(&pipe->lock);
    return done > 0 ? (long)done : err;
}

size_t pipe_available(struct pipe *pipe)
{
    acquire(&pipe->lock);
    size_t nbytes = bytes_waiting(pipe);
    release(&pipe->lock);
    return nbytes;
}

static void pipe_free(struct pipe *pipe)
{
    for (unsigned i = 0; i < PIPE_PAGES; i++)
        if (pipe->pages[i] != NULL)
            free_page(pipe->pages[i]);
    if (pipe->spare != NULL)
        free_page(pipe->spare);
    slab_free(&pipe_cache, pipe);
}

void pipe_close_end(struct pipe *pipe, bool writer)
{
    struct end *end = writer ? &pipe->writer : &pipe->reader;
    struct end *other = writer ? &pipe->reader : &pipe->writer;

    acquire(&pipe->lock);
    end->open = false;
    wake(other);
    bool unused = !other->open;
    release(&pipe->lock);
    if (unused)
        pipe_free(pipe);
}
