/*
 * shparse.c -- the grammar of sh: text to tree, by recursive descent. What the tree looks like is in shell.h.
 *
 * The first error wins: it is kept in the parser, from then on every token reads as the end, and so all callers
 * return by themselves. Whoever made a node frees it or hangs it into the tree, also after an error.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "shell.h"

#define DEPTH_MAX 100                           /* compounds inside compounds */

enum token { END, NEWLINE, WORD, OPERATOR, REDIRECT };

struct parser {
    const char *next;                           /* text behind the current token */
    enum token  token;
    const char *start;                          /* of the current token, `length` bytes */
    size_t      length;
    int         redirect_fd;                    /* REDIRECT: the number before it, or -1 */
    int         depth;
    enum parse_result result;
    char       *near;
};

static void fail(struct parser *p, enum parse_result result, const char *text, size_t length)
{
    if (p->result == PARSED) {
        struct string near = { 0 };
        string_add(&near, text, length);
        p->near = string_take(&near);
        p->result = result;
    }
    p->token = END;
}

static void fail_here(struct parser *p)
{
    if (p->token == END)
        fail(p, INCOMPLETE, "end of file", strlen("end of file"));
    else if (p->token == NEWLINE)
        fail(p, SYNTAX_ERROR, "newline", strlen("newline"));
    else
        fail(p, SYNTAX_ERROR, p->start, p->length);
}

/* ---- tokens ---- */

/* Behind a quoted piece that begins at `s`, or NULL when it has no end. */
static const char *skip_quoted(const char *s)
{
    char quote = *s++;

    for (; *s != quote; s++) {
        if (*s == '\\' && quote == '"' && s[1] != '\0')
            s++;
        if (*s == '\0')
            return NULL;
    }
    return s + 1;
}

static void read_word(struct parser *p)
{
    const char *s = p->next;

    while (*s != '\0' && strchr(" \t\r\n;&|<>()", *s) == NULL) {
        if (*s == '\\') {
            if (s[1] == '\0' || (s[1] == '\n' && s[2] == '\0')) {
                fail(p, INCOMPLETE, s, 1);
                return;
            }
            s += 2;
        } else if (*s == '\'' || *s == '"') {
            const char *end = skip_quoted(s);
            if (end == NULL) {
                fail(p, INCOMPLETE, s, 1);
                return;
            }
            s = end;
        } else {
            s++;
        }
    }
    p->token = WORD;
    p->length = (size_t)(s - p->start);
    p->next = s;
}

static bool read_operator(struct parser *p)
{
    static const char *const operators[] = { "&&", "||", ">>", ">&", "<&", ";", "&", "|", "<", ">", "(", ")" };
    const char *s = p->next;

    p->redirect_fd = -1;
    if (isdigit(*s) && (s[1] == '<' || s[1] == '>'))
        p->redirect_fd = *s++ - '0';
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t length = strlen(operators[i]);
        if (strncmp(s, operators[i], length) == 0) {
            p->token = *s == '<' || *s == '>' ? REDIRECT : OPERATOR;
            p->start = s;
            p->length = length;
            p->next = s + length;
            return true;
        }
    }
    return false;
}

static void next_token(struct parser *p)
{
    if (p->result != PARSED)
        return;
    for (;;) {
        p->next += strspn(p->next, " \t\r");
        if (p->next[0] == '\\' && p->next[1] == '\n' && p->next[2] != '\0')
            p->next += 2;
        else
            break;
    }
    if (*p->next == '#')
        p->next += strcspn(p->next, "\n");
    p->start = p->next;
    p->length = 0;
    if (*p->next == '\0') {
        p->token = END;
    } else if (*p->next == '\n') {
        p->token = NEWLINE;
        p->next++;
    } else if (!read_operator(p)) {
        read_word(p);
    }
}

static bool is_text(const struct parser *p, const char *text)
{
    return strlen(text) == p->length && strncmp(p->start, text, p->length) == 0;
}

