/* kernel/stat.h -- where xv6 programs look for struct stat. */
#include "abi/stat.h"
