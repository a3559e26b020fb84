/*
 * crash_judge.c -- judges what the kernel wrote: builds the states in which a crash may leave the disk, lets the kernel's
 * own mount code recover each, and checks it: fsck, and everything that had been promised, byte for byte.
 *
 *   crash_judge [-s SEED] [-n SUBSETS] [-d FOLDER -k COUNT] [-x FLUSHES] [-c N] BASE LOG CONSOLE
 *     BASE     the image before the run; LOG: QEMU's blklogwrites log; CONSOLE: what user/tests/crashload printed, and lines
 *              "position: ROUND BYTES": how long LOG was when the round was quiet
 *     -d -k    write COUNT of the states, as the crash left them, to FOLDER/state-NUMBER.img, and beside each a .names file
 *     -x       prove the judge: flushes bind nothing; up to so many are ignored, what was flushed before them may be lost
 *     -c       prove the judge: the last write to the log before round N was quiet has a wrong byte
 *
 * The disk is assumed to write a 512-byte sector whole or not at all. It keeps what comes before a FLUSH in LOG; of the
 * writes after it any sectors may be there, in any combination; of two writes to one sector the later one wins if it is
 * there. (A write that was in flight together with a FLUSH counts as LOG orders the two: LOG does not tell more.)
 * States: every prefix of LOG, and random subsets of the sectors written between two flushes.
 *
 * When a promise binds: crashload writes a mark right after an fsync or sync returned, unsynced. Where a mark comes first
 * in LOG, the call had returned, and the flush that completed it is before that: so the promise holds in every state after
 * the last FLUSH before the mark, whether or not the mark itself is in the state. The same for the positions of quiet
 * rounds, to which nothing is added after the last flush: they bind promises to the very FLUSH that kept them.
 *
 * What a state must hold: for each task, the names, types, sizes, links and symbolic links exactly as they were after one of
 * its operations, none earlier than its last binding promise (or in the middle of a long write: a part of its bytes, from the
 * start). File contents as of then, but later operations may have overwritten some sectors in place (that is their nature:
 * only metadata is journaled); never the data of another file, never old data in new space. Blocks of other files of BASE
 * are never written at all. Contents are read by mkfs/view.h, not by the kernel's code that is judged.
 * Not here: the workload (user/tests/crashload.c), running it (tests/test_crash_judge.py).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "fs_host.h"
#include "fs_recover.h"
#include "mkfs/check.h"
#include "mkfs/view.h"
#include "user/tests/crashload.h"

#define SECTOR 512u
#define TASKS  8
#define NAMES  48                       /* of one task */

static void die(const char *what)
{
    fprintf(stderr, "crash_judge: %s\n", what);
    exit(2);
}

static void *more(void *array, size_t count, size_t size)  /* room for one more; grows at powers of two */
{
    if (count & (count - 1))
        return array;
    array = realloc(array, (count ? 2 * count : 1) * size);
    return array != NULL ? array : (die("no memory"), NULL);
}

static uint8_t *read_whole(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        die(path);
    *n = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*n + 1);
    if (fread(bytes, 1, *n, file) != *n)
        die(path);
    bytes[*n] = 0;
    fclose(file);
    return bytes;
}

/* ---- The log of writes: a header sector; per entry a sector (sector, count, flags, length), then its data. */

enum { LOG_FLUSH = 1, LOG_FUA = 2, LOG_DISCARD = 4 };
struct entry { uint64_t at, nbytes, position; uint8_t *data; bool flush; };     /* at: byte on the disk; position: in LOG */
static struct entry *entries;
static size_t nentries, nflushes, nwrites;
static uint8_t *base;
static size_t nbytes;                   /* of the disk */
static struct view base_view;
static uint8_t *is_foreign;             /* per block: belongs to a file of the base image */

static uint64_t word_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static void load_log(const char *path)
{
    size_t length;
    uint8_t *log = read_whole(path, &length);
    if (length < SECTOR || word_at(log) != 0x6a736677736872 || (uint32_t)word_at(log + 24) != SECTOR)
        die("not a log of blklogwrites with sectors of 512 bytes");
    uint64_t count = word_at(log + 16), at = SECTOR;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *head = log + at;
        bool there = at + SECTOR <= length;
        uint64_t n = there ? word_at(head + 8) * SECTOR : 0, flags = there ? word_at(head + 16) : ~0ull;
        if ((flags & ~(uint64_t)LOG_FLUSH) || at + SECTOR + n > length || word_at(head) * SECTOR + n > nbytes)
            die("the log of writes is torn, or has entries of an unknown kind");
        entries = more(entries, nentries, sizeof(*entries));
        if (n > 0) {
            if (flags & LOG_FLUSH)
                die("a FLUSH with data");
            entries[nentries++] = (struct entry){ word_at(head) * SECTOR, n, at, log + at + SECTOR, false };
            nwrites++;
        } else {
            entries[nentries++] = (struct entry){ 0, 0, at, NULL, true };
            nflushes++;
        }
        at += SECTOR + n;
    }
}

