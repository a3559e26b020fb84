/* sys/wait.h -- waiting for children. A status is the int given to exit(); a killed task's is -1. */
#ifndef TAMAL_SYS_WAIT_H
#define TAMAL_SYS_WAIT_H

#include <sys/types.h>

#define WIFEXITED(status)   ((status) != -1)
#define WEXITSTATUS(status) (status)
#define WIFSIGNALED(status) ((status) == -1)
#define WTERMSIG(status)    9                   /* there is only one way to be killed */

pid_t wait(int *status);                        /* any child */
pid_t waitpid(pid_t pid, int *status, int options);     /* options: 0 only, else EINVAL */
pid_t wait_for_task(int pid, int *status);      /* this child and no other */

#endif
