/* commit.h -- promises of memory. A charged page is one that a task was promised and has perhaps not touched yet: when
 * it does, there will be a frame. So a charge fails at once, with an error, when the promise could not be kept.
 *
 * outstanding = pages charged - frames that back charged pages (PAGE_PROMISED). A frame shared by copy on write backs
 * one charge only: the other sharers' charges stay outstanding, because each may want its copy. */
#ifndef MM_COMMIT_H
#define MM_COMMIT_H

#include "lib/types.h"

/* commit_charge -- promise npages; 0 or -ENOMEM. commit_release -- the promise is over. Any context. */
MUST_CHECK int commit_charge(size_t npages);
void commit_release(size_t npages);

/* commit_frame_used -- `page`, just allocated, backs a charged page. free_page() takes it back by itself. */
void commit_frame_used(void *page);
void commit_frame_freed(void);

/* commit_may_overcommit -- may an uncharged page take a frame? Not when all that is left was promised to others. */
bool commit_may_overcommit(void);

size_t commit_outstanding(void);

#endif