static bool is_operator(const struct parser *p, const char *text)
{
    return p->token == OPERATOR && is_text(p, text);
}

static bool is_keyword(const struct parser *p, const char *text)
{
    return p->token == WORD && is_text(p, text);
}

static bool accept_operator(struct parser *p, const char *text)
{
    if (!is_operator(p, text))
        return false;
    next_token(p);
    return true;
}

static bool accept_keyword(struct parser *p, const char *text)
{
    if (!is_keyword(p, text))
        return false;
    next_token(p);
    return true;
}

static void expect_keyword(struct parser *p, const char *text)
{
    if (!accept_keyword(p, text))
        fail_here(p);
}

static void skip_newlines(struct parser *p)
{
    while (p->token == NEWLINE)
        next_token(p);
}

static char *token_text(const struct parser *p)
{
    struct string text = { 0 };
    string_add(&text, p->start, p->length);
    return string_take(&text);
}

/* ---- grammar ---- */

static struct node *parse_list(struct parser *p, bool one_line);

static struct node *new_node(enum node_kind kind)
{
    struct node *node = must_malloc(sizeof *node);
    *node = (struct node){ .kind = kind };
    return node;
}

static void parse_redirect(struct parser *p, struct redirect ***end)
{
    struct redirect *r = must_malloc(sizeof *r);
    bool input = p->start[0] == '<';

    *r = (struct redirect){ .fd = p->redirect_fd >= 0 ? p->redirect_fd : input ? 0 : 1 };
    r->direction = p->length == 1 ? (input ? INPUT : OUTPUT) : p->start[1] == '>' ? APPEND : DUPLICATE;
    **end = r;
    *end = &r->next;
    next_token(p);
    if (p->token == WORD) {
        r->target = token_text(p);
        next_token(p);
    } else {
        r->target = must_strdup("");
        fail_here(p);
    }
}

static struct node *parse_simple(struct parser *p)
{
    struct node *node = new_node(COMMAND);
    struct redirect **end = &node->redirects;

    if (p->token != WORD && p->token != REDIRECT)
        fail_here(p);
    while (p->token == WORD || p->token == REDIRECT) {
        if (p->token == REDIRECT) {
            parse_redirect(p, &end);
        } else {
            strings_add(&node->words, token_text(p));
            next_token(p);
        }
    }
    return node;
}

static struct node *parse_if(struct parser *p)
{
    struct node *node = new_node(IF);

    node->condition = parse_list(p, false);
    expect_keyword(p, "then");
    node->body = parse_list(p, false);
    if (is_keyword(p, "elif") && ++p->depth > DEPTH_MAX) {
        fail_here(p);
    } else if (accept_keyword(p, "elif")) {
        node->otherwise = parse_if(p);          /* which also takes our "fi" */
        p->depth--;
        return node;
    }
    if (accept_keyword(p, "else"))
        node->otherwise = parse_list(p, false);
    expect_keyword(p, "fi");
    return node;
}

static struct node *parse_loop(struct parser *p, enum node_kind kind)
{
    struct node *node = new_node(kind);

    node->condition = parse_list(p, false);
    expect_keyword(p, "do");
    node->body = parse_list(p, false);
    expect_keyword(p, "done");
    return node;
}

static struct node *parse_for(struct parser *p)
{
    struct node *node = new_node(FOR);

    if (p->token != WORD)
        fail_here(p);
    strings_add(&node->words, token_text(p));
    next_token(p);
    if (accept_keyword(p, "in")) {
        for (; p->token == WORD; next_token(p))
            strings_add(&node->words, token_text(p));
    } else {
        strings_add(&node->words, must_strdup("\"$@\""));
    }
    accept_operator(p, ";");
    skip_newlines(p);
    expect_keyword(p, "do");
    node->body = parse_list(p, false);
    expect_keyword(p, "done");
    return node;
}

static struct node *parse_enclosed(struct parser *p, enum node_kind kind)
{
    struct node *node = new_node(kind);

