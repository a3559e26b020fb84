/* err.h -- messages as Unix programs give them, "cat: x: No such file or directory", on stderr.
 * warn and err add the reason in errno; errx and err end the program. */
#ifndef TAMAL_ERR_H
#define TAMAL_ERR_H

#include <stdarg.h>

extern const char *program_name;                /* last component of argv[0] */

void warn(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));
void warnx(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));
_Noreturn void err(int status, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
_Noreturn void errx(int status, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
_Noreturn void usage(const char *arguments);    /* "usage: NAME arguments", status 2 */

#endif