static bool mark_foreign(void *context, uint64_t file_block, uint32_t block, bool is_index)
{
    (void)context, (void)file_block, (void)is_index;
    is_foreign[block] = 1;
    return true;
}

static void load_base(const char *path)
{
    char why[200];
    base = read_whole(path, &nbytes);
    if (!view_open(&base_view, base, nbytes, why, sizeof(why)))
        die(why);
    is_foreign = calloc(base_view.sb.blocks, 1);
    for (uint32_t i = 1; i < base_view.sb.inodes; i++) {
        struct disk_inode inode;
        view_inode(&base_view, i, &inode);
        if (inode.type == T_FILE)
            view_walk_inode(&base_view, &inode, mark_foreign, NULL);
    }
}

/* ---- What should be: a model of each task's files after each of its operations. */

struct piece { uint32_t version; uint64_t from, to; };                  /* version 0: zeros */
struct content { struct piece *pieces; size_t npieces; uint64_t size; }; /* later pieces cover earlier ones */
struct name { char path[48]; int type; int content; char target[96]; }; /* of a T_FILE: index of its content */
struct model { struct name names[NAMES]; int nnames; };
struct step {                           /* an operation, and the names after it */
    struct model after;
    int content;                        /* whose contents it changed; -1: none */
    uint64_t size_before, size_after;
    uint64_t from, to;                  /* bytes of a write; of a truncation those that became zero */
    bool is_write;
};
static struct worker {
    struct step *steps;                 /* [0]: nothing done yet. [v]: operation v */
    size_t nsteps;
    uint64_t *binds;                    /* [v]: entries[] up to and including this one force operation v; ~0: the end does */
    size_t required;                    /* in the states of now: operations up to this one */
    struct { uint32_t version; bool marked; } *promises;        /* as they were made; marked: a mark was written then */
    size_t npromises;
    int ncontents;
} workers[TASKS];
static size_t ntasks, npromises, nquiet;
static size_t *quiet_at;                /* entries there were when each round was quiet */

static struct name *find(struct model *m, const char *path)
{
    for (int i = 0; i < m->nnames; i++)
        if (strcmp(m->names[i].path, path) == 0)
            return &m->names[i];
    return NULL;
}

static struct name *found(struct model *m, const char *path)
{
    struct name *name = find(m, path);
    return name != NULL ? name : (die("the console's operations contradict each other"), NULL);
}

static void remove_name(struct model *m, struct name *name) { *name = m->names[--m->nnames]; }

static struct name *add_name(struct model *m, const char *path, int type)
{
    if (m->nnames == NAMES || find(m, path) != NULL)
        die("a name too many");
    struct name *name = &m->names[m->nnames++];
    *name = (struct name){ .type = type, .content = -1 };
    snprintf(name->path, sizeof(name->path), "%s", path);
    return name;
}

/* Everything below a directory moves with it. */
static void rename_names(struct model *m, const char *from, const char *to)
{
    struct name *old = find(m, to);
    size_t n = strlen(from);
    if (old != NULL)
        remove_name(m, old);
    (void)found(m, from);
    for (int i = 0; i < m->nnames; i++) {
        char *path = m->names[i].path, rest[64];
        if (strncmp(path, from, n) != 0 || (path[n] != '\0' && path[n] != '/'))
            continue;
        snprintf(rest, sizeof(rest), "%s%s", to, path + n);
        snprintf(path, sizeof(m->names[i].path), "%.47s", rest);
    }
}

static void do_operation(struct worker *t, size_t version, const char *kind, const char *a, const char *b, const char *c)
{
    if (t->nsteps != version)
        die("an operation is missing on the console");
    t->steps = more(t->steps, t->nsteps, sizeof(*t->steps));
    t->steps[version] = t->steps[version - 1];
    t->nsteps++;
    struct step *s = &t->steps[version];
    struct model *m = &s->after;
    s->content = -1;
    if (strcmp(kind, "create") == 0) {
        add_name(m, a, T_FILE)->content = t->ncontents++;
    } else if (strcmp(kind, "mkdir") == 0) {
        add_name(m, a, T_DIR);
    } else if (strcmp(kind, "symlink") == 0) {
        snprintf(add_name(m, a, T_SYMLINK)->target, sizeof(m->names[0].target), "%s", b);
    } else if (strcmp(kind, "unlink") == 0 || strcmp(kind, "rmdir") == 0) {
        remove_name(m, found(m, a));
    } else if (strcmp(kind, "rename") == 0) {
        rename_names(m, a, b);
    } else if (strcmp(kind, "link") == 0) {
        int content = found(m, a)->content;
        add_name(m, b, T_FILE)->content = content;
    } else if (strcmp(kind, "write") == 0) {
        s->content = found(m, a)->content;
        s->is_write = true;
        s->from = strtoull(b, NULL, 10);
        s->to = s->from + strtoull(c, NULL, 10);
    } else if (strcmp(kind, "truncate") == 0) {
        s->content = found(m, a)->content;
        s->is_write = false;
        s->from = strtoull(b, NULL, 10);
        s->to = ~0ull;
    } else {
        die("an unknown operation on the console");
    }
}

