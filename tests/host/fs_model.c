/*
 * fs_model.c -- random operations on the kernel's file system and on a model of it, compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/log.h"
#include "fs/super.h"
#include "fs_model.h"

uint32_t crc32(uint32_t seed, const void *data, size_t n);

#define NODES_MAX 3000
#define NAMES     9
#define FILE_MAX_BYTES (5u << 20)

struct node {
    int type;                           /* 0: free */
    int nlink;
    uint8_t *data;                      /* files: contents; links: target */
    size_t size;
    struct { int node; char name[64]; } entry[NAMES * 2];       /* directories */
    int entries, parent;
    unsigned long touched;              /* last operation that changed it, or its way there */
    int generation;
};
static struct node nodes[NODES_MAX];    /* 1 is the root */
unsigned long model_ops;
const char *model_when = "";
unsigned model_big = 40;
static int generations;

struct promise {
    size_t at;
    unsigned long op;
    int count;
    struct promised {
        char path[160];
        int node, generation, type;
        size_t size;
        uint32_t crc;
    } * list;
};
static struct promise *promises;
static int promise_count, promise_room;
static struct {
    size_t at;
    unsigned long op;
} * starts; /* events seen when each operation began */
static size_t start_count, start_room;
static struct change {
    unsigned long op;
    int node, generation;
} * changes;
static size_t change_count, change_room;

static int node_new(int type)
{
    for (int i = 2; i < NODES_MAX; i++)
        if (nodes[i].type == 0) {
            nodes[i] = (struct node){ .type = type, .nlink = 1, .touched = model_ops, .generation = ++generations };
            return i;
        }
    host_failed(__FILE__, __LINE__, "the model is full");
    return 0;
}

void model_start(void)
{
    for (int i = 0; i < NODES_MAX; i++)
        free(nodes[i].data);
    memset(nodes, 0, sizeof(nodes));
    nodes[1] = (struct node){ .type = T_DIR, .nlink = 1, .parent = 1 };
}

static int find_entry(int dir, const char *name)
{
    for (int i = 0; i < nodes[dir].entries; i++)
        if (strcmp(nodes[dir].entry[i].name, name) == 0)
            return i;
    return -1;
}

static void remove_entry(int dir, int i)
{
    nodes[dir].entry[i] = nodes[dir].entry[--nodes[dir].entries];
}

static void add_entry(int dir, const char *name, int node)
{
    int i = nodes[dir].entries++;
    nodes[dir].entry[i].node = node;
    strcpy(nodes[dir].entry[i].name, name);
}

static void drop_node(int n)
{
    if (--nodes[n].nlink > 0 && nodes[n].type != T_DIR)
        return;
    free(nodes[n].data);
    nodes[n] = (struct node){ 0 };
}

static void touch_tree(int n)
{
    nodes[n].touched = model_ops;
    if (nodes[n].type == T_DIR)
        for (int i = 0; i < nodes[n].entries; i++)
            touch_tree(nodes[n].entry[i].node);
}

/* ---- Random places */
struct place { char path[200]; char name[64]; int dir, node; };

static struct place somewhere(void)
{
    static const char *const pool[] = { "a", "b", "c", "dd", "ee", "a-name-of-some-length.txt", "x1", "x2",
                                        "a-name-that-has-just-the-longest-length-which-is-possible--" };
    struct place p = { .dir = 1 };
    for (int depth = 0; depth < 3; depth++) {
        int subs[NAMES * 2], n = 0;
        for (int i = 0; i < nodes[p.dir].entries; i++)
            if (nodes[nodes[p.dir].entry[i].node].type == T_DIR)
                subs[n++] = i;
        if (n == 0 || host_random() % 3 == 0)
            break;
        int i = subs[host_random() % (unsigned)n];
        if (host_random() % 8 == 0)
            strcat(p.path, "/.");
        strcat(p.path, "/");
        strcat(p.path, nodes[p.dir].entry[i].name);
        if (strlen(p.path) > 110)
            break;
        p.dir = nodes[p.dir].entry[i].node;
        if (host_random() % 16 == 0 && p.dir != 1) {
            strcat(p.path, "/..");
            p.dir = nodes[p.dir].parent;
        }
    }
    if (strlen(p.path) > 110) {
        p.path[0] = '\0';
        p.dir = 1;
    }
    strcpy(p.name, pool[host_random() % NAMES]);
    strcat(p.path, "/");
    strcat(p.path, p.name);
    int i = find_entry(p.dir, p.name);
    p.node = i < 0 ? 0 : nodes[p.dir].entry[i].node;
    return p;
}

