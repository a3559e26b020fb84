/*
 * console.c -- the terminal: output ring, line discipline, foreground group.
 *
 * Output:   printk's messages and users' lines go whole into a ring, the ring goes to the serial port: at once as long
 *           as the port takes bytes, from its interrupt otherwise. A user who finds the ring full sleeps; printk, which
 *           may run anywhere, polls. One user write() at a time has the turn, so writes never mix. A kernel message
 *           always begins at the left margin, even when a user's line is not finished.
 * Input:    the interrupt edits the line being typed; a finished line goes to the queue of what may be read. In raw
 *           mode every byte goes there at once.
 * Locks:    output.lock   ring and transmitter; always the last lock.
 *           turn.lock     whose turn it is to write, who waits for room.   Both lower ones are never held together.
 *           input.lock    everything about input, and the terminal's mode and group.
 * Not here: the port's registers (uart16550.c), history and cursor keys (the shell does them in raw mode).
 */
#include "dev/console.h"
#include "abi/fcntl.h"
#include "arch/arch.h"
#include "dev/uart16550.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "sched/sched.h"
#include "sched/spinlock.h"

#define CTRL(letter) ((letter) - '@')
#define BELL      '\a'
#define BACKSPACE '\b'
#define DELETE    0x7f

#define RING_SIZE   4096u               /* power of two */
#define LINE_PIECE  512u                /* longer lines enter the ring in pieces */
#define TYPED_MAX   1024u               /* the line being typed */
#define QUEUE_SIZE  4096u               /* power of two: bytes waiting to be read */
#define END_OF_FILE 0x100u              /* in the queue: Ctrl-D; not a byte */
#define PREEMPT_EVERY 256u              /* bytes of a long write between chances for others: about 0.3 ms */

static struct {
    struct spinlock lock;
    uint32_t head, tail;                /* free running: head - tail bytes are in the ring */
    bool     mid_line;                  /* the last byte that went in was not a newline */
    bool     present;                   /* there is a port */
    volatile bool panicking;
    char     ring[RING_SIZE];
} output = { .lock = SPINLOCK_INIT("console output", RANK_CONSOLE) };

static struct {
    struct spinlock lock;
    bool busy;                          /* somebody has the turn; also what others wait on */
    bool wants_room;                    /* who has the turn waits for the transmitter */
    char buffer[PAGE_SIZE];             /* belongs to who has the turn */
} turn = { .lock = SPINLOCK_INIT("console turn", RANK_CONSOLE_IN) };

static struct {
    struct spinlock lock;
    int      mode, group;
    uint32_t typed;                     /* bytes of the unfinished line */
    uint32_t head, tail;                /* of the queue, free running */
    void   (*interrupt_hook)(int group);
    void   (*debug_hook)(void);
    uint8_t  line[TYPED_MAX];
    uint16_t queue[QUEUE_SIZE];         /* bytes and END_OF_FILE */
} input = { .lock = SPINLOCK_INIT("console input", RANK_CONSOLE_IN), .mode = TTY_COOKED };

/* ---- The output ring; output.lock is held. */

static uint32_t ring_room(void) { return RING_SIZE - (output.head - output.tail); }

static void ring_put(char c) { output.ring[output.head++ % RING_SIZE] = c; }

/* As much of the ring as the port takes; the port's interrupt goes on with the rest. */
static void transmit(void)
{
    while (output.tail != output.head) {
        uint32_t at = output.tail % RING_SIZE;
        uint32_t nbytes = MIN(output.head - output.tail, RING_SIZE - at);
        uint32_t sent = (uint32_t)uart_send(output.ring + at, nbytes);
        output.tail += sent;
        if (sent < nbytes)
            break;
    }
    if (output.tail != output.head)
        uart_notify(true);              /* only the interrupt itself says false: a sleeping writer counts on it */
}

/* All of the text, or nothing when it does not fit. A newline becomes "\r\n": terminals in raw mode need both. */
static bool put_text(const char *text, size_t nbytes)
{
    size_t needed = nbytes;

    for (size_t i = 0; i < nbytes; i++)
        needed += text[i] == '\n';
    if (needed > ring_room())
        transmit();
    if (needed > ring_room())
        return false;
    for (size_t i = 0; i < nbytes; i++) {
        if (text[i] == '\n')
            ring_put('\r');
        ring_put(text[i]);
    }
    if (nbytes > 0)
        output.mid_line = text[nbytes - 1] != '\n';
    transmit();
    return true;
}

