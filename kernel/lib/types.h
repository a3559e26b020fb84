/* types.h -- words every kernel file uses: addresses the compiler can tell apart, sizes, small macros. */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "abi/errno.h"

typedef struct { uintptr_t addr; } paddr_t;     /* physical: what the bus sees */
typedef struct { uintptr_t addr; } vaddr_t;     /* virtual: of a page table; a user's is never dereferenced */

#define PAGE_SHIFT 12
#define PAGE_SIZE  ((uintptr_t)1 << PAGE_SHIFT)
#define PAGE_MASK  (PAGE_SIZE - 1)
#define PAGE_DOWN(x) ((uintptr_t)(x) & ~PAGE_MASK)
#define PAGE_UP(x)   PAGE_DOWN((uintptr_t)(x) + PAGE_MASK)      /* wraps near the top: check first */

#define MUST_CHECK   __attribute__((warn_unused_result))
#define NORETURN     __attribute__((noreturn))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ALIGNED(n)   __attribute__((aligned(n)))
#define COLD         __attribute__((cold, noinline))
#define HOT          __attribute__((hot))     /* on a path every program takes all the time: these lie together */

#define ARRAY_SIZE(a)   (sizeof(a) / sizeof((a)[0]))
#define LIKELY(x)       __builtin_expect(!!(x), 1)
#define UNLIKELY(x)     __builtin_expect(!!(x), 0)
#define MIN(a, b)       ((a) < (b) ? (a) : (b))
#define MAX(a, b)       ((a) > (b) ? (a) : (b))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline vaddr_t va_of(uintptr_t addr) { return (vaddr_t){ addr }; }
static inline vaddr_t va_add(vaddr_t va, uintptr_t n) { return (vaddr_t){ va.addr + n }; }

#endif