static bool soft(long got, bool tolerant)
{
    return tolerant && (got == -EIO || got == -ENOMEM || got == -ENOSPC);
}

#define SAME(got, want)                                                                                                \
    do {                                                                                                               \
        host_checks++;                                                                                                 \
        if ((got) != (want)) {                                                                                         \
            fprintf(stderr, "op %lu: %s: got %ld, want %ld (%s) %s\n", model_ops, __func__, (long)(got), (long)(want), \
                    p.path, model_when);                                                                               \
            host_failed(__FILE__, __LINE__, "result");                                                                 \
        }                                                                                                              \
    } while (0)

/* ---- Operations */

static uint8_t *buffer(void)
{
    static uint8_t *bytes;
    if (bytes == NULL)
        bytes = malloc(FILE_MAX_BYTES + 4096);
    return bytes;
}

static void read_back(struct place p, int fd, bool tolerant)
{
    struct node *n = &nodes[p.node];
    size_t at = n->size > 0 ? host_random() % n->size : 0, want = host_random() % 3 ? host_random() % 9000 : n->size;
    if (do_lseek((uintptr_t)fd, at, SEEK_SET) != (long)at)
        host_failed(__FILE__, __LINE__, "lseek");
    long got = do_read((uintptr_t)fd, P(buffer()), want);
    if (soft(got, tolerant))
        return;
    long expect = (long)MIN(want, n->size - at);
    if (tolerant && got < expect && got >= 0)
        expect = got;
    SAME(got, expect);
    if (got > 0)
        SAME(memcmp(buffer(), n->data + at, (size_t)got), 0);
}

static void write_some(struct place p, int fd, bool tolerant)
{
    struct node *n = &nodes[p.node];
    size_t at = host_random() % 4 ? n->size : host_random() % (n->size + 20000);
    size_t length = model_big != 0 && host_random() % model_big == 0 ? host_random() % 900000
                    : host_random() % 4                              ? host_random() % 3000
                                                                     : host_random() % 40000;
    if (model_big != 0 && host_random() % (model_big * 4) == 0)
        at = n->size + host_random() % 4000000;
    if (at + length > FILE_MAX_BYTES)
        at = 0;
    uint8_t *bytes = buffer();
    uint32_t seed = host_random();
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    if (do_lseek((uintptr_t)fd, at, SEEK_SET) != (long)at)
        host_failed(__FILE__, __LINE__, "lseek");
    long got = do_write((uintptr_t)fd, P(bytes), length);
    n->touched = model_ops;
    if (soft(got, tolerant) || (got == -ENOSPC))
        got = 0;
    else if (!(tolerant || got < (long)length) || got < 0 || got > (long)length)
        SAME(got, (long)length);
    if (got > 0 && at + (size_t)got > n->size) {
        n->data = realloc(n->data, at + (size_t)got);
        memset(n->data + n->size, 0, at + (size_t)got - n->size);
        n->size = at + (size_t)got;
    }
    if (got > 0)
        memcpy(n->data + at, bytes, (size_t)got);
}

static void resize(struct place p, int fd, bool tolerant)
{
    struct node *n = &nodes[p.node];
    size_t to = host_random() % 3 == 0 ? 0 : host_random() % (n->size + 10000);
    long got = do_ftruncate((uintptr_t)fd, to, 0);
    struct stat st;
    n->touched = model_ops;
    if (soft(got, tolerant)) {          /* it may have got part of the way */
        if (do_fstat((uintptr_t)fd, P(&st), 0) < 0)
            return;
        to = st.size;
        got = 0;
    }
    SAME(got, 0);
    n->data = realloc(n->data, to + 1);
    if (to > n->size)
        memset(n->data + n->size, 0, to - n->size);
    n->size = to;
}