/* put_text that polls until it fits: for printk. */
static void put_text_polled(const char *text, size_t nbytes)
{
    while (!put_text(text, nbytes))
        cpu_relax();
}

/* printk's output: whole messages, from any context. */
static void write_kernel_message(const char *text, size_t nbytes)
{
    if (!output.present)
        return;
    if (output.panicking) {
        for (size_t i = 0; i < nbytes; i++)
            uart_send_polled(text[i] == '\n' ? "\r\n" : text + i, text[i] == '\n' ? 2 : 1);
        return;
    }
    acquire(&output.lock);
    if (output.mid_line)
        put_text_polled("\n", 1);
    for (size_t piece; nbytes > 0; text += piece, nbytes -= piece) {
        piece = MIN(nbytes, LINE_PIECE);
        put_text_polled(text, piece);
    }
    output.mid_line = false;            /* a kernel message without newline may be continued by the next */
    release(&output.lock);
}

void console_panic_mode(void)
{
    bool was_present = output.present;

    if (output.panicking)
        return;
    output.present = was_present || uart_init();
    output.panicking = true;
    if (output.head - output.tail <= RING_SIZE)         /* the holder of the lock was stopped anywhere: be careful */
        for (; output.tail != output.head; output.tail++)
            uart_send_polled(&output.ring[output.tail % RING_SIZE], 1);
    if (output.mid_line)
        uart_send_polled("\r\n", 2);
    if (!was_present)
        printk_set_output(write_kernel_message);
}

/* The port's interrupt: it takes bytes again. */
static void transmitter_ready(void)
{
    acquire(&output.lock);
    transmit();
    uart_notify(output.tail != output.head);
    bool room = ring_room() >= RING_SIZE / 2;
    release(&output.lock);
    if (!room)
        return;
    acquire(&turn.lock);
    if (turn.wants_room) {
        turn.wants_room = false;
        wakeup(&turn.wants_room);
    }
    release(&turn.lock);
}

/* ---- Writing from user memory. */

HOT static int take_turn(void)
{
    int err = 0;

    acquire(&turn.lock);
    while (turn.busy && err == 0)
        err = suspend(&turn.busy, &turn.lock, WAIT_KILLABLE);
    if (err == 0)
        turn.busy = true;
    release(&turn.lock);
    return err;
}

HOT static void give_turn(void)
{
    acquire(&turn.lock);
    turn.busy = false;
    wakeup(&turn.busy);
    release(&turn.lock);
}

static bool try_put_text(const char *text, size_t nbytes)
{
    acquire(&output.lock);
    bool done = put_text(text, nbytes);
    release(&output.lock);
    return done;
}

/* One piece of a line, sleeping while the ring is full. The transmitter's interrupt needs turn.lock to wake us, so it
 * cannot come between the look and the sleep. */
static int write_piece(const char *text, size_t nbytes)
{
    int err = 0;

    if (try_put_text(text, nbytes))
        return 0;
    acquire(&turn.lock);
    while (err == 0 && !try_put_text(text, nbytes)) {
        turn.wants_room = true;
        err = suspend(&turn.wants_room, &turn.lock, WAIT_KILLABLE);
    }
    turn.wants_room = false;
    release(&turn.lock);
    return err;
}

/* Bytes up to and with the first newline, at most LINE_PIECE. */
static size_t line_length(const char *text, size_t nbytes)
{
    size_t most = MIN(nbytes, LINE_PIECE), length = 0;

    while (length < most)
        if (text[length++] == '\n')
            break;
    return length;
}

/* turn.buffer goes out line by line. Returns what was written; less than nbytes: we were killed. */
static size_t write_buffer(size_t nbytes)
{
    size_t done = 0, since_preempt = 0;

    while (done < nbytes && !current()->killed) {
        size_t length = line_length(turn.buffer + done, nbytes - done);
        if (write_piece(turn.buffer + done, length) < 0)
            break;
        done += length;
        since_preempt += length;
        if (since_preempt >= PREEMPT_EVERY) {
            preempt_point();
            since_preempt = 0;
        }
    }
    return done;
}

