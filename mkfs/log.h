/* log.h -- finds the committed transactions in an image's log. */
#ifndef MKFS_LOG_H
#define MKFS_LOG_H

#include "mkfs/view.h"

struct log_state {
    uint32_t transactions;              /* committed and now in the view */
    uint64_t next_sequence;             /* of the transaction after them */
    bool     sound;                     /* false: `why` names what no kernel writes, even in a crash */
    char     why[160];
};

/* log_replay -- enter every committed transaction into view->moved, oldest first, stopping where recovery would.
 * A missing or torn transaction is the ordinary end. A wrong header, or a group whose checksums are right and whose
 * contents cannot be, is not sound; the transactions before it are entered all the same. */
void log_replay(struct view *view, struct log_state *state);

#endif
