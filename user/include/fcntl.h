/* fcntl.h -- open() and its flags. There are no permissions: a mode argument is ignored. */
#ifndef TAMAL_FCNTL_H
#define TAMAL_FCNTL_H

#include "abi/fcntl.h"

int open(const char *path, int flags, ...);     /* open(path, flags) or open(path, flags, mode) */

#endif
