/*
 * fork.c -- a second task like the current one: same memory (copy on write), files, registers; only the result differs.
 *
 * The child is complete before it is published (M6): the parent's pages were downgraded and fenced by vm_fork(), and
 * nobody sees a half-made task. On any failure all that was made is taken back and the parent goes on.
 */
#include "lib/printk.h"
#include "mm/vm.h"
#include "task/internal.h"

/* The child's first instructions, on its own kernel stack. */
static void fork_first(void)
{
    finish_switch();
    return_to_user();
    current()->context.irq_depth = 0;
    user_enter();
}

int task_fork(void)
{
    struct task *self = current();
    int error;
    struct task *child = task_create(self->name, fork_first, &error);
    if (child == NULL)
        return error;
    struct vm *vm = vm_fork(vm_of(self));
    struct files *files = vm == NULL ? NULL : task_copy_files(self->files);
    if (files == NULL || fp_copy_to_child(self, child) != 0) {
        if (files != NULL)
            task_release_files(files);
        if (vm != NULL)
            vm_free(vm);
        task_destroy(child);
        return -ENOMEM;
    }
    child->space = &vm->space;
    child->files = files;
    child->group = self->group;
    child->oom_adj = self->oom_adj;
    *task_frame(child) = *task_frame(self);
    frame_set_result(task_frame(child), 0);
    context_enter_user(child);
    return task_publish(child, self);
}
