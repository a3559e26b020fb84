/* fdt.h -- reads a flattened device tree (devicetree specification 0.4, chapter 5). No allocation, no locks; every
 * offset is checked against the blob, so a broken tree gives "not found", never a fault. Also tested on the host. */
#ifndef LIB_FDT_H
#define LIB_FDT_H

#include "lib/types.h"

struct fdt { const uint8_t *blob; uint32_t size, struct_off, struct_size, strings_off, strings_size, reserve_off; };

/* A node: the offset of its FDT_BEGIN_NODE token, or a negative number for "none". */
typedef int fdt_node;

/* fdt_open -- check the header; false when there is no device tree at `blob`. */
MUST_CHECK bool fdt_open(struct fdt *fdt, const void *blob);

/* fdt_next -- walk all nodes in order; start with -1; returns the next node or a negative number at the end.
 * `depth` (may be NULL) is kept up to date by the walk: root 0. */
fdt_node fdt_next(const struct fdt *fdt, fdt_node node, int *depth);

/* fdt_path -- the node with this absolute path ("/chosen", "/cpus"); a component without @ matches any unit address. */
fdt_node fdt_path(const struct fdt *fdt, const char *path);

/* fdt_compatible -- the next node after `from` (-1: from the start) whose "compatible" list holds `name`. */
fdt_node fdt_compatible(const struct fdt *fdt, fdt_node from, const char *name);

/* fdt_prop -- a property of a node: pointer into the blob and its length, or NULL. fdt_string -- one that is a string.
 * fdt_cells -- read a number of 1 or 2 big-endian cells at `index` cells. */
const void *fdt_prop(const struct fdt *fdt, fdt_node node, const char *name, uint32_t *nbytes);
const char *fdt_string(const struct fdt *fdt, fdt_node node, const char *name);
bool        fdt_number(const struct fdt *fdt, fdt_node node, const char *name, uint64_t *value);
const char *fdt_name(const struct fdt *fdt, fdt_node node);

/* fdt_reg -- the index-th (address, size) pair of "reg", with the parent's cell counts (2 and 2 are assumed for
 * children of / and /soc on the virt machine; read from the parent). */
bool fdt_reg(const struct fdt *fdt, fdt_node node, unsigned index, uint64_t *address, uint64_t *nbytes);

/* fdt_reserved -- the index-th region of the memory reservation block and of /reserved-memory. */
bool fdt_reserved(const struct fdt *fdt, unsigned index, uint64_t *address, uint64_t *nbytes);

/* fdt_handle -- the node with this phandle. */
fdt_node fdt_handle(const struct fdt *fdt, uint32_t phandle);

#endif
