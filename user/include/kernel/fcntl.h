/* kernel/fcntl.h -- where xv6 programs look for the flags of open(). */
#include "abi/fcntl.h"