/* Sizes before and after, once all operations are known. */
static void settle_sizes(struct worker *t)
{
    uint64_t *sizes = calloc((size_t)t->ncontents + 1, sizeof(*sizes));
    for (size_t v = 1; v < t->nsteps; v++) {
        struct step *s = &t->steps[v];
        if (s->content < 0)
            continue;
        s->size_before = sizes[s->content];
        s->size_after = !s->is_write ? s->from : s->to > s->size_before ? s->to : s->size_before;
        sizes[s->content] = s->size_after;
    }
    free(sizes);
}

/* The contents of file `content` after operation `version`, of which the last, if it is a write, was cut off at `limit`. */
static void build_content(const struct worker *t, int content, size_t version, uint64_t limit, struct content *c)
{
    c->npieces = 0;
    c->size = 0;
    for (size_t v = 1; v <= version; v++) {
        const struct step *s = &t->steps[v];
        if (s->content != content)
            continue;
        uint64_t to = s->is_write && v == version && s->to > limit ? limit : s->to;
        if (!s->is_write && s->from == 0)
            c->npieces = 0;
        c->pieces = more(c->pieces, c->npieces, sizeof(*c->pieces));
        c->pieces[c->npieces++] = (struct piece){ s->is_write ? (uint32_t)v : 0, s->from, to };
        if (!s->is_write)
            c->size = s->from;
        else if (to > c->size)
            c->size = to;
    }
}

static void fill(const struct worker *t, const struct content *c, uint64_t at, uint8_t *block)
{
    memset(block, 0, FS_BLOCK_SIZE);
    for (size_t i = 0; i < c->npieces; i++) {
        const struct piece *p = &c->pieces[i];
        uint64_t from = p->from > at ? p->from : at, to = p->to < at + FS_BLOCK_SIZE ? p->to : at + FS_BLOCK_SIZE;
        if (from >= to)
            continue;
        if (p->version == 0) {
            memset(block + (from - at), 0, to - from);
            continue;
        }
        while (from < to) {
            uint64_t word = crash_word((uint32_t)(t - workers), p->version, from / 8), skip = from % 8, n = 8 - skip;
            if (n > to - from)
                n = to - from;
            memcpy(block + (from - at), (uint8_t *)&word + skip, n);
            from += n;
        }
    }
}

/* ---- When promises bind. */

static void bind(struct worker *t, size_t version, uint64_t entry)
{
    for (size_t v = version; v > 0 && t->binds[v] > entry; v--)
        t->binds[v] = entry;
}

/* Index of the last FLUSH before entry i; ~0: none. */
static uint64_t flush_before(size_t i)
{
    while (i > 0)
        if (entries[--i].flush)
            return i;
    return ~0ull;
}

static void bind_by_marks(void)
{
    for (size_t i = 0; i < nentries; i++)
        for (uint64_t at = 0; !entries[i].flush && at + SECTOR <= entries[i].nbytes; at += SECTOR) {
            struct crash_mark m;
            memcpy(&m, entries[i].data + at, sizeof(m));
            if (m.magic == CRASH_MARK_MAGIC && m.task < ntasks && m.version < workers[m.task].nsteps
                && m.check == crash_word(m.task, m.version, CRASH_MARK_MAGIC))
                bind(&workers[m.task], m.version, flush_before(i));
        }
}

