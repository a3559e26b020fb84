/* kernel/syscall.h -- where xv6 programs look for SYS_*. */
#include "abi/syscall.h"