    node->body = parse_list(p, false);
    if (kind == GROUP)
        expect_keyword(p, "}");
    else if (!accept_operator(p, ")"))
        fail_here(p);
    return node;
}

static struct node *parse_compound(struct parser *p)
{
    if (accept_operator(p, "("))
        return parse_enclosed(p, SUBSHELL);
    if (accept_keyword(p, "{"))
        return parse_enclosed(p, GROUP);
    if (accept_keyword(p, "if"))
        return parse_if(p);
    if (accept_keyword(p, "while"))
        return parse_loop(p, WHILE);
    if (accept_keyword(p, "until"))
        return parse_loop(p, UNTIL);
    if (accept_keyword(p, "for"))
        return parse_for(p);
    return NULL;
}

static bool is_closing(const struct parser *p)
{
    static const char *const words[] = { "then", "elif", "else", "fi", "do", "done", "}" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_keyword(p, words[i]))
            return true;
    return is_operator(p, ")");
}

static struct node *parse_one(struct parser *p)
{
    if (++p->depth > DEPTH_MAX || is_closing(p))
        fail_here(p);
    struct node *node = parse_compound(p);
    p->depth--;
    if (node == NULL)
        return parse_simple(p);

    struct redirect **end = &node->redirects;
    while (p->token == REDIRECT)
        parse_redirect(p, &end);
    return node;
}

static struct node *parse_pipeline(struct parser *p)
{
    struct node *node = new_node(PIPELINE), **end = &node->members;

    while (accept_keyword(p, "!"))
        node->negated = !node->negated;
    for (;;) {
        *end = parse_one(p);
        end = &(*end)->next;
        if (!accept_operator(p, "|"))
            return node;
        skip_newlines(p);
    }
}

static struct node *parse_and_or(struct parser *p)
{
    struct node *node = new_node(AND_OR), **end = &node->members;
    enum run_if run_if = ALWAYS;

    for (;;) {
        *end = parse_pipeline(p);
        (*end)->run_if = run_if;
        end = &(*end)->next;
        if (is_operator(p, "&&"))
            run_if = SUCCEEDED;
        else if (is_operator(p, "||"))
            run_if = FAILED;
        else
            return node;
        next_token(p);
        skip_newlines(p);
    }
}

/* Ends at what closes the enclosing compound; with `one_line`, at the end of the line. */
static struct node *parse_list(struct parser *p, bool one_line)
{
    struct node *node = new_node(LIST), **end = &node->members;

    if (!one_line)
        skip_newlines(p);
    do {
        *end = parse_and_or(p);
        struct node *member = *end;
        end = &member->next;
        if (accept_operator(p, "&"))
            member->background = true;
        else if (!accept_operator(p, ";") && (one_line || p->token != NEWLINE))
            break;
        if (!one_line)
            skip_newlines(p);
    } while (p->token != END && p->token != NEWLINE && !is_closing(p));
    return node;
}

enum parse_result parse_command(const char **text, struct node **node, char **near)
{
    struct parser p = { .next = *text, .result = PARSED };

    *node = NULL;
    *near = NULL;
    next_token(&p);
    if (p.token != END && p.token != NEWLINE) {
        *node = parse_list(&p, true);
        if (p.token != END && p.token != NEWLINE)
            fail_here(&p);
    }
    *text = p.next;
    *near = p.near;
    if (p.result != PARSED) {
        free_node(*node);
        *node = NULL;
    }
    return p.result;
}

void free_node(struct node *node)
{
    while (node != NULL) {
        struct node *next = node->next;
        free_node(node->members);
        free_node(node->condition);
        free_node(node->body);
        free_node(node->otherwise);
        strings_free(&node->words);
        for (struct redirect *r = node->redirects; r != NULL; ) {
            struct redirect *following = r->next;
            free(r->target);
            free(r);
            r = following;
        }
        free(node);
        node = next;
    }
}
