/* internal.h -- what task.c and fork.c share; nobody else includes it. */
#ifndef TASK_INTERNAL_H
#define TASK_INTERNAL_H

#include "task/task.h"

struct task *task_create(const char *name, void (*first)(void), int *error);
void task_destroy(struct task *t);
int  task_publish(struct task *t, struct task *parent);
struct files *task_copy_files(struct files *files);
void task_release_files(struct files *files);

#endif