static void load_console(const char *path)
{
    size_t n;
    char *text = (char *)read_whole(path, &n), *rest = text, kind[16], a[100], b[100], c[100];
    struct { uint64_t position; size_t done[TASKS]; } *rounds = NULL, quiet = { 0 };
    for (char *line; (line = strsep(&rest, "\n")) != NULL; ) {
        unsigned task, version;
        unsigned long long position;
        a[0] = b[0] = c[0] = '\0';
        if (sscanf(line, "op: %u %u %15s %99s %99s %99s", &task, &version, kind, a, b, c) >= 4) {
            if (task >= TASKS)
                die("too many tasks");
            for (; ntasks <= task; ntasks++) {
                workers[ntasks].steps = calloc(1, sizeof(struct step));
                workers[ntasks].steps[0].content = -1;
                workers[ntasks].nsteps = 1;
            }
            do_operation(&workers[task], version, kind, a, b, c);
        } else if (sscanf(line, "promise: %u %u", &task, &version) == 2 && task < ntasks) {
            struct worker *t = &workers[task];
            if (version >= t->nsteps)
                die("a promise of what was not done");
            t->promises = more(t->promises, t->npromises, sizeof(*t->promises));
            t->promises[t->npromises].version = version;
            t->promises[t->npromises++].marked = true;
            quiet.done[task] = version;
            npromises++;
        } else if (strncmp(line, "quiet: ", 7) == 0) {
            for (struct worker *t = workers; t < workers + ntasks; t++)
                if (t->npromises > 0)
                    t->promises[t->npromises - 1].marked = false;
        } else if (sscanf(line, "position: %u %llu", &version, &position) == 2) {
            quiet.position = position;
            rounds = more(rounds, nquiet, sizeof(*rounds));
            memcpy(&rounds[nquiet++], &quiet, sizeof(quiet));
        }
    }
    for (struct worker *t = workers; t < workers + ntasks; t++) {
        settle_sizes(t);
        t->binds = malloc(t->nsteps * sizeof(*t->binds));
        memset(t->binds, 0xff, t->nsteps * sizeof(*t->binds));
    }
    for (size_t r = 0; r < nquiet; r++) {
        size_t i = 0;
        while (i < nentries && entries[i].position < rounds[r].position)
            i++;
        quiet_at = more(quiet_at, r, sizeof(*quiet_at));
        quiet_at[r] = i;
        for (size_t k = 0; k < ntasks; k++)
            bind(&workers[k], rounds[r].done[k], flush_before(i));
    }
    bind_by_marks();
}

/* ---- Complaints */

static char state_name[200];
static unsigned long failures, failed_states, states;
static bool state_failed;

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    va_list args;
    failures++;
    if (!state_failed)
        failed_states++;
    if (failed_states <= 12) {
        if (!state_failed)
            printf("FAIL %s\n", state_name);
        va_start(args, format);
        printf("     ");
        vprintf(format, args);
        printf("\n");
        va_end(args);
    }
    state_failed = true;
}

/* ---- What is there: /crash of a recovered image, by mkfs/view.h. */

struct seen { char path[128]; uint32_t inum; struct disk_inode inode; uint32_t *blocks; size_t nblocks; };
static struct seen seen[512];
static size_t nseen;
static struct view view;

struct collect { uint32_t *blocks; size_t nblocks; };
static bool collect_block(void *context, uint64_t file_block, uint32_t block, bool is_index)
{
    struct collect *c = context;
    if (!is_index && file_block < c->nblocks)
        c->blocks[file_block] = block;
    return true;
}

static void read_tree(const char *path, uint32_t inum, int depth)
{
    struct disk_inode inode;
    view_inode(&view, inum, &inode);
    size_t n = (inode.size + FS_BLOCK_SIZE - 1) / FS_BLOCK_SIZE;
    if (nseen == sizeof(seen) / sizeof(seen[0]) || n > FS_MAX_BLOCKS || inode.size > nbytes * 4)
        return complain("%s: impossible", path);
    struct collect c = { calloc(n + 1, sizeof(uint32_t)), n };
    view_walk_inode(&view, &inode, collect_block, &c);
    struct seen *s = &seen[nseen++];
    *s = (struct seen){ .inum = inum, .inode = inode, .blocks = c.blocks, .nblocks = n };
    snprintf(s->path, sizeof(s->path), "%s", path);
    for (size_t i = 0; inode.type == T_DIR && i < n; i++) {
        const struct dirent *d = (const struct dirent *)view_block(&view, c.blocks[i]);
        for (size_t k = 0; k < FS_BLOCK_SIZE / sizeof(*d) && i * FS_BLOCK_SIZE + k * sizeof(*d) < inode.size; k++, d++) {
            char sub[128];
            if (d->inum == 0 || d->inum >= view.sb.inodes || strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0)
                continue;
            snprintf(sub, sizeof(sub), "%.60s/%.60s", path[1] ? path : "", d->name);
            if (depth > 0 || strcmp(d->name, "crash") == 0)
                read_tree(sub, d->inum, depth + 1);
        }
    }
}

static void forget_tree(void)
{
    while (nseen > 0)
        free(seen[--nseen].blocks);
}

static struct seen *seen_as(const char *path)
{
    for (size_t i = 0; i < nseen; i++)
        if (strcmp(seen[i].path, path) == 0)
            return &seen[i];
    return NULL;
}

static const uint8_t *seen_block(const struct seen *s, size_t i)
{
    static const uint8_t zeros[FS_BLOCK_SIZE];
    return s->blocks[i] != 0 ? view_block(&view, s->blocks[i]) : zeros;
}

