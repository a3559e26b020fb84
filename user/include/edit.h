/* edit.h -- reading a line from a terminal with editing, history and completion. */
#ifndef TAMAL_EDIT_H
#define TAMAL_EDIT_H

#include "tool.h"

enum line_result {
    LINE_READ,                                  /* *line is it, without newline, for free() */
    LINE_CANCELLED,                             /* Ctrl-C */
    LINE_END,                                   /* Ctrl-D on an empty line, or the terminal is gone */
    LINE_NO_TERMINAL                            /* descriptor 0 is none: nothing was read */
};

struct editor {
    struct strings history;                     /* oldest first; edit_line adds to it */
    /* Completions of the word that ends at text[cursor]: adds whole words to `candidates`, sets *start to where it
     * begins. NULL: Tab does nothing. */
    void (*complete)(const char *text, size_t cursor, size_t *start, struct strings *candidates);
};

enum line_result edit_line(struct editor *editor, const char *prompt, char **line);

#endif
