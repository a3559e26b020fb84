/* sys/stat.h -- struct stat and the calls that fill it. There are no permissions: a mode argument is ignored. */
#ifndef TAMAL_SYS_STAT_H
#define TAMAL_SYS_STAT_H

#include <sys/types.h>
#include "abi/stat.h"

int stat(const char *path, struct stat *st);
int lstat(const char *path, struct stat *st);
int fstat(int fd, struct stat *st);
int mkdir(const char *path, ...);               /* mkdir(path) or mkdir(path, mode) */

#endif
