/*
 * edit.c -- the line editor. The terminal is raw only while a line is being edited.
 *
 * The line stays on one row of the screen: when it is too long, a window of it is shown, moved so that the cursor is
 * in view. Only carriage return, "erase to the end of the row" and "cursor right" are asked of the terminal. Text is
 * UTF-8: a byte 10xxxxxx continues a character and has no column of its own. Bytes are read one by one, since what
 * is typed after Enter belongs to the program that is about to run.
 *
 *   keys  arrows, Home, End, Delete, Backspace, Tab, Ctrl-A B C D E F K L N P U W, Ctrl-arrows by words
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include "abi/fcntl.h"
#include "edit.h"
#include "library.h"

#define COLUMNS     80
#define LINE_MAX    16384
#define HISTORY_MAX 500

#define CTRL(letter) ((letter) & 0x1f)
#define ESCAPE 0x1b
#define RUBOUT 0x7f

enum key { KEY_UP = 0x100, KEY_DOWN, KEY_RIGHT, KEY_LEFT, KEY_HOME, KEY_END, KEY_DELETE, KEY_WORD_LEFT,
           KEY_WORD_RIGHT, KEY_UNKNOWN, KEY_GONE };

struct session {                                /* the editing of one line */
    struct editor *editor;
    const char    *prompt;
    struct string  text;
    size_t         cursor;                      /* byte offset into the text */
    size_t         window;                      /* first byte shown */
    size_t         history_at;                  /* == history.count: the new line */
    char          *new_line;                    /* kept while an old one is shown */
    bool           tab_before;                  /* the last key was Tab too */
};

/* ---- keys ---- */

static int read_byte(void)
{
    unsigned char c;
    return call_read(0, &c, 1) == 1 ? c : KEY_GONE;
}

/* What follows ESC '[': parameters, then a final byte. */
static int read_sequence(void)
{
    int numbers[2] = { 0, 0 }, which = 0, c;

    while ((c = read_byte()) != KEY_GONE && (isdigit(c) || c == ';')) {
        if (c == ';')
            which = 1;
        else if (numbers[which] < 1000)
            numbers[which] = numbers[which] * 10 + (c - '0');
    }
    switch (c) {
    case 'A': return KEY_UP;
    case 'B': return KEY_DOWN;
    case 'C': return numbers[1] == 5 ? KEY_WORD_RIGHT : KEY_RIGHT;
    case 'D': return numbers[1] == 5 ? KEY_WORD_LEFT : KEY_LEFT;
    case 'H': return KEY_HOME;
    case 'F': return KEY_END;
    case '~':
        switch (numbers[0]) {
        case 1: case 7: return KEY_HOME;
        case 4: case 8: return KEY_END;
        case 3: return KEY_DELETE;
        }
    }
    return c == KEY_GONE ? KEY_GONE : KEY_UNKNOWN;
}

static int read_key(void)
{
    int c = read_byte();

    if (c != ESCAPE)
        return c;
    c = read_byte();
    if (c == '[' || c == 'O')
        return read_sequence();
    return c == KEY_GONE ? KEY_GONE : KEY_UNKNOWN;
}

/* ---- the screen ---- */

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t columns(const char *text, size_t nbytes)
{
    size_t count = 0;
    for (size_t i = 0; i < nbytes; i++)
        count += !continues(text[i]);
    return count;
}

static size_t next_character(const struct session *s, size_t at)
{
    if (at < s->text.length)
        at++;
    while (at < s->text.length && continues(s->text.bytes[at]))
        at++;
    return at;
}

static size_t previous_character(const struct session *s, size_t at)
{
    if (at > 0)
        at--;
    while (at > 0 && continues(s->text.bytes[at]))
        at--;
    return at;
}

/* Draw the row anew. The last column stays empty: writing there would wrap on some terminals. */
static void redraw(struct session *s)
{
    struct string out = { 0 };
    size_t room = COLUMNS - 1 - columns(s->prompt, strlen(s->prompt));
    const char *text = s->text.bytes;
    char move[24];

    if (s->cursor < s->window)
        s->window = s->cursor;
    size_t before_cursor = columns(text + s->window, s->cursor - s->window);
    for (; before_cursor > room - 1; before_cursor--)
        s->window = next_character(s, s->window);
    size_t end = s->window;
    for (size_t shown = 0; shown < room && end < s->text.length; shown++)
        end = next_character(s, end);

    string_add_char(&out, '\r');
    string_add(&out, s->prompt, strlen(s->prompt));
    for (size_t i = s->window; i < end; i++)    /* a control character must not steer the terminal */
        string_add_char(&out, iscntrl(text[i]) ? '?' : text[i]);
    string_add(&out, "\x1b[K", 3);
    size_t column = COLUMNS - 1 - room + before_cursor;
    if (end > s->cursor) {
        int length = snprintf(move, sizeof move, column > 0 ? "\r\x1b[%zuC" : "\r", column);
        string_add(&out, move, (size_t)length);
    }
    write_all(1, out.bytes, out.length);
    free(out.bytes);
}

