/*
 * shell.h -- between the parts of sh: text becomes a tree (shparse.c), words become fields (shwords.c), and
 * bin/sh.c runs the tree.
 *
 *   list      and_or { (';' | '&' | newline) and_or }
 *   and_or    pipeline { ('&&' | '||') pipeline }
 *   pipeline  ['!'] command { '|' command }
 *   command   word or redirection ...  |  compound redirection ...
 *   compound  '(' list ')'  |  '{' list '}'  |  if list then list [elif ...] [else list] fi
 *             |  while list do list done  |  until list do list done  |  for name [in word...] do list done
 */
#ifndef TAMAL_SHELL_H
#define TAMAL_SHELL_H

#include <stdbool.h>
#include "tool.h"

enum node_kind { LIST, AND_OR, PIPELINE, COMMAND, SUBSHELL, GROUP, IF, WHILE, UNTIL, FOR };
enum run_if    { ALWAYS, SUCCEEDED, FAILED };
enum direction { INPUT, OUTPUT, APPEND, DUPLICATE };

struct redirect {
    int              fd;
    enum direction   direction;
    char            *target;                    /* unexpanded: a path, or the number of a descriptor */
    struct redirect *next;
};

struct node {
    enum node_kind   kind;
    struct node     *next;                      /* following member of a LIST, AND_OR or PIPELINE */
    struct node     *members;                   /* LIST, AND_OR, PIPELINE: the first one */
    bool             background;                /* a member of a LIST: followed by '&' */
    enum run_if      run_if;                    /* a member of an AND_OR */
    bool             negated;                   /* PIPELINE: preceded by '!' */
    struct strings   words;                     /* COMMAND: unexpanded; FOR: the name, then the words */
    struct redirect *redirects;                 /* COMMAND and compounds */
    struct node     *condition, *body, *otherwise;      /* lists of the compounds */
};

enum parse_result { PARSED, INCOMPLETE, SYNTAX_ERROR };

/* Parse one complete command, up to the end of its line, and move *text behind it. *node is NULL for an empty line.
 * INCOMPLETE: with more text it might be right. SYNTAX_ERROR: *near is what was not expected, for free(). */
enum parse_result parse_command(const char **text, struct node **node, char **near);
void free_node(struct node *node);

/* The value of a variable or parameter ("name", "?", "1"), or NULL. */
typedef const char *lookup_t(const char *name);

/* Quotes, '\' and '$' done. expand_word also splits what came from an unquoted '$' and expands patterns: zero or more
 * fields are added. expand_text gives exactly one, for free(). */
void  expand_word(const char *word, lookup_t *lookup, struct strings *fields);
char *expand_text(const char *word, lookup_t *lookup);

/* Length of the NAME in NAME=value, or 0 when the word is no assignment. */
size_t assignment_name(const char *word);

#endif