/* ---- Comparing. Each function returns NULL or what is wrong. */

static char wrong[300];
#define WRONG(...) (snprintf(wrong, sizeof(wrong), __VA_ARGS__), wrong)

/* May byte `at` be there because an operation after `version` put it there, before its own time? */
static bool later_byte(const struct worker *t, int content, size_t version, uint64_t at, uint8_t byte)
{
    for (size_t v = version + 1; v < t->nsteps; v++) {
        const struct step *s = &t->steps[v];
        if (s->content != content || at < s->from || at >= s->to)
            continue;
        if (byte == (s->is_write ? crash_byte((uint32_t)(t - workers), (uint32_t)v, at) : 0))
            return true;
        if (!s->is_write && at / FS_BLOCK_SIZE > s->from / FS_BLOCK_SIZE)
            return false;               /* from here on the block is another's */
    }
    return false;
}

static const char *compare_content(const struct worker *t, const struct seen *s, int content, size_t version, uint64_t limit)
{
    static struct content c;
    uint8_t expected[FS_BLOCK_SIZE];
    build_content(t, content, version, limit, &c);
    if (s->inode.size != c.size)
        return WRONG("%s: %llu bytes, not %llu", s->path, (unsigned long long)s->inode.size, (unsigned long long)c.size);
    for (size_t i = 0; i < s->nblocks; i++) {
        uint64_t at = i * (uint64_t)FS_BLOCK_SIZE, n = c.size - at < FS_BLOCK_SIZE ? c.size - at : FS_BLOCK_SIZE;
        const uint8_t *block = seen_block(s, i);
        fill(t, &c, at, expected);
        if (memcmp(block, expected, n) == 0)
            continue;
        for (uint64_t k = 0; k < n; k++)
            if (block[k] != expected[k] && !later_byte(t, content, version, at + k, block[k]))
                return WRONG("%s: byte %llu (block %u) is %02x, not %02x", s->path, (unsigned long long)(at + k),
                             s->blocks[i], block[k], expected[k]);
    }
    return NULL;
}

static const char *compare_link(const struct seen *s, const char *target)
{
    size_t n = strlen(target);
    if (s->inode.size != n || memcmp(seen_block(s, 0), target, n) != 0)
        return WRONG("%s: the link's target is wrong", s->path);
    return NULL;
}

/* Names, types, and which names are one file. */
static const char *compare_names(const struct model *m, size_t there)
{
    struct seen *of[NAMES];
    for (int i = 0; i < m->nnames; i++) {
        const struct name *name = &m->names[i];
        if ((of[i] = seen_as(name->path)) == NULL)
            return WRONG("%s is missing", name->path);
        if (of[i]->inode.type != name->type)
            return WRONG("%s has type %d, not %d", name->path, of[i]->inode.type, name->type);
        unsigned links = 0;
        for (int k = 0; k < m->nnames; k++)
            links += name->type == T_FILE && m->names[k].content == name->content && m->names[k].type == T_FILE;
        if (name->type == T_FILE && of[i]->inode.nlink != links)
            return WRONG("%s has %u names, not %u", name->path, of[i]->inode.nlink, links);
        for (int k = 0; k < i && name->type == T_FILE; k++)
            if (m->names[k].type == T_FILE && (m->names[k].content == name->content) != (of[k]->inum == of[i]->inum))
                return WRONG("%s and %s: one file or two?", name->path, m->names[k].path);
    }
    return there != (size_t)m->nnames ? WRONG("%zu names, not %d", there, m->nnames) : NULL;
}

/* Is the state that after operation `version`? part: its write was cut off where the file now ends. */
static const char *compare_step(const struct worker *t, size_t version, bool part, size_t there)
{
    const struct step *s = &t->steps[version];
    const struct model *m = &s->after;
    const char *error = compare_names(m, there);
    for (int i = 0; i < m->nnames && error == NULL; i++) {
        const struct name *name = &m->names[i];
        const struct seen *file = seen_as(name->path);
        uint64_t limit = ~0ull;
        if (part && name->content == s->content && name->type == T_FILE) {
            if (file->inode.size <= s->size_before || file->inode.size <= s->from)
                return WRONG("%s: not even partly written", name->path);
            limit = file->inode.size;
        }
        if (name->type == T_FILE)
            error = compare_content(t, file, name->content, version, limit);
        else if (name->type == T_SYMLINK)
            error = compare_link(file, name->target);
    }
    return error;
}

static unsigned long ahead;             /* states of tasks that were further than promised */

