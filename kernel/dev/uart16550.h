/* uart16550.h -- the serial port below the console. It has no lock: the console's output lock guards the transmitter,
 * and the interrupt controller sees to it that only one CPU at a time runs the receiver. */
#ifndef DEV_UART16550_H
#define DEV_UART16550_H

#include "lib/types.h"

/* uart_init -- set the port up, polled. False: the machine lists none.
 * uart_start -- interrupts on, from here on
 *   receive(bytes, n)  gets what has come,
 *   room()             is called after uart_notify(true), once the transmitter takes bytes again.
 * Both run in an interrupt, no lock held. */
MUST_CHECK bool uart_init(void);
void   uart_start(void (*receive)(const uint8_t *bytes, size_t nbytes), void (*room)(void));

/* uart_send -- as many bytes as the transmitter takes without waiting; returns how many.
 * uart_send_polled -- all of them, waiting as long as the port makes progress. For panic.
 * uart_notify -- want room() calls, or not. All under the console's output lock, or in a panic. */
size_t uart_send(const char *bytes, size_t nbytes);
void   uart_send_polled(const char *bytes, size_t nbytes);
void   uart_notify(bool wanted);

#endif
