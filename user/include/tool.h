/* tool.h -- what the programs in user/bin share. Not a standard header. */
#ifndef TAMAL_TOOL_H
#define TAMAL_TOOL_H

#include <sys/types.h>

/* Memory or the end of the program, with a message. */
void *must_malloc(size_t nbytes);
void *must_realloc(void *block, size_t nbytes);
char *must_strdup(const char *s);

/* A string that grows. Zero-initialised it is empty; `bytes` is NUL-terminated once something was added. */
struct string {
    char  *bytes;
    size_t length, size;
};
void  string_add(struct string *s, const char *bytes, size_t nbytes);
void  string_add_char(struct string *s, char c);
char *string_take(struct string *s);            /* the text (never NULL), for free(); `s` is empty again */

/* A list of strings, all owned by it. `item[count]` is NULL once something was added. */
struct strings {
    char **item;
    size_t count, size;
};
void strings_add(struct strings *list, char *owned);
void strings_sort(struct strings *list, size_t first);      /* items from `first` on */
void strings_free(struct strings *list);

/* Names in a directory, "." and ".." included, sorted; added to `names`. -1 with errno on failure. */
int   read_directory(const char *path, struct strings *names);
char *join_path(const char *directory, const char *name);  /* for free() */
const char *base_name(const char *path);        /* what follows the last '/' */
int   is_directory(const char *path);           /* links followed */

/* Patterns of file names: '*', '?', '[a-z]', '[!a-z]', and '\' before a character that is to stand for itself. */
int  pattern_matches(const char *pattern, const char *name);
int  pattern_is_plain(const char *pattern);     /* no special character in it */
void pattern_unescape(char *pattern);           /* drop the '\' */
void expand_pattern(const char *pattern, struct strings *paths);   /* existing paths that match, sorted */

/* Open a file, or for "-" stdin, to read it as text: a directory is EISDIR. -1 with errno. */
int open_input(const char *path);

/* Copy bytes until the end of `from`. 0; -1: reading failed; -2: writing failed. */
int copy_data(int from, int to);

/* End the program when stdout takes no more: quietly when it is a pipe that nobody reads. */
void check_stdout(void);
_Noreturn void output_failed(void);

/* A whole non-negative decimal number, or the end of the program: "invalid number: x". */
int64_t number_argument(const char *text);

#endif