long console_write(vaddr_t src, size_t nbytes)
{
    size_t done = 0;
    long err = take_turn();

    if (err < 0)
        return err;
    while (done < nbytes && err == 0) {
        size_t piece = MIN(nbytes - done, sizeof(turn.buffer));
        err = copy_from_user(turn.buffer, va_add(src, done), piece);
        if (err < 0)
            break;
        size_t written = output.present ? write_buffer(piece) : piece;
        done += written;
        if (written < piece)
            err = -EINTR;
    }
    give_turn();
    return done > 0 ? (long)done : err;
}

/* ---- The input queue; input.lock is held from here to the readers. */

static uint32_t queued(void) { return input.head - input.tail; }

static bool queue_put(uint16_t entry)
{
    if (queued() == QUEUE_SIZE)
        return false;
    input.queue[input.head++ % QUEUE_SIZE] = entry;
    return true;
}

static void echo(const char *text, size_t nbytes)
{
    if (output.present)
        (void)try_put_text(text, nbytes);       /* a full ring: the screen misses it, the reader does not */
}

static void echo_byte(char c) { echo(&c, 1); }

/* ---- Editing the line being typed. */

static bool is_continuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }     /* of a UTF-8 character */

/* Drops the last character, which may be several bytes; says how many columns it had. */
static unsigned drop_character(void)
{
    while (input.typed > 1 && is_continuation(input.line[input.typed - 1]))
        input.typed--;
    return input.line[--input.typed] < ' ' ? 2 : 1;     /* control characters are shown as ^X */
}

static void erase_character(bool echoing)
{
    if (input.typed == 0)
        return;
    for (unsigned columns = drop_character(); echoing && columns > 0; columns--)
        echo("\b \b", 3);
}

static void erase_line(bool echoing)
{
    while (input.typed > 0)
        erase_character(echoing);
}

static bool ends_in_blank(void)
{
    return input.typed > 0 && (input.line[input.typed - 1] == ' ' || input.line[input.typed - 1] == '\t');
}

static void erase_word(bool echoing)
{
    while (ends_in_blank())
        erase_character(echoing);
    while (input.typed > 0 && !ends_in_blank())
        erase_character(echoing);
}

/* The typed line and the mark that ends it become readable. Room was kept for all but the mark. */
static void finish_line(uint16_t mark, bool echoing)
{
    if (queued() + input.typed >= QUEUE_SIZE) {
        echo_byte(BELL);
        return;
    }
    for (uint32_t i = 0; i < input.typed; i++)
        queue_put(input.line[i]);
    queue_put(mark);
    input.typed = 0;
    if (echoing && mark == '\n')
        echo_byte('\n');
    wakeup(&input.queue);
}

static void add_character(uint8_t c, bool echoing)
{
    const char shown[2] = { '^', (char)(c ^ 0x40) };

    if (input.typed == TYPED_MAX - 1 || queued() + input.typed + 1 >= QUEUE_SIZE) {
        echo_byte(BELL);
        return;
    }
    input.line[input.typed++] = c;
    if (!echoing)
        return;
    if (c < ' ')
        echo(shown, 2);
    else
        echo_byte((char)c);
}

enum request { REQUEST_NONE, REQUEST_INTERRUPT, REQUEST_DEBUG };        /* hooks are called without the lock */

static enum request edit(uint8_t c, bool echoing)
{
    switch (c) {
    case CTRL('C'):
        input.typed = 0;
        if (echoing)
            echo("^C\n", 3);
        return REQUEST_INTERRUPT;
    case CTRL('P'):
        return REQUEST_DEBUG;
    case CTRL('D'):
        finish_line(END_OF_FILE, echoing);
        break;
    case CTRL('U'):
        erase_line(echoing);
        break;
    case CTRL('W'):
        erase_word(echoing);
        break;
    case BACKSPACE:
    case DELETE:
        erase_character(echoing);
        break;
    case '\r':
    case '\n':
        finish_line('\n', echoing);
        break;
    default:
        add_character(c, echoing);
    }
    return REQUEST_NONE;
}

/* ---- Bytes from the port. */

static enum request accept(uint8_t c)
{
    if (input.mode == TTY_COOKED)
        return edit(c, true);
    if (queue_put(c))
        wakeup(&input.queue);
    return REQUEST_NONE;
}

