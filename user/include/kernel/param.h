/* kernel/param.h -- xv6's limits. Most are not limits here, so the numbers are what a program may count on. */
#ifndef TAMAL_XV6_PARAM_H
#define TAMAL_XV6_PARAM_H

#include "abi/fsformat.h"

#define NPROC     64
#define NCPU      8
#define NOFILE    16
#define NFILE     100
#define NINODE    50
#define NDEV      10
#define ROOTDEV   1
#define MAXARG    32
#define MAXPATH   FS_PATH_MAX
#define MAXOPBLOCKS 10
#define LOGSIZE   (MAXOPBLOCKS * 3)
#define NBUF      (MAXOPBLOCKS * 3)
#define FSSIZE    2000
#define USERSTACK 1

#endif
