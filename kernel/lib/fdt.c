/*
 * fdt.c -- reads the device tree the boot loader hands over (devicetree specification 0.4, chapter 5).
 *
 * The tree is one blob: a header, a list of reserved ranges, a block of names, and the structure block, a stream of
 * 32-bit big-endian tokens:   BEGIN_NODE name ... PROP length name-offset value ... END_NODE ... END
 *
 * Nothing in the blob is trusted: every step forward goes through token_at() and token_end(), which check it against
 * the block; whatever is wrong reads as the end of the tree.
 *
 * Owns:     nothing; the blob stays the caller's and is only read.
 * Locks:    none. Boot CPU, once, so plain walks from the start are good enough.
 * Not here: what the kernel looks for in the tree (arch/).
 */
#include "lib/fdt.h"
#include "lib/string.h"

#define FDT_MAGIC    0xd00dfeedu
#define FDT_VERSION  17u                /* the first with the structure block's size */
#define FDT_SIZE_MAX (4u << 20)         /* larger is taken for nonsense */
#define HEADER_SIZE  40u

enum { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4, END = 9 };

static uint32_t read32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t read_cells(const uint8_t *p, uint32_t cells)
{
    return cells == 0 ? 0 : cells == 1 ? read32(p) : (uint64_t)read32(p) << 32 | read32(p + 4);
}

bool fdt_open(struct fdt *fdt, const void *blob)
{
    const uint8_t *header = blob;

    if (header == NULL || read32(header) != FDT_MAGIC || read32(header + 20) < FDT_VERSION)
        return false;
    *fdt = (struct fdt){
        .blob = header,
        .size = read32(header + 4),
        .struct_off = read32(header + 8),
        .strings_off = read32(header + 12),
        .reserve_off = read32(header + 16),
        .strings_size = read32(header + 32),
        .struct_size = read32(header + 36),
    };
    return fdt->size >= HEADER_SIZE && fdt->size <= FDT_SIZE_MAX &&
           fdt->struct_off <= fdt->size && fdt->struct_size <= fdt->size - fdt->struct_off &&
           fdt->strings_off <= fdt->size && fdt->strings_size <= fdt->size - fdt->strings_off &&
           fdt->reserve_off <= fdt->size;
}

/* ---- The token stream. `at` is an offset in the structure block. */

static const uint8_t *struct_at(const struct fdt *fdt, uint32_t at) { return fdt->blob + fdt->struct_off + at; }

static uint32_t token_at(const struct fdt *fdt, uint32_t at)
{
    if (at % 4 != 0 || fdt->struct_size < 4 || at > fdt->struct_size - 4)
        return END;
    return read32(struct_at(fdt, at));
}

/* Where the token after the one at `at` begins; the size of the block when the token is broken or the last. */
static uint32_t token_end(const struct fdt *fdt, uint32_t at)
{
    uint32_t end = fdt->struct_size, length;
    uint64_t next;

    switch (token_at(fdt, at)) {
    case BEGIN_NODE:
        length = (uint32_t)strnlen((const char *)struct_at(fdt, at + 4), end - at - 4);
        next = (uint64_t)at + 4 + length + 1;
        break;
    case PROP:
        if (end - at < 12)
            return end;
        next = (uint64_t)at + 12 + read32(struct_at(fdt, at + 4));
        break;
    case END_NODE:
    case NOP:
        next = (uint64_t)at + 4;
        break;
    default:
        return end;
    }
    return next > end ? end : MIN((uint32_t)(next + 3) & ~3u, end);
}

/* Is `node` a node whose name ends inside the block? Then everything behind it may be looked at. */
static bool node_ok(const struct fdt *fdt, fdt_node node)
{
    return node >= 0 && token_at(fdt, (uint32_t)node) == BEGIN_NODE && token_end(fdt, (uint32_t)node) < fdt->struct_size;
}