static void with_file(bool tolerant)
{
    struct place p = somewhere();
    unsigned flags = O_RDWR | (host_random() % 2 ? O_CREATE : 0) | (host_random() % 8 == 0 ? O_EXCL : 0);
    if (p.node != 0 && nodes[p.node].type == T_SYMLINK)
        return;
    long fd = do_open(P(p.path), flags, 0);
    if (soft(fd, tolerant))
        return;
    if (p.node == 0) {
        SAME(fd >= 0 ? 0 : fd, flags & O_CREATE ? fd < 0 ? -ENOSPC : 0 : -ENOENT);
        if (fd < 0)
            return;
        p.node = node_new(T_FILE);
        nodes[p.dir].touched = model_ops;
        add_entry(p.dir, p.name, p.node);
    } else if ((flags & O_CREATE) && (flags & O_EXCL)) {
        SAME(fd, -EEXIST);
        return;
    } else if (nodes[p.node].type == T_DIR) {
        SAME(fd, -EISDIR);
        return;
    }
    SAME(fd >= 0, true);
    for (unsigned i = host_random() % 4; i > 0; i--)
        switch (host_random() % 5) {
        case 0: resize(p, (int)fd, tolerant); break;
        case 1: read_back(p, (int)fd, tolerant); break;
        default: write_some(p, (int)fd, tolerant); break;
        }
    if (host_random() % 10 == 0) {
        long got = do_fsync((uintptr_t)fd, 0, 0);
        if (got == 0)
            model_promise();
        else if (!tolerant)
            SAME(got, 0);
    }
    SAME(do_close((uintptr_t)fd, 0, 0), 0);
}

static void unlink_some(bool tolerant)
{
    struct place p = somewhere();
    long fd = -1;
    if (p.node != 0 && nodes[p.node].type == T_FILE && host_random() % 3 == 0)
        fd = do_open(P(p.path), O_RDONLY, 0);
    long got = do_unlink(P(p.path), 0, 0);
    if (fd >= 0)
        (void)do_close((uintptr_t)fd, 0, 0);
    if (soft(got, tolerant))
        return;
    SAME(got, p.node == 0 ? -ENOENT : nodes[p.node].type == T_DIR && nodes[p.node].entries > 0 ? -ENOTEMPTY : 0);
    if (got < 0)
        return;
    nodes[p.node].touched = nodes[p.dir].touched = model_ops;
    remove_entry(p.dir, find_entry(p.dir, p.name));
    drop_node(p.node);
}

static void make_dir(bool tolerant)
{
    struct place p = somewhere();
    long got = do_mkdir(P(p.path), 0, 0);
    if (soft(got, tolerant) || (got == -ENOSPC && p.node == 0))
        return;
    SAME(got, p.node != 0 ? -EEXIST : 0);
    if (got < 0)
        return;
    int n = node_new(T_DIR);
    nodes[n].parent = p.dir;
    nodes[p.dir].touched = model_ops;
    add_entry(p.dir, p.name, n);
}

static void make_symlink(bool tolerant)
{
    struct place p = somewhere(), to = somewhere();
    long got = do_symlink(P(to.path), P(p.path), 0);
    if (soft(got, tolerant) || (got == -ENOSPC && p.node == 0))
        return;
    SAME(got, p.node != 0 ? -EEXIST : 0);
    if (got < 0)
        return;
    int n = node_new(T_SYMLINK);
    nodes[n].size = strlen(to.path);
    nodes[n].data = (uint8_t *)strdup(to.path);
    nodes[p.dir].touched = model_ops;
    add_entry(p.dir, p.name, n);
}

static void make_link(bool tolerant)
{
    struct place p = somewhere(), to = somewhere();
    long got = do_link(P(p.path), P(to.path), 0);
    if (soft(got, tolerant) || (got == -ENOSPC && p.node != 0 && to.node == 0))
        return;
    SAME(got, p.node == 0 ? -ENOENT : nodes[p.node].type == T_DIR ? -EPERM : to.node != 0 ? -EEXIST : 0);
    if (got < 0)
        return;
    nodes[p.node].nlink++;
    nodes[p.node].touched = nodes[to.dir].touched = model_ops;
    add_entry(to.dir, to.name, p.node);
}

static bool is_above(int top, int n)
{
    for (; n != 1; n = nodes[n].parent)
        if (n == top)
            return true;
    return top == 1;
}

static long rename_result(const struct place *p, const struct place *to)
{
    if (p->node == 0)
        return -ENOENT;
    if (p->node == to->node)
        return 0;
    bool dir = nodes[p->node].type == T_DIR;
    if (dir && is_above(p->node, to->dir))
        return -EINVAL;
    if (to->node == 0)
        return 0;
    bool over_dir = nodes[to->node].type == T_DIR;
    if (over_dir && is_above(to->node, p->dir))
        return -ENOTEMPTY;
    if (dir && !over_dir)
        return -ENOTDIR;
    if (!dir && over_dir)
        return -EISDIR;
    return over_dir && nodes[to->node].entries > 0 ? -ENOTEMPTY : 0;
}

