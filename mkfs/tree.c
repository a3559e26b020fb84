/*
 * tree.c -- turns the ENTRY arguments of mkfs into a tree of nodes.
 *
 * Refuses here all that the format cannot hold: long names, long paths, paths given twice, files used as
 * directories. Not here: reading host files and anything about blocks (build.c).
 */
#include "mkfs/tree.h"

#include <stdlib.h>
#include <string.h>

#include "abi/fsformat.h"
#include "abi/stat.h"

static struct node *last_made;
static uint32_t nodes_made;

static char *copy_text(const char *text, size_t nbytes)
{
    char *copy = allocate(nbytes + 1);
    memcpy(copy, text, nbytes);
    return copy;
}

static struct node *make_node(const char *name, size_t nname, uint16_t type)
{
    struct node *node = allocate(sizeof *node);
    node->name = copy_text(name, nname);
    node->type = type;
    node->inum = FS_ROOT_INODE + nodes_made++;
    if (last_made != NULL)
        last_made->next_made = node;
    last_made = node;
    return node;
}

struct node *tree_make(void)
{
    struct node *root = make_node("", 0, T_DIR);
    root->parent = root;
    return root;
}

static void append_child(struct node *parent, struct node *child, const char *entry)
{
    child->parent = parent;
    if (parent->last_child != NULL)
        parent->last_child->sibling = child;
    else
        parent->children = child;
    parent->last_child = child;
    parent->nchildren++;
    if (child->type != T_DIR)
        return;
    parent->nsubdirs++;
    if (2 + parent->nsubdirs > FS_LINK_MAX)
        die("%s: more than %u directories in one", entry, FS_LINK_MAX - 2);
}

static struct node *find_child(const struct node *parent, const char *name, size_t nname)
{
    for (struct node *child = parent->children; child != NULL; child = child->sibling)
        if (strlen(child->name) == nname && memcmp(child->name, name, nname) == 0)
            return child;
    return NULL;
}

static void check_name(const char *name, size_t nname, const char *entry)
{
    if (nname == 0)
        die("%s: empty name in the path", entry);
    if (nname > FS_NAME_MAX)
        die("%s: name of %zu bytes, the limit is %u", entry, nname, FS_NAME_MAX);
    if ((nname == 1 && name[0] == '.') || (nname == 2 && memcmp(name, "..", 2) == 0))
        die("%s: \".\" and \"..\" cannot be made", entry);
}

/* The directory that will hold the last part of path[0..npath); *name is that part. Missing directories on the
 * way are made. */
static struct node *find_parent(struct node *root, const char *path, size_t npath, const char **name,
                                const char *entry)
{
    struct node *at = root;
    const char *part = path + 1, *end = path + npath;
    for (;;) {
        const char *slash = memchr(part, '/', (size_t)(end - part));
        size_t npart = (size_t)((slash != NULL ? slash : end) - part);
        check_name(part, npart, entry);
        if (slash == NULL)
            break;
        struct node *child = find_child(at, part, npart);
        if (child == NULL) {
            child = make_node(part, npart, T_DIR);
            append_child(at, child, entry);
        } else if (child->type != T_DIR) {
            die("%s: %.*s is not a directory", entry, (int)(slash - path), path);
        }
        at = child;
        part = slash + 1;
    }
    *name = part;
    return at;
}

static struct node *add_node(struct node *root, const char *entry, size_t npath, uint16_t type)
{
    const char *name;
    if (npath >= FS_PATH_MAX)
        die("%s: path of %zu bytes, the limit is %u", entry, npath, FS_PATH_MAX - 1);
    struct node *parent = find_parent(root, entry, npath, &name, entry);
    size_t nname = (size_t)(entry + npath - name);
    struct node *there = find_child(parent, name, nname);

    if (there != NULL && (type != T_DIR || there->type != T_DIR))
        die("%s: %.*s is given twice", entry, (int)npath, entry);
    if (there != NULL)
        return there;
    struct node *node = make_node(name, nname, type);
    append_child(parent, node, entry);
    return node;
}

/* A device number: decimal, 0 to 65535, ended by `end`. Moves *text past it. */
static uint16_t read_number(const char **text, char end, const char *entry)
{
    const char *at = *text;
    unsigned number = 0;
    for (; *at >= '0' && *at <= '9' && number <= UINT16_MAX; at++)
        number = number * 10 + (unsigned)(*at - '0');
    if (at == *text || *at != end || number > UINT16_MAX)
        die("%s: a device is c:MAJOR,MINOR with numbers to 65535 (write ./c:... for a host file)", entry);
    *text = at + (end != '\0');
    return (uint16_t)number;
}

static void add_device(struct node *root, const char *entry, size_t npath)
{
    const char *numbers = entry + npath + strlen("=c:");
    struct node *node = add_node(root, entry, npath, T_DEVICE);
    node->major = read_number(&numbers, ',', entry);
    node->minor = read_number(&numbers, '\0', entry);
}

static void add_file(struct node *root, const char *entry, size_t npath)
{
    const char *source = entry + npath + strlen("=");
    if (*source == '\0')
        die("%s: no host file after \"=\"", entry);
    add_node(root, entry, npath, T_FILE)->source = copy_text(source, strlen(source));
}

static void add_symlink(struct node *root, const char *entry, size_t npath)
{
    const char *target = entry + npath + strlen("->");
    size_t ntarget = strlen(target);
    if (ntarget == 0 || ntarget > FS_SYMLINK_MAX)
        die("%s: target of %zu bytes, allowed are 1 to %u", entry, ntarget, FS_SYMLINK_MAX);
    add_node(root, entry, npath, T_SYMLINK)->source = copy_text(target, ntarget);
}

static void add_directory(struct node *root, const char *entry)
{
    size_t npath = strlen(entry);
    while (npath > 0 && entry[npath - 1] == '/')
        npath--;
    if (npath > 0)                                  /* "/" itself is always there */
        add_node(root, entry, npath, T_DIR);
}

void tree_add(struct node *root, const char *entry)
{
    const char *equals = strchr(entry, '='), *arrow = strstr(entry, "->");

    if (entry[0] != '/')
        die("%s: the path in the image must start with /", entry);
    if (arrow != NULL && (equals == NULL || arrow < equals))
        add_symlink(root, entry, (size_t)(arrow - entry));
    else if (equals != NULL && strncmp(equals, "=c:", 3) == 0)
        add_device(root, entry, (size_t)(equals - entry));
    else if (equals != NULL)
        add_file(root, entry, (size_t)(equals - entry));
    else if (entry[strlen(entry) - 1] == '/')
        add_directory(root, entry);
    else
        die("%s: expected PATH=HOSTFILE, PATH=c:MAJOR,MINOR, PATH->TARGET or DIRECTORY/", entry);
}