fdt_node fdt_next(const struct fdt *fdt, fdt_node node, int *depth)
{
    int unused = 0;
    uint32_t at = 0;

    if (depth == NULL)
        depth = &unused;
    if (node < 0)
        *depth = -1;
    else
        at = token_end(fdt, (uint32_t)node);
    for (;; at = token_end(fdt, at)) {
        switch (token_at(fdt, at)) {
        case BEGIN_NODE:
            ++*depth;
            return node_ok(fdt, (fdt_node)at) ? (fdt_node)at : -1;
        case END_NODE:
            --*depth;
            break;
        case PROP:
        case NOP:
            break;
        default:
            return -1;
        }
    }
}

const char *fdt_name(const struct fdt *fdt, fdt_node node)
{
    return node_ok(fdt, node) ? (const char *)struct_at(fdt, (uint32_t)node + 4) : NULL;
}

/* Does the names block hold `name`, with its end, at `offset`? */
static bool prop_name_is(const struct fdt *fdt, uint32_t offset, const char *name)
{
    size_t nbytes = strlen(name) + 1;

    return offset <= fdt->strings_size && nbytes <= fdt->strings_size - offset &&
           memcmp(fdt->blob + fdt->strings_off + offset, name, nbytes) == 0;
}

const void *fdt_prop(const struct fdt *fdt, fdt_node node, const char *name, uint32_t *nbytes)
{
    if (!node_ok(fdt, node))
        return NULL;
    for (uint32_t at = token_end(fdt, (uint32_t)node); ; at = token_end(fdt, at)) {
        uint32_t token = token_at(fdt, at);
        if (token == NOP)
            continue;
        if (token != PROP || fdt->struct_size - at < 12)
            return NULL;
        uint32_t length = read32(struct_at(fdt, at + 4));
        if (length > fdt->struct_size - at - 12)
            return NULL;
        if (prop_name_is(fdt, read32(struct_at(fdt, at + 8)), name)) {
            if (nbytes != NULL)
                *nbytes = length;
            return struct_at(fdt, at + 12);
        }
    }
}

const char *fdt_string(const struct fdt *fdt, fdt_node node, const char *name)
{
    uint32_t nbytes = 0;
    const char *s = fdt_prop(fdt, node, name, &nbytes);

    return s != NULL && strnlen(s, nbytes) < nbytes ? s : NULL;
}

bool fdt_number(const struct fdt *fdt, fdt_node node, const char *name, uint64_t *value)
{
    uint32_t nbytes = 0;
    const uint8_t *p = fdt_prop(fdt, node, name, &nbytes);

    if (p == NULL || (nbytes != 4 && nbytes != 8))
        return false;
    *value = read_cells(p, nbytes / 4);
    return true;
}

/* ---- Finding nodes. */

/* Is `name` the path component of `nbytes` bytes? "uart" matches "uart@10000000", "uart@1" only itself. */
static bool component_is(const char *name, const char *component, size_t nbytes)
{
    return strncmp(name, component, nbytes) == 0 && (name[nbytes] == '\0' || name[nbytes] == '@');
}

static fdt_node find_child(const struct fdt *fdt, fdt_node parent, const char *component, size_t nbytes)
{
    int depth = 0;                      /* of parent, relatively */

    for (fdt_node n = fdt_next(fdt, parent, &depth); n >= 0 && depth > 0; n = fdt_next(fdt, n, &depth))
        if (depth == 1 && component_is(fdt_name(fdt, n), component, nbytes))
            return n;
    return -1;
}

fdt_node fdt_path(const struct fdt *fdt, const char *path)
{
    fdt_node node = fdt_next(fdt, -1, NULL);

    while (node >= 0) {
        while (*path == '/')
            path++;
        size_t nbytes = 0;
        while (path[nbytes] != '\0' && path[nbytes] != '/')
            nbytes++;
        if (nbytes == 0)
            return node;
        node = find_child(fdt, node, path, nbytes);
        path += nbytes;
    }
    return -1;
}

/* Is `name` one of the NUL-terminated strings in the list? */
static bool list_holds(const char *list, uint32_t nbytes, const char *name)
{
    while (nbytes > 0) {
        uint32_t length = (uint32_t)strnlen(list, nbytes);
        if (length == nbytes)
            return false;               /* the last one does not end */
        if (strcmp(list, name) == 0)
            return true;
        list += length + 1;
        nbytes -= length + 1;
    }
    return false;
}