/* Called with input.lock held, returns without it. */
static void release_and_serve(enum request request)
{
    int group = input.group;

    release(&input.lock);
    if (request == REQUEST_INTERRUPT && input.interrupt_hook != NULL && group != 0)
        input.interrupt_hook(group);
    if (request == REQUEST_DEBUG && input.debug_hook != NULL)
        input.debug_hook();
}

static void console_input(const uint8_t *bytes, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++) {
        acquire(&input.lock);
        release_and_serve(accept(bytes[i]));
    }
}

/* ---- Readers. */

/* Takes what one read may have now, at most `max` bytes. *ended: the read is complete, even with no byte. */
static size_t take_input(uint8_t *bytes, size_t max, bool *ended)
{
    size_t count = 0;

    while (count < max && queued() > 0 && !*ended) {
        uint16_t entry = input.queue[input.tail++ % QUEUE_SIZE];
        if (entry == END_OF_FILE && input.mode == TTY_COOKED) {
            *ended = true;
            break;
        }
        bytes[count++] = entry == END_OF_FILE ? CTRL('D') : (uint8_t)entry;
        *ended = entry == '\n' && input.mode == TTY_COOKED;
    }
    return count;
}

/* Ctrl-D after part of a line only flushes it: a reader who got that part exactly must not see end of file next. */
static void swallow_flush_mark(uint8_t last)
{
    if (input.mode == TTY_COOKED && last != '\n' && queued() > 0 && input.queue[input.tail % QUEUE_SIZE] == END_OF_FILE)
        input.tail++;
}

long console_read(vaddr_t dst, size_t nbytes)
{
    uint8_t piece[64];
    size_t done = 0;
    bool ended = nbytes == 0;

    while (!ended) {
        int err = 0;
        acquire(&input.lock);
        while (queued() == 0 && done == 0 && err == 0)
            err = suspend(&input.queue, &input.lock, WAIT_KILLABLE);
        size_t count = err < 0 ? 0 : take_input(piece, MIN(nbytes - done, sizeof(piece)), &ended);
        if (count > 0 && done + count == nbytes)
            swallow_flush_mark(piece[count - 1]);
        ended = ended || queued() == 0 || done + count == nbytes;
        release(&input.lock);
        if (err < 0)
            return err;
        if (count > 0 && copy_to_user(va_add(dst, done), piece, count) < 0)
            return done > 0 ? (long)done : -EFAULT;
        done += count;
    }
    return (long)done;
}

/* ---- Mode, group, hooks. */

/* Raw -> cooked: what waits was typed as bytes; it becomes lines. It was not echoed then and is not now; a Ctrl-C among
 * it only drops its line, for it was not meant for the program that gets the terminal now. */
static void recook(void)
{
    for (uint32_t left = queued(); left > 0; left--) {
        uint16_t entry = input.queue[input.tail++ % QUEUE_SIZE];
        (void)edit(entry == END_OF_FILE ? CTRL('D') : (uint8_t)entry, false);
    }
}

/* Cooked -> raw: the unfinished line can be read at once. */
static void uncook(void)
{
    for (uint32_t i = 0; i < input.typed; i++)
        (void)queue_put(input.line[i]);         /* add_character() kept the room */
    input.typed = 0;
    if (queued() > 0)
        wakeup(&input.queue);
}

int console_set_mode(int mode)
{
    if (mode != TTY_COOKED && mode != TTY_RAW)
        return -EINVAL;
    acquire(&input.lock);
    int old = input.mode;
    input.mode = mode;
    if (old == TTY_RAW && mode == TTY_COOKED)
        recook();
    if (old == TTY_COOKED && mode == TTY_RAW)
        uncook();
    release(&input.lock);
    return old;
}

void console_set_group(int group)
{
    acquire(&input.lock);
    input.group = group;
    release(&input.lock);
}

void console_set_interrupt_hook(void (*kill_group)(int group)) { input.interrupt_hook = kill_group; }

void console_set_debug_hook(void (*list_tasks)(void)) { input.debug_hook = list_tasks; }

void console_init(void)
{
    output.present = uart_init();
    if (!output.present)
        return;
    printk_set_output(write_kernel_message);
    uart_start(console_input, transmitter_ready);
}
