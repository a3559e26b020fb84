/* abi/fcntl.h -- flags of open(), origins of lseek(), modes of ttymode(). xv6's values where xv6 has one. */
#ifndef ABI_FCNTL_H
#define ABI_FCNTL_H

#define O_RDONLY   0x000
#define O_WRONLY   0x001
#define O_RDWR     0x002
#define O_ACCMODE  0x003
#define O_NOFOLLOW 0x004                /* the last component must not be a symbolic link: -ELOOP */
#define O_EXCL     0x008                /* with O_CREATE: -EEXIST when it is there */
#define O_CREATE   0x200
#define O_CREAT    O_CREATE
#define O_TRUNC    0x400
#define O_APPEND   0x800                /* every write goes to the end */

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

#define TTY_COOKED 0                    /* lines, echo, erase keys, Ctrl-C, Ctrl-D */
#define TTY_RAW    1                    /* every byte at once, no echo, nothing interpreted */

#endif
