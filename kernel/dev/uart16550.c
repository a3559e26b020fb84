/*
 * uart16550.c -- driver of the 16550 serial port.
 *
 * How:      the transmitter has a FIFO of 16 bytes. When the line status says "holding register empty" the whole FIFO
 *           is free, so the (slow) status register is read once for 16 bytes. QEMU nearly always is ready at once;
 *           when it is not, the rest waits for the interrupt.
 * Owns:     the port's registers.
 * Locks:    none of its own: see uart16550.h.
 * Not here: lines, echo, the output ring (console.c).
 */
#include "dev/uart16550.h"
#include "arch/arch.h"

enum {                                  /* registers */
    DATA = 0,                           /* read: received byte; write: byte to send */
    INT_ENABLE = 1,
    INT_ID = 2,                         /* read: cause of the interrupt, the first of them; reading clears "transmitter empty" */
    FIFO_CONTROL = 2,                   /* write */
    LINE_CONTROL = 3,
    MODEM_CONTROL = 4,
    LINE_STATUS = 5,
};

#define INT_RECEIVE       0x01
#define INT_TRANSMIT      0x02
#define INT_NONE          0x01          /* in INT_ID: there is no cause */
#define FIFO_ON_AND_CLEAR 0x07          /* one received byte is enough for an interrupt */
#define LINE_8_BITS       0x03          /* no parity, one stop bit */
#define MODEM_READY       0x0b          /* DTR, RTS, and OUT2, which on a PC lets interrupts through */
#define STATUS_RECEIVED   0x01
#define STATUS_EMPTY      0x20          /* the transmit FIFO is empty */

#define TRANSMIT_FIFO 16
#define PATIENCE      10000000          /* polls for one burst before a panic message gives up on it */

static uint8_t int_enable;              /* what INT_ENABLE holds; a register read costs more than a variable */
static void  (*received)(const uint8_t *bytes, size_t nbytes);
static void  (*room)(void);

static uintptr_t address(unsigned reg) { return machine.uart.base + ((uintptr_t)reg << machine.uart.shift); }
static uint8_t get(unsigned reg) { return io_read8(address(reg)); }
static void put(unsigned reg, uint8_t value) { io_write8(address(reg), value); }

bool uart_init(void)
{
    if (machine.uart.base == 0)
        return false;
    put(INT_ENABLE, 0);
    put(LINE_CONTROL, LINE_8_BITS);   /* the speed stays as the firmware set it */
    put(FIFO_CONTROL, FIFO_ON_AND_CLEAR);
    put(MODEM_CONTROL, MODEM_READY);
    return true;
}

size_t uart_send(const char *bytes, size_t nbytes)
{
    size_t sent = 0;

    while (sent < nbytes && (get(LINE_STATUS) & STATUS_EMPTY))
        for (size_t end = MIN(nbytes, sent + TRANSMIT_FIFO); sent < end; sent++)
            put(DATA, (uint8_t)bytes[sent]);
    return sent;
}

void uart_send_polled(const char *bytes, size_t nbytes)
{
    for (unsigned polls = 0; nbytes > 0 && polls < PATIENCE; polls++) {
        size_t sent = uart_send(bytes, nbytes);
        if (sent > 0)
            polls = 0;
        bytes += sent;
        nbytes -= sent;
    }
}

void uart_notify(bool wanted)
{
    uint8_t enable = wanted ? int_enable | INT_TRANSMIT : int_enable & ~INT_TRANSMIT;

    if (enable != int_enable)
        put(INT_ENABLE, int_enable = enable);
}

static void receive_all(void)
{
    uint8_t bytes[32];
    size_t count;

    do {
        for (count = 0; count < sizeof(bytes) && (get(LINE_STATUS) & STATUS_RECEIVED); count++)
            bytes[count] = get(DATA);
        if (count > 0)
            received(bytes, count);
    } while (count == sizeof(bytes));
}

/* Until no cause is left: a PC's interrupt controller hears only a line that rises, and ours stays up while there is one. */
static void uart_interrupt(void *unused)
{
    (void)unused;
    while ((get(INT_ID) & INT_NONE) == 0) {
        receive_all();
        if (int_enable & INT_TRANSMIT)
            room();
    }
}

void uart_start(void (*receive_bytes)(const uint8_t *, size_t), void (*transmitter_room)(void))
{
    received = receive_bytes;
    room = transmitter_room;
    irq_register(machine.uart.irq, uart_interrupt, NULL);
    int_enable |= INT_RECEIVE;
    put(INT_ENABLE, int_enable);
}
