/* memstat.h -- the memory of user tasks, as the statistics calls tell it. Each row is taken under its address space's lock and
 * so agrees with itself at any moment (M12); rows are of different moments. */
#ifndef TASK_MEMSTAT_H
#define TASK_MEMSTAT_H

#include "abi/memstat.h"
#include "task/task.h"

/* memstat_next -- the row of the first live user task with pid > after; false: no more. memstat_of -- of just this one. */
bool memstat_next(struct process_mem_info *row, int after);
bool memstat_of(struct process_mem_info *row, int pid);

#endif