static void check_task(const struct worker *t)
{
    char prefix[32], first[sizeof(wrong)];
    size_t there = 0, after = 0;
    bool clue = false;
    int n = snprintf(prefix, sizeof(prefix), "/crash/t%d-", (int)(t - workers));
    for (size_t i = 0; i < nseen; i++)
        there += strncmp(seen[i].path, prefix, (size_t)n) == 0;
    for (size_t v = t->required; v < t->nsteps; v++) {
        const char *error = compare_step(t, v, false, there);
        if (error == NULL) {
            ahead += v > t->required;
            return;
        }
        /* The best clue: what is wrong with the first operation after which at least the names are right. */
        bool names_right = compare_names(&t->steps[v].after, there) == NULL;
        if (v == t->required || (names_right && !clue)) {
            error = compare_step(t, v, false, there);
            snprintf(first, sizeof(first), "%s", error);
            after = v;
            clue = names_right;
        }
        if (v + 1 < t->nsteps && t->steps[v + 1].is_write && t->steps[v + 1].size_after > t->steps[v + 1].size_before
            && t->steps[v + 1].content >= 0 && compare_step(t, v + 1, true, there) == NULL)
            return;
    }
    complain("task %d: no state since its operation %zu, which was promised, is this; after %zu: %s", (int)(t - workers),
             t->required, after, first);
}

/* A mark is written after a promise, and synced by the next: so it is there when that one binds. */
static void check_mark(const struct worker *t)
{
    char path[32];
    struct crash_mark m = { 0 };
    uint32_t least = 0;
    for (size_t i = 0; i < t->npromises && t->promises[i].version < t->required; i++)
        if (t->promises[i].marked)
            least = t->promises[i].version;
    snprintf(path, sizeof(path), "/crash/m%d", (int)(t - workers));
    const struct seen *s = seen_as(path);
    if (s != NULL && s->inode.size != 0)
        memcpy(&m, seen_block(s, 0), sizeof(m));
    if (m.magic != 0 && (m.magic != CRASH_MARK_MAGIC || m.task != (uint32_t)(t - workers)
                         || m.check != crash_word(m.task, m.version, CRASH_MARK_MAGIC)))
        complain("%s holds no mark", path);
    else if (m.version > t->required)
        complain("%s holds %u, so more was promised than %zu: is this program wrong?", path, m.version, t->required);
    else if (m.version < least)
        complain("%s holds %u, and %u was promised", path, m.version, least);
}

static void print_problem(void *context, enum fsck_kind kind, const char *line)
{
    if (kind != FSCK_NOTE)
        complain("fsck %s: %s", (const char *)context, line);
}

static unsigned long orphans, transactions;

static void check_image(const uint8_t *image)
{
    struct fsck_result result;
    char why[200];
    fsck_check(image, nbytes, print_problem, "after recovery", &result);
    if (result.verdict != FSCK_CLEAN)
        complain("fsck: %llu problems", (unsigned long long)result.problems);
    if (result.transactions != 0 || result.orphans != 0)
        complain("recovery left %u transactions and %u orphans", result.transactions, result.orphans);
    if (!view_open(&view, image, nbytes, why, sizeof(why)))
        return complain("%s", why);
    read_tree("/", FS_ROOT_INODE, 0);
    for (size_t i = 0; i < ntasks; i++) {
        check_task(&workers[i]);
        check_mark(&workers[i]);
    }
    view_close(&view);
}

/* ---- States. `disk` is what the disk holds now; `image` is the same between two states, and recovered in one. */

static uint8_t *disk, *image;
static const char *dump_folder;
static unsigned dump_every;

static void copy_back(uint64_t at, uint64_t n) { memcpy(image + at, disk + at, n); }

static void dump(void)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/state-%06lu.img", dump_folder, states);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(image, 1, nbytes, file) != nbytes || fclose(file) != 0)
        die(path);
}

static void dump_names(void)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/state-%06lu.names", dump_folder, states);
    FILE *file = fopen(path, "w");
    for (size_t i = 0; file != NULL && i < nseen; i++)
        fprintf(file, "%s\n", seen[i].path);
    if (file == NULL || fclose(file) != 0)
        die(path);
}

/* `image` is as a crash left it: judge it, and give it back as `disk` is but for what the caller changed himself. */
static void judge(void)
{
    struct fsck_result result;
    bool dumping = dump_folder != NULL && states % dump_every == dump_every / 2;
    state_failed = false;
    if (dumping)
        dump();
    fsck_check(image, nbytes, print_problem, "before recovery", &result);
    if (result.verdict != FSCK_CLEAN)
        complain("fsck before recovery: %llu problems", (unsigned long long)result.problems);
    orphans += result.orphans;
    transactions += result.transactions;
    host_record(true);
    int err = fs_recover(image, nbytes);
    host_record(false);
    if (err == 0)
        check_image(image);
    else
        complain("mount: error %d: %s", -err, host_last_message);
    if (dumping)
        dump_names();
    forget_tree();
    for (size_t i = 0; i < host_event_count; i++)
        if (host_events[i].kind == EVENT_WRITE) {
            if (is_foreign[host_events[i].block])
                complain("recovery wrote block %u, which belongs to a file nobody touched", host_events[i].block);
            copy_back((uint64_t)host_events[i].block * FS_BLOCK_SIZE, FS_BLOCK_SIZE);
        }
    states++;
}

