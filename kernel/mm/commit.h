/* commit.h -- promises of memory. A charged page is one that a task was promised and has perhaps not touched yet: when
 * it does, there will be a frame. So a charge fails at once, with an error, when the promise could not be kept.
 *
 * outstanding = pages charged - frames that back charged pages (PAGE_PROMISED). A frame shared by copy on write backs
 * one charge only: the other sharers' charges stay outstanding, because each may want its copy.
 *
 * free frames + clean cache >= outstanding, always: whoever was not promised a frame (caches, pipes, tables of tasks, kernel
 * stacks, lazy pages) gets none once the two are equal. A reserve is never promised, so that files can still be read and
 * commands started when programs have claimed all the rest. */
#ifndef MM_COMMIT_H
#define MM_COMMIT_H

#include "lib/types.h"

/* commit_charge -- promise npages; 0 or -ENOMEM. commit_release -- the promise is over. Any context. */
MUST_CHECK int commit_charge(size_t npages);
void commit_release(size_t npages);

/* commit_frame_used -- `page`, just allocated, backs a charged page. free_page() takes it back by itself. */
void commit_frame_used(void *page);
void commit_frame_freed(void);

/* commit_may_overcommit -- may an uncharged user page take a frame? Not when what is left was promised to others, or is
 * the kernel's reserve. commit_spares_a_frame -- may the kernel, for anything but a promised page? Only the former. */
bool commit_may_overcommit(void);
bool commit_spares_a_frame(void);

size_t commit_outstanding(void);

#endif
