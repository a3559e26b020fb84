/*
 * check_dir.c -- passes 2 and 3 of fsck: the directory entries, and the tree and link counts they make.
 *
 * Pass 2 reads each block that pass 1 gave to a directory, once. Pass 3 compares what pass 2 counted with the
 * inodes and follows each directory's parents to the root.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/stat.h"
#include "mkfs/check_parts.h"
#include "mkfs/layout.h"

#define NAME_BYTES  (FS_NAME_MAX + 1)
#define PRINT_BYTES (4 * NAME_BYTES + 1)

struct name_ref {                       /* a valid name, for the search for duplicates */
    const char *name;
    uint32_t    slot;
};

/* The directory being read. */
struct reading {
    struct check    *check;
    uint32_t         inum;
    uint64_t         nslots;            /* entries its size covers */
    struct name_ref *names;
    size_t           nnames, capacity;
};

/* A name as it may be shown in one line of a terminal. */
static const char *printable(const char *name, char out[PRINT_BYTES])
{
    char *to = out;
    for (size_t i = 0; i < NAME_BYTES && name[i] != '\0'; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c >= ' ' && c < 0x7f && c != '\\') {
            *to++ = (char)c;
        } else {
            *to++ = '\\', *to++ = 'x';
            *to++ = "0123456789abcdef"[c >> 4], *to++ = "0123456789abcdef"[c & 15];
        }
    }
    *to = '\0';
    return out;
}

static bool name_is(const char *name, const char *wanted)
{
    return strncmp(name, wanted, NAME_BYTES) == 0;
}

/* Report what is wrong with the name of a used slot; true when it can take part in the search for duplicates. */
static bool name_valid(const struct reading *reading, uint32_t slot, const char *name)
{
    char shown[PRINT_BYTES];
    size_t length = strnlen(name, NAME_BYTES);
    struct check *check = reading->check;

    if (length == NAME_BYTES) {
        check_problem(check, "directory %u, entry %u: name has no NUL: \"%s\"", reading->inum, slot,
                      printable(name, shown));
        return false;
    }
    if (length == 0) {
        check_problem(check, "directory %u, entry %u: empty name", reading->inum, slot);
        return false;
    }
    if (memchr(name, '/', length) != NULL)
        check_problem(check, "directory %u, entry %u: name with a slash: \"%s\"", reading->inum, slot,
                      printable(name, shown));
    for (size_t i = length; i < NAME_BYTES; i++)
        if (name[i] != '\0') {
            check_problem(check, "directory %u, entry %u: name \"%s\" is not zero-filled", reading->inum, slot,
                          printable(name, shown));
            break;
        }
    return true;
}

/* Entries 0 and 1 are "." and "..". Pass 3 compares where ".." leads. */
static void check_dots(struct reading *reading, uint32_t slot, const struct dirent *entry)
{
    struct check *check = reading->check;
    const char *wanted = slot == 0 ? "." : "..";
    char shown[PRINT_BYTES];

    if (check->facts[reading->inum].nlink == 0)
        return;                                     /* an orphan: it has left the tree */
    if (entry->inum == 0 || !name_is(entry->name, wanted)) {
        check_problem(check, "directory %u, entry %u: expected \"%s\", found \"%s\"", reading->inum, slot, wanted,
                      entry->inum == 0 ? "" : printable(entry->name, shown));
        return;
    }
    name_valid(reading, slot, entry->name);         /* zero-filled? */
    if (slot == 0 && entry->inum != reading->inum)
        check_problem(check, "directory %u: \".\" is inode %u", reading->inum, entry->inum);
    if (slot == 1)
        check->facts[reading->inum].dotdot = entry->inum;
}

static void remember_name(struct reading *reading, uint32_t slot, const char *name)
{
    if (reading->nnames == reading->capacity) {
        size_t capacity = reading->capacity ? reading->capacity * 2 : 64;
        struct name_ref *grown = realloc(reading->names, capacity * sizeof grown[0]);
        if (grown == NULL) {
            reading->check->out_of_memory = true;
            return;
        }
        reading->names = grown;
        reading->capacity = capacity;
    }
    reading->names[reading->nnames++] = (struct name_ref){ name, slot };
}

/* What the entry's inode learns from being named. */
static void count_name(struct reading *reading, uint32_t slot, const struct dirent *entry)
{
    struct check *check = reading->check;
    struct inode_facts *self = &check->facts[reading->inum], *named;
    char shown[PRINT_BYTES];

    if (entry->inum >= check->view.sb.inodes) {
        check_problem(check, "directory %u, entry %u: \"%s\" is inode %u, but there are only %u", reading->inum,
                      slot, printable(entry->name, shown), entry->inum, check->view.sb.inodes);
        return;
    }
    named = &check->facts[entry->inum];
    if (named->type == 0) {
        check_problem(check, "directory %u, entry %u: \"%s\" is inode %u, which is free", reading->inum, slot,
                      printable(entry->name, shown), entry->inum);
        return;
    }
    named->names++;
    if (named->type != T_DIR)
        return;
    self->subdirs++;
    if (entry->inum == FS_ROOT_INODE)
        check_problem(check, "directory %u, entry %u: \"%s\" is the root", reading->inum, slot,
                      printable(entry->name, shown));
    else if (named->parent != 0)
        check_problem(check, "directory %u, entry %u: \"%s\" is directory %u, which directory %u also names",
                      reading->inum, slot, printable(entry->name, shown), entry->inum, named->parent);
    else
        named->parent = reading->inum;
}