static void require(size_t until)       /* entries before this one are on the disk or may be */
{
    for (struct worker *t = workers; t < workers + ntasks; t++)
        while (t->required + 1 < t->nsteps && t->binds[t->required + 1] < until)
            t->required++;
}

/* Which sectors of the writes entries[from .. to) reach the disk: one of several ways to choose. keep[]: one byte a sector. */
static size_t choose(size_t from, size_t to, uint8_t *keep)
{
    size_t n = 0, writes = 0, k = 0;
    unsigned way = host_random() % 7, luck = 1 + host_random() % 7;
    for (size_t i = from; i < to; i++)
        writes += !entries[i].flush;
    size_t cut = host_random() % (writes + 1), one = host_random() % (writes ? writes : 1);
    for (size_t i = from; i < to; i++) {
        size_t sectors = entries[i].nbytes / SECTOR;
        bool whole = host_random() % 8 < luck;
        size_t hole = sectors ? host_random() % sectors : 0, length = 1 + host_random() % 16;
        if (entries[i].flush)
            continue;
        for (size_t s = 0; s < sectors; s++, n++) {
            if (s % 8 == 0 && way == 1)
                whole = host_random() % 8 < luck;
            switch (way) {
            case 0: case 1: keep[n] = whole; break;                             /* whole writes; whole blocks */
            case 2: keep[n] = host_random() % 8 < luck; break;                  /* sectors */
            case 3: keep[n] = k != one || s < hole || s >= hole + length; break; /* a hole in one write */
            case 4: keep[n] = k > cut; break;                                   /* only the last */
            case 5: keep[n] = k == one && s >= hole; break;                     /* only the end of one write */
            default: keep[n] = k < cut && (k != one || s < hole); break;        /* the first, one of them torn */
            }
        }
        k++;
    }
    return n;
}

static uint64_t hash_of(const uint8_t *p, size_t n)
{
    uint64_t h = 14695981039346656037u;
    while (n-- > 0)
        h = (h ^ *p++) * 1099511628211u;
    return h;
}

/* Is this choice one of the prefixes? Then it is no new state. */
static bool is_prefix(size_t from, size_t to, const uint8_t *keep)
{
    bool ended = false;
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        size_t sectors = entries[i].nbytes / SECTOR, kept = 0;
        if (entries[i].flush)
            continue;
        for (size_t s = 0; s < sectors; s++)
            kept += keep[n++];
        if ((kept != 0 && kept != sectors) || (kept != 0 && ended))
            return false;
        ended |= kept == 0;
    }
    return true;
}

static unsigned long subsets;

/* `wanted` different subsets of entries[from .. to). `disk` holds what was written before `from`. */
static void judge_subsets(size_t from, size_t to, size_t wanted, unsigned long seed)
{
    size_t sectors = 0, tries = 0, done = 0;
    for (size_t i = from; i < to; i++)
        sectors += entries[i].nbytes / SECTOR;
    uint8_t *keep = malloc(sectors + 1);
    uint64_t *before = malloc((wanted + 1) * sizeof(*before));
    while (done < wanted && tries++ < 3 * wanted + 20) {
        size_t n = choose(from, to, keep), k = 0;
        uint64_t hash = hash_of(keep, n);
        bool known = is_prefix(from, to, keep);
        for (size_t i = 0; i < done; i++)
            known |= before[i] == hash;
        if (known)
            continue;
        before[done++] = hash;
        for (size_t i = from; i < to; i++)
            for (uint64_t at = 0; at < entries[i].nbytes; at += SECTOR)
                if (keep[k++])
                    memcpy(image + entries[i].at + at, entries[i].data + at, SECTOR);
        snprintf(state_name, sizeof(state_name), "state %lu: a subset of the writes %zu to %zu (seed %lu)", states, from, to,
                 seed);
        judge();
        for (size_t i = from; i < to; i++)
            copy_back(entries[i].at, entries[i].nbytes);
    }
    subsets += done;
    free(before);
    free(keep);
}

static void apply(const struct entry *e)
{
    if (e->flush)
        return;
    for (uint64_t b = e->at / FS_BLOCK_SIZE; b * FS_BLOCK_SIZE < e->at + e->nbytes; b++)
        if (is_foreign[b])
            complain("block %llu was written, which belongs to a file nobody touched", (unsigned long long)b);
    memcpy(disk + e->at, e->data, e->nbytes);
    memcpy(image + e->at, e->data, e->nbytes);
}

