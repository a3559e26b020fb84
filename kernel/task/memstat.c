/*
 * memstat.c -- rows of memory statistics: what a task was promised, what it has, how soon it goes when memory ends.
 *
 * Locks:    each address space's own, for the moment of its row. Nothing is copied to users here.
 */
#include "lib/string.h"
#include "mm/vm.h"
#include "task/memstat.h"

#define KIB_PER_PAGE (PAGE_SIZE / 1024)

/* fill -- and release found->vm->lock. Every byte of the row is set: nothing of the kernel's stack gets out. */
static void fill(struct process_mem_info *row, struct space_found *found)
{
    memset(row, 0, sizeof(*row));
    row->reserved_memory = found->vm->reserved * KIB_PER_PAGE;
    row->committed_memory = found->vm->resident * KIB_PER_PAGE;
    row->oom_score = vm_oom_score(found->vm, found->oom_adj);
    release(&found->vm->lock);
    if (row->reserved_memory > 0)
        row->committed_percent = (uint32_t)(row->committed_memory * 100 / row->reserved_memory);
    row->pid = found->pid;
    copy_string(row->process_name, found->name, sizeof(row->process_name));
}

bool memstat_next(struct process_mem_info *row, int after)
{
    struct space_found found;
    if (!task_next_space(&found, after, false))
        return false;
    fill(row, &found);
    return true;
}

bool memstat_of(struct process_mem_info *row, int pid)
{
    struct space_found found;
    if (!task_find_space(&found, pid))
        return false;
    fill(row, &found);
    return true;
}
