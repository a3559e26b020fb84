/*
 * sh -- the shell: sh, sh -c commands, sh file [argument...].
 *
 * Here trees are run: pipelines, redirections, builtins, jobs. Parsing is lib/shparse.c, words lib/shwords.c, the
 * line editor lib/edit.c. Variables belong to the shell; programs receive arguments only. The status of a command is
 * the number it gave to exit(); -1 is a killed task.
 *
 * Jobs. An interactive shell puts each pipeline into a group of its own and lends it the terminal, so that Ctrl-C
 * ends that pipeline and nothing else; otherwise the terminal is nobody's, never the shell's. A shell that runs a
 * script leaves everything in its own group. Background children are kept in a list and buried before the next
 * command; foreground ones are waited for by pid, so the two are never confused.
 *
 * The guard. There are no signals: a shell that runs `while`, or several commands of one line, would not learn of
 * Ctrl-C. For such a line it starts a child that does nothing, and the line's pipelines join the child's group: when
 * the guard was killed, Ctrl-C was pressed.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "abi/fsformat.h"
#include "edit.h"
#include "shell.h"
#include "user/user.h"

#define BIN "/bin/"

enum { STATUS_SYNTAX = 2, STATUS_CANNOT_RUN = 126, STATUS_NOT_FOUND = 127, STATUS_KILLED = -1 };

/* Why commands stop being run one after another. */
enum flow { NORMAL, BREAK, CONTINUE, INTERRUPTED };

static bool interactive;                        /* we own a terminal: prompts, groups */
static int  last_status;
static enum flow flow;
static int  loop_depth;

static int run_list(const struct node *list);
static _Noreturn void run_and_exit(const struct node *node);

/* ---- variables and parameters ---- */

struct variable {
    struct variable *next;
    char *name, *value;
};

static struct variable *variables;
static const char *script_name = "sh";
static struct strings parameters;               /* $1 and so on */
static int last_background;

static struct variable **find_variable(const char *name, size_t length)
{
    struct variable **v = &variables;

    while (*v != NULL && (strncmp((*v)->name, name, length) != 0 || (*v)->name[length] != '\0'))
        v = &(*v)->next;
    return v;
}

static void set_variable(const char *name, size_t length, const char *value)
{
    struct variable **v = find_variable(name, length);

    if (*v == NULL) {
        struct string copy = { 0 };
        string_add(&copy, name, length);
        *v = must_malloc(sizeof **v);
        **v = (struct variable){ .name = string_take(&copy) };
    }
    char *before = (*v)->value;
    (*v)->value = must_strdup(value);
    free(before);
}

static void unset_variable(const char *name)
{
    struct variable **v = find_variable(name, strlen(name)), *gone = *v;

    if (gone != NULL) {
        *v = gone->next;
        free(gone->name);
        free(gone->value);
        free(gone);
    }
}

static const char *decimal(long number)
{
    static char text[24];
    snprintf(text, sizeof text, "%ld", number);
    return text;
}

static const char *lookup(const char *name)
{
    switch (*name) {
    case '?': return decimal(last_status);
    case '$': return decimal(getpid());
    case '#': return decimal((long)parameters.count);
    case '!': return last_background ? decimal(last_background) : NULL;
    }
    if (isdigit(*name)) {
        size_t n = (size_t)atoi(name);
        return n == 0 ? script_name : n <= parameters.count ? parameters.item[n - 1] : NULL;
    }
    struct variable *v = *find_variable(name, strlen(name));
    return v ? v->value : NULL;
}

static void set_parameters(char **words, int count)
{
    struct strings fresh = { 0 };

    for (int i = 0; i < count; i++)
        strings_add(&fresh, must_strdup(words[i]));
    strings_free(&parameters);
    parameters = fresh;
}

static void assign(const char *word)
{
    size_t length = assignment_name(word);
    char *value = expand_text(word + length + 1, lookup);

    set_variable(word, length, value);
    free(value);
}

