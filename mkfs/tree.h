/* tree.h -- what mkfs will put in an image: a tree of nodes in memory, made from the ENTRY arguments. */
#ifndef MKFS_TREE_H
#define MKFS_TREE_H

#include <stdbool.h>
#include <stdint.h>

struct node {
    char        *name;                  /* the last part of its path; "" for the root */
    uint16_t     type;                  /* T_* of abi/stat.h */
    uint16_t     major, minor;          /* of a T_DEVICE */
    char        *source;                /* T_FILE: the host file; T_SYMLINK: the target; otherwise NULL */
    int64_t      mtime;                 /* set by the builder */
    uint32_t     inum;                  /* 1 for the root, then in order of creation */
    uint32_t     nchildren, nsubdirs;
    struct node *parent;                /* the root's is the root */
    struct node *children, *last_child; /* in order of creation */
    struct node *sibling;               /* next child of the same parent */
    struct node *next_made;             /* next node in order of inum */
};

/* tree_make -- an empty root directory. */
struct node *tree_make(void);

/* tree_add -- take in one ENTRY, making parents as needed: /path=hostfile, /path=c:MAJOR,MINOR, /path/ or
 * /path->target. Anything wrong with it ends the program through die(). */
void tree_add(struct node *root, const char *entry);

/* die -- one message for the user, the unfinished image removed, exit status 1 (mkfs.c). */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* allocate -- zeroed memory, or die(). Never freed: mkfs is short-lived. */
void *allocate(uint64_t nbytes);

#endif