static void check_entry(struct reading *reading, uint32_t slot, const char *raw)
{
    struct dirent entry;
    char shown[PRINT_BYTES];

    memcpy(&entry, raw, sizeof entry);
    if (slot < 2) {
        check_dots(reading, slot, &entry);
        return;
    }
    if (entry.inum == 0)
        return;
    reading->check->facts[reading->inum].entries++;
    if (name_is(entry.name, ".") || name_is(entry.name, ".."))
        check_problem(reading->check, "directory %u, entry %u: a second \"%s\"", reading->inum, slot,
                      printable(entry.name, shown));
    else if (name_valid(reading, slot, entry.name))
        remember_name(reading, slot, raw + offsetof(struct dirent, name));
    count_name(reading, slot, &entry);
}

static int compare_names(const void *a, const void *b)
{
    const struct name_ref *left = a, *right = b;
    int order = strncmp(left->name, right->name, NAME_BYTES);
    return order != 0 ? order : (left->slot > right->slot) - (left->slot < right->slot);
}

static void check_duplicates(struct reading *reading)
{
    char shown[PRINT_BYTES];
    if (reading->nnames > 1)
        qsort(reading->names, reading->nnames, sizeof reading->names[0], compare_names);
    for (size_t i = 1; i < reading->nnames; i++)
        if (name_is(reading->names[i].name, reading->names[i - 1].name))
            check_problem(reading->check, "directory %u: entries %u and %u have the same name \"%s\"",
                          reading->inum, reading->names[i - 1].slot, reading->names[i].slot,
                          printable(reading->names[i].name, shown));
}

static void begin_directory(struct reading *reading, uint32_t inum)
{
    struct disk_inode inode;
    view_inode(&reading->check->view, inum, &inode);
    reading->inum = inum;
    reading->nslots = inode.size / sizeof(struct dirent);
    reading->nnames = 0;
}

void check_directories(struct check *check)
{
    struct reading reading = { .check = check };

    for (size_t i = 0; i < check->ndir_blocks; i++) {
        const struct dir_block *at = &check->dir_blocks[i];
        const char *bytes = (const char *)view_block(&check->view, at->block);
        uint64_t slot = (uint64_t)at->file_block * DIRENTS_PER_BLOCK;
        if (i == 0 || at->inum != at[-1].inum)
            begin_directory(&reading, at->inum);
        for (uint32_t j = 0; j < DIRENTS_PER_BLOCK && slot < reading.nslots; j++, slot++)
            check_entry(&reading, (uint32_t)slot, bytes + j * sizeof(struct dirent));
        if (i + 1 == check->ndir_blocks || at->inum != at[1].inum)
            check_duplicates(&reading);
    }
    free(reading.names);
}

/* Does the chain of parents of a directory end at the root? Every directory is walked through once: the verdict is
 * written on the whole chain. */
static void find_reach(struct check *check, uint32_t inum)
{
    struct inode_facts *facts = check->facts;
    uint32_t at = inum;

    while (at != 0 && facts[at].reach == REACH_UNKNOWN) {
        facts[at].reach = REACH_WALKING;
        at = facts[at].parent;
    }
    bool loop = at != 0 && facts[at].reach == REACH_WALKING;
    uint8_t verdict = at != 0 && facts[at].reach == REACH_ROOT ? REACH_ROOT : REACH_NOT;
    if (loop)
        check_problem(check, "inode %u: directory is inside itself, the root does not lead to it", at);
    for (at = inum; at != 0 && facts[at].reach == REACH_WALKING; at = facts[at].parent)
        facts[at].reach = verdict;
}

static void check_place(struct check *check, uint32_t inum)
{
    struct inode_facts *facts = &check->facts[inum];
    uint32_t wanted = inum == FS_ROOT_INODE ? FS_ROOT_INODE : facts->parent;
    if (wanted != 0 && facts->dotdot != 0 && facts->dotdot != wanted)
        check_problem(check, "directory %u: \"..\" is inode %u, but its parent is %u", inum, facts->dotdot, wanted);
    find_reach(check, inum);
}

static void report_orphan(struct check *check, uint32_t inum)
{
    const struct inode_facts *facts = &check->facts[inum];
    check->result->orphans++;
    check_note(check, "note: inode %u: unlinked while open, %u blocks to be freed", inum, facts->blocks);
    if (facts->entries != 0)
        check_problem(check, "inode %u: unlinked directory still has %u entries", inum, facts->entries);
}

static void check_link_count(struct check *check, uint32_t inum)
{
    const struct inode_facts *facts = &check->facts[inum];
    uint32_t counted = facts->type == T_DIR ? 2 + facts->subdirs : facts->names;
    if (facts->names == 0 && inum != FS_ROOT_INODE)
        check_problem(check, "inode %u: in use, but no directory names it", inum);
    if (facts->nlink != counted)
        check_problem(check, "inode %u: link count is %u, counted %u", inum, facts->nlink, counted);
    if (facts->type == T_DIR)
        check->result->directories++;
    else
        check->result->files++;
}

void check_links(struct check *check)
{
    check->facts[FS_ROOT_INODE].reach = REACH_ROOT;
    for (uint32_t inum = FS_ROOT_INODE; inum < check->view.sb.inodes; inum++) {
        if (check->facts[inum].type == 0)
            continue;
        if (check_is_orphan(check, inum)) {
            report_orphan(check, inum);
            continue;
        }
        if (check->facts[inum].type == T_DIR)
            check_place(check, inum);
        check_link_count(check, inum);
    }
}
