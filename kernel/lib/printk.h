/* printk.h -- kernel messages, assertions and panic.
 *
 * printk formats into a buffer of its own and hands whole lines to the console hook, so that lines from several
 * CPUs never mix (M15). Any context, any locks held but the console's. Formats: %d %i %u %x %c %s %p %%, with l, ll, z,
 * width, zero padding and '-'. A message is cut at PRINTK_MAX bytes. */
#ifndef LIB_PRINTK_H
#define LIB_PRINTK_H

#include <stdarg.h>
#include "lib/types.h"

#define PRINTK_MAX 256

void   printk(const char *format, ...) PRINTF(1, 2);
int    format_string(char *buf, size_t size, const char *format, ...) PRINTF(3, 4);
int    format_va(char *buf, size_t size, const char *format, va_list args);   /* as vsnprintf: returns the full length */

/* printk_set_output -- upcall (lib -> dev): `write` gets every finished message. Until then messages go to a small
 * early buffer that the first call flushes. */
void printk_set_output(void (*write)(const char *text, size_t nbytes));

/* panic -- the kernel has a bug: print the message and all that helps, stop every CPU, end the emulator with a
 * non-zero status. Never for what a program did, nor for lack of memory. Implemented in sys/panic.c: the one function
 * that every floor may call upwards, because nothing comes after it. */
void panic(const char *format, ...) PRINTF(1, 2) NORETURN;

#define KASSERT(cond) \
    do { if (UNLIKELY(!(cond))) panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond); } while (0)

/* DASSERT -- checked in debug builds only: for hot paths. */
#ifdef DEBUG
#define DASSERT(cond) KASSERT(cond)
#else
#define DASSERT(cond) do { if (0) (void)(cond); } while (0)
#endif

#endif
