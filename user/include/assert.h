/* assert.h -- stop the program when something believed true is not. */

#undef assert
#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
#define assert(condition) ((condition) ? (void)0 : assertion_failed(__FILE__, __LINE__, #condition))
#endif

#ifndef TAMAL_ASSERT_H
#define TAMAL_ASSERT_H

_Noreturn void assertion_failed(const char *file, int line, const char *condition);
#ifndef static_assert
#define static_assert _Static_assert
#endif

#endif