static void print(const char *text)
{
    write_all(1, text, strlen(text));
}

static void beep(void)
{
    print("\a");
}

/* ---- changing the text ---- */

static void insert(struct session *s, const char *bytes, size_t nbytes)
{
    bool at_end = s->cursor == s->text.length;

    if (s->text.length + nbytes > LINE_MAX) {
        beep();
        return;
    }
    string_add(&s->text, bytes, nbytes);        /* makes room; then everything behind the cursor moves up */
    memmove(s->text.bytes + s->cursor + nbytes, s->text.bytes + s->cursor, s->text.length - nbytes - s->cursor);
    memcpy(s->text.bytes + s->cursor, bytes, nbytes);
    s->cursor += nbytes;
    size_t used = columns(s->prompt, strlen(s->prompt)) + columns(s->text.bytes, s->text.length);
    if (at_end && used < COLUMNS - 1)
        write_all(1, bytes, nbytes);            /* the usual case costs one short write */
    else
        redraw(s);
}

static void erase(struct session *s, size_t from, size_t to)
{
    memmove(s->text.bytes + from, s->text.bytes + to, s->text.length - to + 1);
    s->text.length -= to - from;
    s->cursor = from;
    redraw(s);
}

static void replace_all(struct session *s, const char *text)
{
    s->text.length = 0;
    string_add(&s->text, text, strlen(text));
    s->cursor = s->text.length;
    s->window = 0;
    redraw(s);
}

static size_t word_left(const struct session *s)
{
    size_t at = s->cursor;

    while (at > 0 && isspace(s->text.bytes[at - 1]))
        at--;
    while (at > 0 && !isspace(s->text.bytes[at - 1]))
        at--;
    return at;
}

static size_t word_right(const struct session *s)
{
    size_t at = s->cursor;

    while (at < s->text.length && isspace(s->text.bytes[at]))
        at++;
    while (at < s->text.length && !isspace(s->text.bytes[at]))
        at++;
    return at;
}

static void move_to(struct session *s, size_t at)
{
    s->cursor = at;
    redraw(s);
}

/* ---- history and completion ---- */

static void show_history(struct session *s, bool older)
{
    struct strings *history = &s->editor->history;

    if (older ? s->history_at == 0 : s->history_at == history->count) {
        beep();
        return;
    }
    if (s->history_at == history->count) {
        free(s->new_line);
        s->new_line = must_strdup(s->text.bytes);
    }
    s->history_at = older ? s->history_at - 1 : s->history_at + 1;
    replace_all(s, s->history_at == history->count ? s->new_line : history->item[s->history_at]);
}

static void remember(struct editor *editor, const char *line)
{
    struct strings *history = &editor->history;

    if (line[strspn(line, " \t")] == '\0')
        return;
    if (history->count > 0 && strcmp(history->item[history->count - 1], line) == 0)
        return;
    if (history->count == HISTORY_MAX) {
        free(history->item[0]);
        memmove(history->item, history->item + 1, (HISTORY_MAX - 1) * sizeof *history->item);
        history->count--;
    }
    strings_add(history, must_strdup(line));
}

static size_t common_length(const struct strings *words)
{
    size_t length = strlen(words->item[0]);

    for (size_t i = 1; i < words->count; i++) {
        size_t same = 0;
        while (same < length && words->item[0][same] == words->item[i][same])
            same++;
        length = same;
    }
    return length;
}

/* From its last component on: what precedes that is the same for all. A directory's own '/' is part of its name. */
static const char *last_component(const char *word)
{
    const char *start = word;

    for (const char *p = word; *p != '\0'; p++)
        if (*p == '/' && p[1] != '\0')
            start = p + 1;
    return start;
}

