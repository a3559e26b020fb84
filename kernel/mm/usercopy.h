/* usercopy.h -- the only way to user memory. Range check first, then direct loads and stores; a fault in them is
 * resolved like the user's own (lazy page, copy on write) or ends the copy with -EFAULT. A bad pointer never harms the
 * kernel and never kills the caller. Task context, no spinlock held but those the vm fault may sit under (none). */
#ifndef MM_USERCOPY_H
#define MM_USERCOPY_H

#include "lib/types.h"

/* All return 0 or -EFAULT; after -EFAULT an unspecified part was copied, nothing outside the buffer touched. */
MUST_CHECK int copy_from_user(void *dst, vaddr_t src, size_t nbytes);
MUST_CHECK int copy_to_user(vaddr_t dst, const void *src, size_t nbytes);
MUST_CHECK int clear_user(vaddr_t dst, size_t nbytes);

/* copy_string_from_user -- a NUL-terminated string of at most size-1 bytes.
 * Returns its length, -ENAMETOOLONG when it does not end within `size` bytes, -EFAULT. */
MUST_CHECK long copy_string_from_user(char *dst, vaddr_t src, size_t size);

/* user_fault_in -- make [va, va+nbytes) present, and writable if `write`, so that the copy that follows does not fault while it
 * must not (under the lock of an inode, in a log transaction). 0, or -EFAULT; memory given up by chau() is no buffer any more. */
MUST_CHECK int user_fault_in(vaddr_t va, size_t nbytes, bool write);

#endif
