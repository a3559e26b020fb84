/* errno.h -- why the last failing call failed. */
#ifndef TAMAL_ERRNO_H
#define TAMAL_ERRNO_H

#include "abi/errno.h"

#define EWOULDBLOCK EAGAIN
#define EDOM        ERANGE

extern int errno;                               /* set by a failing call, never cleared by the library */

#endif