static void list_candidates(const struct strings *words)
{
    size_t widest = 0, column = 0;
    struct string out = { 0 };

    for (size_t i = 0; i < words->count; i++) {
        size_t width = columns(last_component(words->item[i]), strlen(last_component(words->item[i])));
        widest = width > widest ? width : widest;
    }
    string_add_char(&out, '\n');
    for (size_t i = 0; i < words->count; i++) {
        if (column > 0 && column + widest >= COLUMNS) {
            string_add_char(&out, '\n');
            column = 0;
        }
        const char *name = last_component(words->item[i]);
        string_add(&out, name, strlen(name));
        size_t length = columns(name, strlen(name));
        for (; i + 1 < words->count && length < widest + 2; length++)
            string_add_char(&out, ' ');
        column += widest + 2;
    }
    string_add_char(&out, '\n');
    write_all(1, out.bytes, out.length);
    free(out.bytes);
}

static void complete(struct session *s)
{
    struct strings words = { 0 };
    size_t start = s->cursor;

    if (s->editor->complete == NULL)
        return;
    s->editor->complete(s->text.bytes, s->cursor, &start, &words);
    size_t typed = s->cursor - start;
    size_t known = words.count > 0 ? common_length(&words) : 0;
    if (known >= typed && known > 0 && strncmp(words.item[0], s->text.bytes + start, typed) != 0)
        known = 0;                              /* quoted in another way than ours: leave it */
    if (known > typed)
        insert(s, words.item[0] + typed, known - typed);
    if (words.count == 1 && known > 0 && known >= typed && words.item[0][known - 1] != '/') {
        insert(s, " ", 1);
    } else if (words.count > 1 && known <= typed && s->tab_before) {
        list_candidates(&words);
        redraw(s);
    } else if (known <= typed) {
        beep();
    }
    strings_free(&words);
}

/* ---- the loop ---- */

/* Keys that only change the line. */
static void handle_key(struct session *s, int key)
{
    char byte = (char)key;

    switch (key) {
    case KEY_LEFT: case CTRL('B'):  move_to(s, previous_character(s, s->cursor)); break;
    case KEY_RIGHT: case CTRL('F'): move_to(s, next_character(s, s->cursor)); break;
    case KEY_WORD_LEFT:             move_to(s, word_left(s)); break;
    case KEY_WORD_RIGHT:            move_to(s, word_right(s)); break;
    case KEY_HOME: case CTRL('A'):  move_to(s, 0); break;
    case KEY_END: case CTRL('E'):   move_to(s, s->text.length); break;
    case KEY_UP: case CTRL('P'):    show_history(s, true); break;
    case KEY_DOWN: case CTRL('N'):  show_history(s, false); break;
    case RUBOUT: case CTRL('H'):    erase(s, previous_character(s, s->cursor), s->cursor); break;
    case KEY_DELETE: case CTRL('D'): erase(s, s->cursor, next_character(s, s->cursor)); break;
    case CTRL('U'):                 erase(s, 0, s->cursor); break;
    case CTRL('K'):                 erase(s, s->cursor, s->text.length); break;
    case CTRL('W'):                 erase(s, word_left(s), s->cursor); break;
    case CTRL('L'):                 print("\x1b[H\x1b[2J"); redraw(s); break;
    case '\t':                      complete(s); break;
    default:
        if (key < 0x100 && !iscntrl(key))
            insert(s, &byte, 1);
    }
    s->tab_before = key == '\t';
}

static enum line_result edit(struct session *s)
{
    for (;;) {
        int key = read_key();
        if (key == KEY_GONE)
            return LINE_END;
        if (key == CTRL('D') && s->text.length == 0) {
            print("\n");
            return LINE_END;
        }
        if (key == CTRL('C')) {
            print("^C\n");
            return LINE_CANCELLED;
        }
        if (key == '\r' || key == '\n') {
            print("\n");
            return LINE_READ;
        }
        handle_key(s, key);
    }
}

enum line_result edit_line(struct editor *editor, const char *prompt, char **line)
{
    struct session s = { .editor = editor, .prompt = prompt, .history_at = editor->history.count };

    *line = NULL;
    if (call_ttymode(0, TTY_RAW) < 0)
        return LINE_NO_TERMINAL;
    string_add(&s.text, "", 0);
    print(prompt);
    enum line_result result = edit(&s);
    call_ttymode(0, TTY_COOKED);
    free(s.new_line);
    if (result == LINE_READ) {
        remember(editor, s.text.bytes);
        *line = s.text.bytes;
    } else {
        free(s.text.bytes);
    }
    return result;
}
