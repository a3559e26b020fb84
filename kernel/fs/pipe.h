/* pipe.h -- a one-way channel of bytes between tasks. file.c wraps the two ends in files; this is the channel itself.
 *
 * A pipe is born with one reader and one writer end open, each counted once: however many descriptors share an end, file.c
 * closes it once, with the last of them. The pipe frees itself when both ends are closed. */
#ifndef FS_PIPE_H
#define FS_PIPE_H

#include "lib/types.h"

struct pipe;

/* pipe_new -- both ends open. NULL: no memory. Any task context; never suspends. */
MUST_CHECK struct pipe *pipe_new(void);

/* pipe_read -- waits until there is something, then copies what is there, at most nbytes, to user memory.
 *   returns  the count; 0: empty and no writer left (or nbytes 0); -EFAULT (nothing taken out unless some was copied);
 *            -EINTR: killed while waiting
 * pipe_write -- waits until all is written or no reader is left.
 *   returns  nbytes; a smaller count when readers went away, memory turned out bad or the task was killed after a part;
 *            -EPIPE: no reader; -EFAULT; -EINTR. Writes of up to PIPE_ATOMIC bytes are never mixed with another's.
 * Both: task context, no spinlock held; pages are faulted in without the pipe's lock. */
#define PIPE_ATOMIC 512
MUST_CHECK long pipe_read(struct pipe *pipe, vaddr_t dst, size_t nbytes);
MUST_CHECK long pipe_write(struct pipe *pipe, vaddr_t src, size_t nbytes);

/* pipe_close_end -- the reading (writer false) or writing end is gone; wakes the other side. Any task context; never
 * suspends. */
void pipe_close_end(struct pipe *pipe, bool writer);

/* pipe_available -- bytes waiting to be read, for fstat(). */
size_t pipe_available(struct pipe *pipe);

#endif