/* ---- redirections ---- */

struct saved {                                  /* a descriptor as it was before a builtin's redirection */
    int fd, copy;                               /* copy -1: it was closed */
    struct saved *next;
};

static void move_fd(int from, int to)
{
    if (from != to) {
        dup2(from, to);
        close(from);
    }
}

static int open_redirect(const struct redirect *r, const char *target)
{
    char *end;

    switch (r->direction) {
    case INPUT:  return open(target, O_RDONLY);
    case OUTPUT: return open(target, O_WRONLY | O_CREATE | O_TRUNC);
    case APPEND: return open(target, O_WRONLY | O_CREATE | O_APPEND);
    case DUPLICATE:
        break;
    }
    long fd = strtol(target, &end, 10);
    if (*target == '\0' || *end != '\0' || fd < 0 || fd != (int)fd) {
        errno = EBADF;
        return -1;
    }
    return dup((int)fd);
}

static void save_fd(int fd, struct saved **saved)
{
    struct saved *s = must_malloc(sizeof *s);

    *s = (struct saved){ .fd = fd, .copy = dup(fd), .next = *saved };
    *saved = s;
}

/* Do a command's redirections; with `saved`, so that they can be undone. */
static int redirect(const struct redirect *r, struct saved **saved)
{
    for (; r != NULL; r = r->next) {
        char *target = expand_text(r->target, lookup);
        if (saved != NULL)
            save_fd(r->fd, saved);
        int fd = open_redirect(r, target);
        if (fd < 0)
            warn("%s", target);
        free(target);
        if (fd < 0)
            return -1;
        move_fd(fd, r->fd);
    }
    return 0;
}

static void restore(struct saved *saved)
{
    while (saved != NULL) {
        struct saved *next = saved->next;
        if (saved->copy >= 0)
            move_fd(saved->copy, saved->fd);
        else
            close(saved->fd);
        free(saved);
        saved = next;
    }
}

/* ---- jobs ---- */

static int guard;                               /* pid, or 0 */
static int ask, answer;                         /* pipes to and from it */

