/* panic.h -- stopping the machine with all that helps to see why. panic() itself is declared in lib/printk.h. */
#ifndef SYS_PANIC_H
#define SYS_PANIC_H

#include "arch/arch.h"

/* panic_trap -- the kernel faulted: `tf` is where. panic_stop_if_asked -- another CPU panicked: stop for good. */
NORETURN void panic_trap(const struct trap_frame *tf, const struct trap *trap);
void panic_stop_if_asked(void);

#define PANIC_STATUS 101                /* the emulator's exit status after a panic */

#endif