static void rename_some(bool tolerant)
{
    struct place p = somewhere(), to = somewhere();
    long want = rename_result(&p, &to), got = do_rename(P(p.path), P(to.path), 0);
    if (got != want && !tolerant)
        fprintf(stderr, "rename to %s: nodes %d (type %d) over %d (type %d)\n", to.path, p.node, nodes[p.node].type,
                to.node, nodes[to.node].type);
    if (soft(got, tolerant) || (got == -ENOSPC && want == 0 && to.node == 0))
        return;
    SAME(got, want);
    if (got < 0 || p.node == to.node)
        return;
    touch_tree(p.node);
    nodes[p.dir].touched = nodes[to.dir].touched = model_ops;
    if (to.node != 0) {
        nodes[to.node].touched = model_ops;
        remove_entry(to.dir, find_entry(to.dir, to.name));
        drop_node(to.node);
    }
    remove_entry(p.dir, find_entry(p.dir, p.name));
    add_entry(to.dir, to.name, p.node);
    if (nodes[p.node].type == T_DIR)
        nodes[p.node].parent = to.dir;
}

static void sync_all(bool tolerant)
{
    struct place p = { .path = "sync" };
    long got = do_sync(0, 0, 0);
    if (got == 0)
        model_promise();
    else if (!tolerant)
        SAME(got, 0);
}

/* ---- Comparing */

static void compare_node(int n, const char *path, bool whole)
{
    struct place p;
    struct stat st;
    strcpy(p.path, path);
    SAME(do_lstat(P(path), P(&st), 0), 0);
    SAME(st.type, nodes[n].type);
    if (nodes[n].type == T_DIR) {
        char sub[300];
        int dirs = 2;
        for (int i = 0; i < nodes[n].entries; i++) {
            snprintf(sub, sizeof(sub), "%s/%s", path, nodes[n].entry[i].name);
            dirs += nodes[nodes[n].entry[i].node].type == T_DIR;
            if (strlen(sub) < 190)
                compare_node(nodes[n].entry[i].node, sub, whole);
        }
        SAME(st.nlink, dirs);
        long fd = do_open(P(path), O_RDONLY, 0);
        SAME(fd >= 0, true);
        struct dirent d;
        int found = 0;
        while (do_read((uintptr_t)fd, P(&d), sizeof(d)) == sizeof(d))
            if (d.inum != 0)
                found++;
        do_close((uintptr_t)fd, 0, 0);
        SAME(found, nodes[n].entries + 2);
        return;
    }
    SAME(st.nlink, nodes[n].nlink);
    SAME(st.size, nodes[n].size);
    if (nodes[n].type == T_SYMLINK) {
        SAME(do_readlink(P(path), P(buffer()), 1024), (long)nodes[n].size);
        SAME(memcmp(buffer(), nodes[n].data, nodes[n].size), 0);
    } else if (whole) {
        long fd = do_open(P(path), O_RDONLY, 0);
        SAME(do_read((uintptr_t)fd, P(buffer()), FILE_MAX_BYTES), (long)nodes[n].size);
        if (nodes[n].size > 0)
            SAME(memcmp(buffer(), nodes[n].data, nodes[n].size), 0);
        do_close((uintptr_t)fd, 0, 0);
    }
}

void model_compare_all(const char *when)
{
    extern const char *model_when;
    model_when = when;
    compare_node(1, "/", true);
}

/* ---- Promises */

size_t model_events_now(void) { return host_event_count; }

void model_forget_promises(void)
{
    for (int i = 0; i < promise_count; i++)
        free(promises[i].list);
    promise_count = 0;
    start_count = 0;
    change_count = 0;
}

static void promise_tree(struct promise *promise, int n, const char *path)
{
    char sub[300];
    promise->list = realloc(promise->list, sizeof(*promise->list) * (size_t)(promise->count + 1));
    struct promised *at = &promise->list[promise->count++];
    *at = (struct promised){
        .node = n, .generation = nodes[n].generation, .type = nodes[n].type, .size = nodes[n].size
    };
    strcpy(at->path, path[0] ? path : "/");
    if (nodes[n].type != T_DIR)
        at->crc = crc32(0, nodes[n].data, nodes[n].size);
    for (int i = 0; i < nodes[n].entries; i++) {
        snprintf(sub, sizeof(sub), "%s/%s", path, nodes[n].entry[i].name);
        if (strlen(sub) < 150)
            promise_tree(promise, nodes[n].entry[i].node, sub);
    }
}

