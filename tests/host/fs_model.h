/* fs_model.h -- a file tree in plain memory: what the file system should hold. See fs_model.c. */
#ifndef TESTS_HOST_FS_MODEL_H
#define TESTS_HOST_FS_MODEL_H

#include "fs_host.h"

/* model_step -- one random operation on both; results and, now and then, everything are compared. `tolerant`: the file
 * system may also fail with -EIO, -ENOMEM or -ENOSPC; then the model follows what it finds. */
void model_start(void);
void model_step(bool tolerant);
void model_compare_all(const char *when);
extern unsigned long model_ops;
extern unsigned model_big;              /* one write in so many is large; 0: never */

/* model_promise -- note what a sync that has just returned promised, at this point of the disk's events.
 * model_check_promise -- recover: the mounted file system must hold what was promised last before event `at`, as far as
 * no operation begun before that event touched it since. */
void model_promise(void);
void model_check_promise(size_t at);
size_t model_events_now(void);
void model_forget_promises(void);

#endif