static void close_pipe(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static _Noreturn void run_guard(int question, int reply)
{
    char byte;

    close(ask);
    close(answer);
    while (read(question, &byte, 1) == 1)
        write(reply, &byte, 1);
    _exit(0);
}

/* Without resources for it, a line goes without guard. */
static void start_guard(void)
{
    int to[2], from[2];

    if (!interactive || guard != 0 || pipe(to) < 0)
        return;
    if (pipe(from) < 0) {
        close_pipe(to);
        return;
    }
    ask = to[1];
    answer = from[0];
    int pid = fork();
    if (pid == 0)
        run_guard(to[0], from[1]);
    if (pid < 0) {
        close_pipe(to);
        close_pipe(from);
        return;
    }
    close(to[0]);
    close(from[1]);
    guard = pid;
    setpgid(guard, guard);
    tcsetpgrp(0, guard);
}

static void forget_guard(void)
{
    if (guard != 0) {
        close(ask);
        close(answer);
    }
    guard = 0;
}

/* True: Ctrl-C had ended it. */
static bool stop_guard(void)
{
    int status = 0, pid = guard;

    if (pid == 0)
        return false;
    forget_guard();
    wait_for_task(pid, &status);
    tcsetpgrp(0, 0);
    return status == STATUS_KILLED;
}

/* Was Ctrl-C pressed? Then nothing more of this line is run. While the guard answers, it was not; and when it is,
 * everybody who is in the guard's group by now dies, too. */
static bool interrupted(void)
{
    char byte = 0;

    if (guard != 0 && (write(ask, &byte, 1) != 1 || read(answer, &byte, 1) != 1))
        flow = INTERRUPTED;
    return flow == INTERRUPTED;
}

struct job {                                    /* a command in the background */
    struct job *next;
    int         pid;
};

static struct job *jobs;

/* Fork a member of a group; group 0 begins one, in the foreground or not. The child is no longer interactive. */
static int fork_member(int group, bool foreground)
{
    int pid = fork();

    if (foreground && guard != 0)
        group = guard;

    if (pid < 0) {
        warn("cannot fork");
        return -1;
    }
    if (interactive) {                          /* both sides do it: neither can be too late */
        int member = pid ? pid : getpid();
        setpgid(member, group ? group : member);
        if (foreground && group == 0)
            tcsetpgrp(0, member);
    }
    if (pid == 0) {
        forget_guard();
        interactive = false;
        flow = NORMAL;
        loop_depth = 0;
        jobs = NULL;
    }
    return pid;
}

/* Wait for all members of a pipeline; the last one's status. */
static int wait_foreground(const int *pids, size_t count)
{
    bool killed = false, too_late = interrupted();
    int status = 1;

    for (size_t i = 0; i < count; i++) {
        if (too_late)                           /* Ctrl-C came before it was in the group */
            kill(pids[i]);
        status = STATUS_KILLED;
        if (wait_for_task(pids[i], &status) < 0)
            warn("wait");
        killed |= status == STATUS_KILLED;
    }
    if (killed && guard != 0) {                 /* by Ctrl-C, or by a fault? */
        if (stop_guard())
            flow = INTERRUPTED;
        else
            start_guard();
    }
    if (interactive)
        tcsetpgrp(0, guard);
    return status;
}

/* Which of our children have ended can only be seen in the list of tasks: waiting would block. */
static bool has_ended(int pid, const struct task_info *rows, int count)
{
    for (int i = 0; i < count; i++)
        if (rows[i].pid == pid)
            return rows[i].state == ZOMBIE;
    return true;
}

static struct task_info *list_tasks(int *count)
{
    struct task_info *rows = NULL;

    for (int room = 64; ; room *= 2) {
        rows = must_realloc(rows, (size_t)room * sizeof *rows);
        *count = tasklist(rows, room);
        if (*count < room)
            return rows;
    }
}

static void bury_jobs(bool wait_for_all)
{
    struct task_info *rows = NULL;
    int count = 0, status;

    if (jobs != NULL && !wait_for_all)
        rows = list_tasks(&count);
    for (struct job **j = &jobs; *j != NULL; ) {
        struct job *job = *j;
        if (!wait_for_all && (count < 0 || !has_ended(job->pid, rows, count))) {
            j = &job->next;
            continue;
        }
        *j = job->next;
        if (wait_for_task(job->pid, &status) == job->pid && interactive)
            printf("[%d] done, status %d\n", job->pid, status);
        free(job);
    }
    free(rows);
}

/* In the background a terminal is not read: the shell is reading it. */
static void start_background(const struct node *node)
{
    int pid = fork_member(0, false);

    if (pid == 0) {
        int fd = isatty(0) ? open("/dev/null", O_RDONLY) : -1;
        if (fd >= 0)
            move_fd(fd, 0);
        run_and_exit(node);
    }
    last_status = pid < 0;
    if (pid < 0)
        return;
    struct job *job = must_malloc(sizeof *job);
    *job = (struct job){ .next = jobs, .pid = pid };
    jobs = job;
    last_background = pid;
    if (interactive)
        printf("[%d]\n", pid);
}

/* ---- builtins ---- */

static int run_file(const char *path);

/* There are no users, so that "~" is as good as "/"; "-" is where we were before. */
static int do_cd(char **words)
{
    static char before[FS_PATH_MAX] = "/";
    const char *path = words[1] && strcmp(words[1], "~") != 0 ? words[1] : "/";
    bool back = strcmp(path, "-") == 0;
    char here[FS_PATH_MAX];

    if (getcwd(here, sizeof here) == NULL)
        strcpy(here, "/");
    if (chdir(back ? before : path) < 0) {
        warn("cd: %s", back ? before : path);
        return 1;
    }
    if (back)
        puts(before);
    strcpy(before, here);
    return 0;
}

static int do_pwd(char **words)
{
    char path[FS_PATH_MAX];

    (void)words;
    if (getcwd(path, sizeof path) == NULL) {
        warn("pwd");
        return 1;
    }
    return puts(path) < 0;
}

static int do_exit(char **words)
{
    exit(words[1] ? atoi(words[1]) : last_status);
}

/* Builtin, so that a machine whose disk no longer answers can be switched off. */
static int do_halt(char **words)
{
    halt(words[1] ? atoi(words[1]) : 0);
    warn("halt");
    return 1;
}

static int do_set(char **words)
{
    int count = 0;

    if (words[1] == NULL) {
        for (struct variable *v = variables; v != NULL; v = v->next)
            printf("%s='%s'\n", v->name, v->value);
        return 0;
    }
    words += strcmp(words[1], "--") == 0 ? 2 : 1;
    while (words[count] != NULL)
        count++;
    set_parameters(words, count);
    return 0;
}

static int do_unset(char **words)
{
    while (*++words != NULL)
        unset_variable(*words);
    return 0;
}

/* There is no environment to export to: only the assignment is done. */
static int do_export(char **words)
{
    while (*++words != NULL) {
        size_t length = assignment_name(*words);
        if (length > 0)
            set_variable(*words, length, *words + length + 1);
    }
    return 0;
}

static int do_shift(char **words)
{
    (void)words;
    if (parameters.count == 0)
        return 1;
    set_parameters(parameters.item + 1, (int)parameters.count - 1);
    return 0;
}

/* A line from what is no terminal, byte by byte: what follows it belongs to other commands. */
static enum line_result read_plain_line(char **line)
{
    struct string text = { 0 };
    char c;
    long got;

    while ((got = read(0, &c, 1)) == 1 && c != '\n')
        if (c != '\0')
            string_add_char(&text, c);
    if (got != 1 && text.length == 0)
        return LINE_END;
    *line = string_take(&text);
    return LINE_READ;
}

static int do_read(char **words)
{
    struct editor editor = { 0 };               /* without history */
    char *text = NULL;

    enum line_result result = interactive && isatty(0) ? edit_line(&editor, "", &text) : read_plain_line(&text);
    strings_free(&editor.history);
    if (result == LINE_CANCELLED)
        flow = INTERRUPTED;
    if (result != LINE_READ)
        return 1;
    char *rest = text;
    for (words++; *words != NULL; words++) {
        rest += strspn(rest, " \t");
        size_t length = words[1] ? strcspn(rest, " \t") : strlen(rest);
        char *end = rest + length;
        bool more = *end != '\0';
        *end = '\0';
        set_variable(*words, strlen(*words), rest);
        rest = more ? end + 1 : end;
    }
    free(text);
    return 0;
}

/* An interactive shell looks again and again, so that Ctrl-C ends the waiting. */
static int do_wait(char **words)
{
    (void)words;
    start_guard();
    if (guard == 0)
        bury_jobs(true);
    for (bury_jobs(false); jobs != NULL && !interrupted(); bury_jobs(false))
        pause(1);
    return 0;
}

static int leave_loop(enum flow how)
{
    if (loop_depth > 0)
        flow = how;
    return 0;
}

static int do_break(char **words)
{
    (void)words;
    return leave_loop(BREAK);
}

static int do_continue(char **words)
{
    (void)words;
    return leave_loop(CONTINUE);
}

static int do_source(char **words)
{
    if (words[1] == NULL) {
        warnx(".: file expected");
        return STATUS_SYNTAX;
    }
    start_guard();
    return run_file(words[1]);
}

static int do_clear(char **words)
{
    (void)words;
    return fputs("\x1b[H\x1b[2J", stdout) < 0;
}

static int do_help(char **words);

static int do_nothing(char **words)
{
    (void)words;
    return 0;
}

static const struct builtin {
    const char *name;
    int (*run)(char **words);
} builtins[] = {
    { "cd", do_cd },       { "pwd", do_pwd },         { "exit", do_exit },     { "set", do_set },
    { "unset", do_unset }, { "export", do_export },   { "shift", do_shift },   { "read", do_read },
    { "wait", do_wait },   { "break", do_break },     { "continue", do_continue },
    { ".", do_source },    { ":", do_nothing },       { "halt", do_halt },
    { "clear", do_clear },  { "help", do_help },
};
#define BUILTINS (sizeof builtins / sizeof *builtins)

static int do_help(char **words)
{
    (void)words;
    printf("a; b   a && b   a || b   a &   a | b   a < file > file >> file 2> file 2>&1   ( a )   { a; }   ! a\n"
           "if a; then b; else c; fi   while a; do b; done   until a; do b; done   for x in words; do a; done\n"
           "x=word   $x   $?   $1   \"$@\"   'text'   \"text\"   \\c   * ? [a-z]   # comment\n"
           "Built in:");
    for (size_t i = 0; i < BUILTINS; i++)
        printf(" %s", builtins[i].name);
    puts("\nPrograms: ls /bin. A program without arguments, or with wrong ones, says what it takes.");
    return 0;
}

static const struct builtin *find_builtin(const char *name)
{
    for (size_t i = 0; i < BUILTINS; i++)
        if (strcmp(builtins[i].name, name) == 0)
            return &builtins[i];
    return NULL;
}

/* ---- commands ---- */

/* A text file that is no program is a script for another shell. */
static void exec_script(const char *path, struct strings *words)
{
    struct strings argv = { 0 };

    strings_add(&argv, must_strdup("sh"));
    strings_add(&argv, must_strdup(path));
    for (size_t i = 1; i < words->count; i++)
        strings_add(&argv, must_strdup(words->item[i]));
    execv(BIN "sh", argv.item);
}

static _Noreturn void exec_words(struct strings *words)
{
    const char *name = words->item[0];
    bool has_slash = strchr(name, '/') != NULL;
    char *path = has_slash ? must_strdup(name) : join_path(BIN, strcmp(name, "[") == 0 ? "test" : name);

    if (*name == '\0')
        errno = ENOENT;
    else
        execv(path, words->item);
    if (errno == ENOEXEC)
        exec_script(path, words);
    if (errno == ENOENT && !has_slash) {
        warnx("%s: not found", name);
        exit(STATUS_NOT_FOUND);
    }
    warn("%s", name);
    exit(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN);
}

static int run_builtin(const struct builtin *builtin, const struct node *node, struct strings *words)
{
    struct saved *saved = NULL;
    int status = 1;

    if (redirect(node->redirects, &saved) == 0)
        status = builtin ? builtin->run(words->item) : 0;
    restore(saved);
    return status;
}

/* Words before the command's name that assign; with `perform`, they do. Returns how many. */
static size_t assignments(const struct node *node, bool perform)
{
    size_t count = 0;

    for (; count < node->words.count && assignment_name(node->words.item[count]) > 0; count++)
        if (perform)
            assign(node->words.item[count]);
    return count;
}

/* `forked`: this process is the command's own and need not come back. */
static int run_command(const struct node *node, bool forked)
{
    struct strings words = { 0 };
    size_t first = assignments(node, false);
    int status;

    for (size_t i = first; i < node->words.count; i++)
        expand_word(node->words.item[i], lookup, &words);
    const struct builtin *builtin = words.count > 0 ? find_builtin(words.item[0]) : NULL;
    if (words.count == 0)
        assignments(node, true);                /* for a program they would be its environment: there is none */

    if (words.count == 0 || builtin != NULL) {
        status = run_builtin(builtin, node, &words);
    } else {
        int pid = forked ? 0 : fork_member(0, true);
        if (pid == 0) {
            if (redirect(node->redirects, NULL) < 0)
                exit(1);
            exec_words(&words);
        }
        status = pid < 0 ? 1 : wait_foreground(&pid, 1);
    }
    strings_free(&words);
    return status;
}

static int run_if(const struct node *node)
{
    int status = run_list(node->condition);

    if (flow != NORMAL)
        return status;
    if (status == 0)
        return run_list(node->body);
    if (node->otherwise == NULL)
        return 0;
    return node->otherwise->kind == IF ? run_if(node->otherwise) : run_list(node->otherwise);
}

/* After a round: does the loop go on? */
static bool next_round(void)
{
    if (flow == CONTINUE)
        flow = NORMAL;
    if (flow == NORMAL)
        return true;
    if (flow == BREAK)
        flow = NORMAL;
    return false;
}

static int run_while(const struct node *node)
{
    int status = 0;

    loop_depth++;
    for (;;) {
        bool true_now = run_list(node->condition) == 0;
        if (!next_round() || true_now != (node->kind == WHILE))
            break;
        status = run_list(node->body);
        if (!next_round())
            break;
    }
    loop_depth--;
    return status;
}

static int run_for(const struct node *node)
{
    struct strings values = { 0 };
    const char *name = node->words.item[0];
    int status = 0;

    for (size_t i = 1; i < node->words.count; i++)
        expand_word(node->words.item[i], lookup, &values);
    loop_depth++;
    for (size_t i = 0; i < values.count; i++) {
        set_variable(name, strlen(name), values.item[i]);
        status = run_list(node->body);
        if (!next_round())
            break;
    }
    loop_depth--;
    strings_free(&values);
    return status;
}

static int run_subshell(const struct node *node)
{
    int pid = fork_member(0, true);

    if (pid == 0)
        exit(run_list(node->body));
    return pid < 0 ? 1 : wait_foreground(&pid, 1);
}

static int run_compound(const struct node *node)
{
    switch (node->kind) {
    case IF:       return run_if(node);
    case FOR:      return run_for(node);
    case SUBSHELL: return run_subshell(node);
    case GROUP:    return run_list(node->body);
    default:       return run_while(node);
    }
}

static int run_one(const struct node *node)
{
    struct saved *saved = NULL;
    int status = 1;

    if (node->kind == COMMAND)
        return run_command(node, false);
    if (redirect(node->redirects, &saved) == 0)
        status = run_compound(node);
    restore(saved);
    return status;
}

/* ---- pipelines and lists ---- */

static size_t count_members(const struct node *node)
{
    size_t count = 0;
    for (const struct node *m = node->members; m != NULL; m = m->next)
        count++;
    return count;
}

/* In the child of a pipeline: `in` and `out` become 0 and 1, `unused` is the reader's end of our own pipe. */
static _Noreturn void run_member(const struct node *node, int in, int out, int unused)
{
    if (unused >= 0)
        close(unused);
    move_fd(in, 0);
    move_fd(out, 1);
    run_and_exit(node);
}

/* Start all members; pids[] gets the started ones. Returns how many: fewer than there are when something ran out. */
static size_t start_members(const struct node *node, int *pids)
{
    size_t started = 0;
    int in = 0;

    for (const struct node *m = node->members; m != NULL; m = m->next) {
        int fds[2] = { -1, 1 };
        if (m->next != NULL && pipe(fds) < 0) {
            warn("pipe");
            break;
        }
        int pid = fork_member(started ? pids[0] : 0, true);
        if (pid == 0)
            run_member(m, in, fds[1], fds[0]);
        if (in != 0)
            close(in);
        if (fds[1] != 1)
            close(fds[1]);
        in = fds[0];
        if (pid < 0)
            break;
        pids[started++] = pid;
    }
    if (in > 0)
        close(in);
    return started;
}

static int run_pipeline(const struct node *node)
{
    size_t count = count_members(node);
    int status = 1;

    if (count == 1) {
        status = run_one(node->members);
    } else {
        int *pids = must_malloc(count * sizeof *pids);
        size_t started = start_members(node, pids);
        status = wait_foreground(pids, started);
        if (started < count)
            status = 1;
        free(pids);
    }
    return node->negated ? status == 0 : status;
}

static int run_and_or(const struct node *node)
{
    for (const struct node *m = node->members; m != NULL && flow == NORMAL; m = m->next) {
        if ((m->run_if == SUCCEEDED && last_status != 0) || (m->run_if == FAILED && last_status == 0))
            continue;
        last_status = run_pipeline(m);
    }
    return last_status;
}

static int run_list(const struct node *list)
{
    for (const struct node *m = list->members; m != NULL && flow == NORMAL && !interrupted(); m = m->next) {
        if (m->background)
            start_background(m);
        else
            run_and_or(m);
    }
    return last_status;
}

/* In a child made for this alone. A lone command replaces the child, which spares a fork. */
static _Noreturn void run_and_exit(const struct node *node)
{
    while ((node->kind == AND_OR || node->kind == PIPELINE) && node->members->next == NULL && !node->negated)
        node = node->members;
    switch (node->kind) {
    case AND_OR:   exit(run_and_or(node));
    case PIPELINE: exit(run_pipeline(node));
    case COMMAND:  exit(run_command(node, true));
    case SUBSHELL:
        if (redirect(node->redirects, NULL) < 0)
            exit(1);
        exit(run_list(node->body));
    default:       exit(run_one(node));
    }
}

/* ---- where commands come from ---- */

/* Is there more to do than to wait for one pipeline? */
static bool needs_guard(const struct node *list)
{
    const struct node *pipeline = list->members->members;

    if (list->members->next != NULL || pipeline->next != NULL)
        return true;
    const struct node *only = pipeline->members;
    return only->next == NULL && only->kind != COMMAND && only->kind != SUBSHELL && !list->members->background;
}

/* Run what is complete. True: more is needed, *text is where the unfinished command begins. */
static bool run_text(const char **text, bool is_all)
{
    while (**text != '\0') {
        const char *rest = *text;
        struct node *node;
        char *near;

        enum parse_result result = parse_command(&rest, &node, &near);
        if (result == INCOMPLETE && !is_all)
            free(near);
        if (result == INCOMPLETE && !is_all)
            return true;
        if (result != PARSED) {
            warnx("syntax error near '%s'", near);
            free(near);
            last_status = STATUS_SYNTAX;
            *text += strlen(*text);
            return false;
        }
        bury_jobs(false);
        if (node != NULL && needs_guard(node))
            start_guard();
        if (node != NULL)
            run_list(node);
        free_node(node);
        if (flow == INTERRUPTED) {
            *text += strlen(*text);
            return false;
        }
        *text = rest;
    }
    return false;
}

static int run_string(const char *text)
{
    run_text(&text, true);
    return last_status;
}

/* The file is read whole and closed first: commands do not inherit it. */
static int run_file(const char *path)
{
    struct string text = { 0 };
    char buffer[4096];
    long got = -1;

    int fd = open(path, O_RDONLY);
    if (fd >= 0) {
        while ((got = read(fd, buffer, sizeof buffer)) > 0)
            string_add(&text, buffer, (size_t)got);
        close(fd);
    }
    if (got < 0) {
        warn("%s", path);
        free(text.bytes);
        return STATUS_NOT_FOUND;
    }
    size_t length = text.length;
    char *all = string_take(&text);
    if (strlen(all) != length) {                /* a NUL: it is not text */
        warnx("%s: not a script", path);
        free(all);
        return STATUS_CANNOT_RUN;
    }
    int status = run_string(all);
    free(all);
    return status;
}

/* ---- completion ---- */

#define MEANS_SOMETHING " \t;&|()<>'\"\\$`*?[#"

/* A name as it is typed. */
static void add_escaped(struct string *word, const char *name)
{
    for (; *name != '\0'; name++) {
        if (strchr(MEANS_SOMETHING, *name) != NULL)
            string_add_char(word, '\\');
        string_add_char(word, *name);
    }
}

static void add_matches(const char *directory, const char *prefix, const char *shown, struct strings *words)
{
    struct strings names = { 0 };

    read_directory(directory, &names);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.item[i];
        if (strncmp(name, prefix, strlen(prefix)) != 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (*name == '.' && *prefix != '.')
            continue;
        struct string word = { 0 };
        char *path = join_path(directory, name);
        string_add(&word, shown, strlen(shown));
        add_escaped(&word, name);
        if (is_directory(path))
            string_add_char(&word, '/');
        free(path);
        strings_add(words, string_take(&word));
    }
    strings_free(&names);
}

/* Tab: commands where a command is expected, else files. */
static void complete(const char *text, size_t cursor, size_t *start, struct strings *words)
{
    size_t at = cursor, before;

    while (at > 0 && (strchr(" \t;&|()<>", text[at - 1]) == NULL || (at > 1 && text[at - 2] == '\\')))
        at--;
    *start = at;
    for (before = at; before > 0 && isspace(text[before - 1]); before--)
        ;
    bool is_command = before == 0 || strchr(";&|(", text[before - 1]) != NULL;

    struct string typed = { 0 };
    string_add(&typed, text + at, cursor - at);
    const char *last = base_name(typed.bytes);
    char *name = must_strdup(last);
    pattern_unescape(name);
    if (is_command && last == typed.bytes) {
        for (size_t i = 0; i < BUILTINS; i++)
            if (strncmp(builtins[i].name, name, strlen(name)) == 0)
                strings_add(words, must_strdup(builtins[i].name));
        add_matches(BIN, name, "", words);
        strings_sort(words, 0);
    } else {
        struct string shown = { 0 };
        string_add(&shown, typed.bytes, (size_t)(last - typed.bytes));
        char *directory = must_strdup(shown.length > 0 ? shown.bytes : ".");
        pattern_unescape(directory);
        add_matches(directory, name, shown.bytes, words);
        free(directory);
        free(shown.bytes);
    }
    free(name);
    free(typed.bytes);
}

static enum line_result read_line(struct editor *editor, bool continued, char **line)
{
    if (!interactive)
        return read_plain_line(line);
    bury_jobs(false);
    return edit_line(editor, continued ? "> " : "$ ", line);
}

/* Commands from descriptor 0 until it ends; lines are added up until they make a command. */
static int run_input(void)
{
    struct editor editor = { .complete = complete };
    struct string text = { 0 };
    enum line_result result;
    bool continued = false;
    char *line;

    while ((result = read_line(&editor, continued, &line)) != LINE_END && result != LINE_NO_TERMINAL) {
        if (result == LINE_CANCELLED) {
            text.length = 0;
            continued = false;
            last_status = 130;
            continue;
        }
        string_add(&text, line, strlen(line));
        string_add_char(&text, '\n');
        free(line);
        const char *rest = text.bytes;
        continued = run_text(&rest, false);
        stop_guard();
        flow = NORMAL;
        size_t left = strlen(rest);
        memmove(text.bytes, rest, left + 1);
        text.length = left;
    }
    if (text.length > 0) {
        const char *rest = text.bytes;
        run_text(&rest, true);
    }
    free(text.bytes);
    return last_status;
}

static void become_interactive(void)
{
    if (ttymode(0, TTY_COOKED) < 0)
        return;
    tcsetpgrp(0, 0);
    setpgid(0, 0);
    interactive = true;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "-c") == 0) {
        if (argc == 2)
            usage("[-c commands | file] [argument...]");
        if (argc > 3)
            script_name = argv[3];
        set_parameters(argv + 4, argc > 4 ? argc - 4 : 0);
        return run_string(argv[2]);
    }
    if (argc > 1 && argv[1][0] == '-')
        usage("[-c commands | file] [argument...]");
    if (argc > 1) {
        script_name = argv[1];
        set_parameters(argv + 2, argc - 2);
        return run_file(argv[1]);
    }
    become_interactive();
    return run_input();
}
