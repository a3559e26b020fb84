/* abi/errno.h -- E* constants, from errno.def. */
#ifndef ABI_ERRNO_H
#define ABI_ERRNO_H

#define ERRNO(nr, name, text) name = (nr),
enum errno_value {
#include "abi/errno.def"
    ERRNO_LIMIT                         /* one past the last number */
};
#undef ERRNO

#define ERRNO_MAX 4095                  /* results in [-ERRNO_MAX, -1] are errors, nothing else is */

#endif