fdt_node fdt_compatible(const struct fdt *fdt, fdt_node from, const char *name)
{
    for (fdt_node n = fdt_next(fdt, from, NULL); n >= 0; n = fdt_next(fdt, n, NULL)) {
        uint32_t nbytes = 0;
        const char *list = fdt_prop(fdt, n, "compatible", &nbytes);
        if (list != NULL && list_holds(list, nbytes, name))
            return n;
    }
    return -1;
}

fdt_node fdt_handle(const struct fdt *fdt, uint32_t phandle)
{
    for (fdt_node n = fdt_next(fdt, -1, NULL); n >= 0; n = fdt_next(fdt, n, NULL)) {
        uint64_t value;
        if (fdt_number(fdt, n, "phandle", &value) && value == phandle)
            return n;
    }
    return -1;
}

/* The parent is the last node before `node` that is one level up. */
static fdt_node find_parent(const struct fdt *fdt, fdt_node node)
{
    int depth, wanted;
    fdt_node n, parent = -1;

    for (n = fdt_next(fdt, -1, &depth); n >= 0 && n < node; n = fdt_next(fdt, n, &depth))
        ;
    if (n != node)
        return -1;
    wanted = depth - 1;
    for (n = fdt_next(fdt, -1, &depth); n >= 0 && n < node; n = fdt_next(fdt, n, &depth))
        if (depth == wanted)
            parent = n;
    return parent;
}

/* ---- Ranges. */

/* A parent's cell count, or the specification's default; a count no number of ours can hold is refused. */
static bool cell_count(const struct fdt *fdt, fdt_node parent, const char *name, uint32_t assumed, uint32_t *cells)
{
    uint64_t value = assumed;

    if (!fdt_number(fdt, parent, name, &value))
        value = assumed;
    *cells = (uint32_t)value;
    return value <= 2;
}

bool fdt_reg(const struct fdt *fdt, fdt_node node, unsigned index, uint64_t *address, uint64_t *nbytes)
{
    uint32_t length = 0, address_cells, size_cells;
    const uint8_t *p = fdt_prop(fdt, node, "reg", &length);
    fdt_node parent = find_parent(fdt, node);

    if (p == NULL || parent < 0 || !cell_count(fdt, parent, "#address-cells", 2, &address_cells) ||
        !cell_count(fdt, parent, "#size-cells", 1, &size_cells) || address_cells == 0)
        return false;
    uint32_t pair = 4 * (address_cells + size_cells);
    if (index >= length / pair)
        return false;
    p += (size_t)index * pair;
    *address = read_cells(p, address_cells);
    if (nbytes != NULL)
        *nbytes = read_cells(p + 4 * address_cells, size_cells);
    return true;
}

/* The index-th entry of the reservation block; counts them in *count when there are fewer. */
static bool reserved_in_block(const struct fdt *fdt, unsigned index, unsigned *count, uint64_t *address, uint64_t *nbytes)
{
    uint64_t at = fdt->reserve_off;

    for (*count = 0; at + 16 <= fdt->size; ++*count, at += 16) {
        *address = read_cells(fdt->blob + at, 2);
        *nbytes = read_cells(fdt->blob + at + 8, 2);
        if (*address == 0 && *nbytes == 0)
            return false;
        if (*count == index)
            return true;
    }
    return false;
}

bool fdt_reserved(const struct fdt *fdt, unsigned index, uint64_t *address, uint64_t *nbytes)
{
    unsigned count;
    int depth = 0;
    fdt_node parent = fdt_path(fdt, "/reserved-memory");

    if (reserved_in_block(fdt, index, &count, address, nbytes))
        return true;
    if (parent < 0)
        return false;
    for (fdt_node n = fdt_next(fdt, parent, &depth); n >= 0 && depth > 0; n = fdt_next(fdt, n, &depth))
        for (unsigned i = 0; depth == 1 && fdt_reg(fdt, n, i, address, nbytes); i++)
            if (count++ == index)
                return true;
    return false;
}
