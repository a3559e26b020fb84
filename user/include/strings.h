/* strings.h -- comparisons that ignore case. */
#ifndef TAMAL_STRINGS_H
#define TAMAL_STRINGS_H

#include <stddef.h>

int strcasecmp(const char *a, const char *b);
int strncasecmp(const char *a, const char *b, size_t limit);

#endif