/* What changed since: operations write their marks into `changes` as they go. */

static void note_changes(unsigned long op)
{
    for (int i = 1; i < NODES_MAX; i++)
        if (nodes[i].touched == op && op != 0) {
            if (change_count == change_room)
                changes = realloc(changes, sizeof(*changes) * (change_room = change_room * 2 + 1024));
            changes[change_count++] = (struct change){ op, i, nodes[i].generation };
        }
}

static void begin_operation(void)
{
    model_ops++;
    if (start_count == start_room)
        starts = realloc(starts, sizeof(*starts) * (start_room = start_room * 2 + 1024));
    starts[start_count].at = host_event_count;
    starts[start_count++].op = model_ops;
}

void model_promise(void)
{
    if (promise_count == promise_room)
        promises = realloc(promises, sizeof(*promises) * (size_t)(promise_room = promise_room * 2 + 64));
    note_changes(model_ops);
    begin_operation();                  /* what follows counts as changed since */
    struct promise *promise = &promises[promise_count++];
    *promise = (struct promise){ .at = host_event_count, .op = model_ops };
    promise_tree(promise, 1, "");
}

static unsigned long last_op_begun(size_t at)
{
    unsigned long op = 0;
    for (size_t i = 0; i < start_count && starts[i].at <= at; i++)
        op = starts[i].op;
    return op;
}

static int snapshot[NODES_MAX];         /* generations before the operation: to see what disappeared */

void model_check_promise(size_t at)
{
    struct promise *promise = NULL;
    for (int i = 0; i < promise_count && promises[i].at <= at; i++)
        promise = &promises[i];
    if (promise == NULL)
        return;
    unsigned long until = last_op_begun(at);
    for (int i = 0; i < promise->count; i++) {
        struct promised *was = &promise->list[i];
        struct stat st;
        struct place p;
        bool changed = false;
        for (size_t k = 0; k < change_count && !changed; k++)
            changed = changes[k].op >= promise->op && changes[k].op <= until && changes[k].node == was->node
                      && changes[k].generation == was->generation;
        strcpy(p.path, was->path);
        if (changed || was->type == T_DIR)
            continue;
        SAME(do_lstat(P(was->path), P(&st), 0), 0);
        SAME(st.type, was->type);
        SAME(st.size, was->size);
        if (was->type != T_FILE)
            continue;
        long fd = do_open(P(was->path), O_RDONLY, 0);
        SAME(do_read((uintptr_t)fd, P(buffer()), FILE_MAX_BYTES), (long)was->size);
        SAME(crc32(0, buffer(), was->size), was->crc);
        do_close((uintptr_t)fd, 0, 0);
    }
}

void model_step(bool tolerant)
{
    begin_operation();
    for (int i = 0; i < NODES_MAX; i++)
        snapshot[i] = nodes[i].type != 0 ? nodes[i].generation : 0;
    unsigned what = host_random() % 100;
    if (what < 50)
        with_file(tolerant);
    else if (what < 65)
        unlink_some(tolerant);
    else if (what < 73)
        make_dir(tolerant);
    else if (what < 78)
        make_symlink(tolerant);
    else if (what < 83)
        make_link(tolerant);
    else if (what < 93)
        rename_some(tolerant);
    else if (what < 95)
        sync_all(tolerant);
    else if (what < 97)
        (void)cache_write_back(~(uint64_t)0, CACHE_BATCH);
    else if (what < 98)
        fs_flush_step(true);
    else if (!tolerant && what == 98)
        model_compare_all("now and then");
    note_changes(model_ops);
    for (int i = 1; i < NODES_MAX; i++)         /* freed or replaced nodes changed too */
        if (snapshot[i] != 0 && (nodes[i].type == 0 || nodes[i].generation != snapshot[i])) {
            if (change_count == change_room)
                changes = realloc(changes, sizeof(*changes) * (change_room = change_room * 2 + 1024));
            changes[change_count++] = (struct change){ model_ops, i, snapshot[i] };
        }
}
