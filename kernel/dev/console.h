/* console.h -- the terminal: output ring, line discipline, foreground group. The UART driver below it feeds bytes. */
#ifndef DEV_CONSOLE_H
#define DEV_CONSOLE_H

#include "lib/types.h"

void console_init(void);                /* finds the UART, takes over printk's output */

/* console_read -- up to nbytes of a line (cooked) or of what has come (raw). Copies to user memory.
 * Returns the count, 0 at end of file (Ctrl-D), -EINTR when killed, -EFAULT.
 * console_write -- each line goes out whole. Returns nbytes, or a smaller count / -EINTR when killed, -EFAULT.
 * Task context, no spinlock. */
MUST_CHECK long console_read(vaddr_t dst, size_t nbytes);
MUST_CHECK long console_write(vaddr_t src, size_t nbytes);

int  console_set_mode(int mode);        /* TTY_*; returns the old mode or -EINVAL */
void console_set_group(int group);      /* Ctrl-C kills this group; 0: nobody */

/* console_set_interrupt_hook -- upcall (dev -> task): kill every task of a group. Called from the UART's interrupt. */
void console_set_interrupt_hook(void (*kill_group)(int group));

/* console_set_debug_hook -- upcall (dev -> task): Ctrl-P in cooked mode; lists the tasks. From the same interrupt. */
void console_set_debug_hook(void (*list_tasks)(void));

/* console_panic_mode -- from now on output is polled and takes no lock; what printk held back is shown. Also before
 * console_init(). */
void console_panic_mode(void);

#endif
