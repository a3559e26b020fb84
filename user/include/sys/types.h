/* sys/types.h -- the type names Unix programs expect. */
#ifndef TAMAL_SYS_TYPES_H
#define TAMAL_SYS_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef ptrdiff_t ssize_t;                      /* what %zd prints */
typedef long      off_t;
typedef int       pid_t;
typedef unsigned  mode_t;
typedef int64_t   time_t;

#endif