static void judge_prefix(size_t n)
{
    snprintf(state_name, sizeof(state_name), "state %lu: the first %zu of %zu writes and flushes", states, n, nentries);
    judge();
}

/* The entries from one bound to the next: subsets first, then one after the other. `ignored`: flushes that do not bind. */
static void run(size_t wanted, unsigned ignored, unsigned long seed)
{
    size_t from = 0, prefixes = 0, sectors = 0, all = 0;
    for (size_t i = 0; i < nentries; i++)
        all += entries[i].flush ? 0 : 1;
    judge_prefix(0);
    while (from < nentries) {
        size_t to = from, writes = 0, flushes = 0;
        for (; to < nentries && (!entries[to].flush || flushes < ignored); to++) {
            writes += !entries[to].flush;
            flushes += entries[to].flush;
        }
        require(ignored ? to : from);
        sectors += writes;
        size_t share = wanted * sectors / (all ? all : 1), now = share > subsets ? share - subsets : 0;
        if (writes > 0)
            judge_subsets(from, to, now < 2 ? 2 : now, seed);
        for (size_t i = from; i < to; i++) {
            apply(&entries[i]);
            if (ignored == 0 && !entries[i].flush) {
                judge_prefix(i + 1);
                prefixes++;
            }
        }
        if (to < nentries) {            /* the FLUSH: nothing changes on the disk, but promises bind */
            require(to + 1);
            if (ignored == 0)
                judge_prefix(to + 1);
            prefixes++;
        }
        from = to + 1;
    }
    for (struct worker *t = workers; t < workers + ntasks; t++)       /* the whole: everything was promised at the end */
        t->required = t->nsteps - 1;
    judge_prefix(nentries);
    printf("%zu prefixes, %lu subsets (seed %lu)\n", prefixes + 2, subsets, seed);
}

static void corrupt(unsigned long round)
{
    uint64_t ring = (base_view.sb.log_start + 1) * (uint64_t)FS_BLOCK_SIZE;
    uint64_t end = ring + (base_view.sb.log_blocks - 1) * (uint64_t)FS_BLOCK_SIZE;
    for (size_t i = round > 0 && round <= nquiet ? quiet_at[round - 1] : 0; i-- > 0; )
        if (!entries[i].flush && entries[i].at >= ring && entries[i].at < end) {
            entries[i].data[entries[i].nbytes / 2] ^= 4;
            return;
        }
    die("there is no such write to the log");
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    unsigned long seed = 1, wanted = 1000, count = 0, bad = ~0ul;
    unsigned ignored = 0;
    int option;
    while ((option = getopt(argc, argv, "s:n:d:k:x:c:")) != -1)
        switch (option) {
        case 's': seed = strtoul(optarg, NULL, 10); break;
        case 'n': wanted = strtoul(optarg, NULL, 10); break;
        case 'd': dump_folder = optarg; break;
        case 'k': count = strtoul(optarg, NULL, 10); break;
        case 'x': ignored = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'c': bad = strtoul(optarg, NULL, 10); break;
        default:  return 2;
        }
    if (argc - optind != 3)
        die("BASE LOG CONSOLE");
    double start = seconds();
    host_quiet = true;
    load_base(argv[optind]);
    load_log(argv[optind + 1]);
    load_console(argv[optind + 2]);
    if (ntasks == 0 || npromises == 0)
        die("no operations or no promises on the console");
    dump_every = count > 0 ? (unsigned)((nentries + wanted) / count + 1) : ~0u;
    if (bad != ~0ul)
        corrupt(bad);
    host_seed(seed);
    size_t steps = 0, unbound = 0;
    for (struct worker *t = workers; t < workers + ntasks; t++) {
        steps += t->nsteps - 1;
        for (size_t i = 0; i < t->npromises; i++)
            unbound += t->binds[t->promises[i].version] == ~0ull;
    }
    printf("%zu entries: %zu writes, %zu flushes; %zu tasks, %zu operations, %zu promises, %zu of them bound before the end, "
           "%zu quiet rounds\n", nentries, nwrites, nflushes, ntasks, steps, npromises, npromises - unbound, nquiet);
    disk = malloc(nbytes);
    image = malloc(nbytes);
    memcpy(disk, base, nbytes);
    memcpy(image, base, nbytes);
    run(wanted, ignored, seed);
    printf("%lu states, %lu transactions replayed, %lu orphans found, %lu times a task was further than promised, %.1f s\n",
           states, transactions, orphans, ahead, seconds() - start);
    printf("%lu failed states, %lu failures\n", failed_states, failures);
    return failed_states > 0;
}
