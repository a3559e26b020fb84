/* demo.h -- kernel tasks chosen by demo= on the kernel's command line. */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include "lib/types.h"

/* demo_start -- start the demo named on the command line; false: none is named. */
bool demo_start(void);

void demo_tasks(void *unused);          /* tasks.c: A, B, C of the course handout */
void demo_panic(void *unused);          /* crash.c: how a kernel bug is reported */
void demo_fault(void *unused);          /* crash.c: a bad access in the kernel */
void demo_writetext(void *unused);
void demo_rundata(void *unused);
void demo_doublefree(void *unused);
void demo_usefreed(void *unused);
void demo_overflow(void *unused);       /* crash.c: how a kernel stack overflow is */
void demo_check(void *unused);          /* of a lab, when the grader links one with the kernel */
void demo_selftest(void *unused);       /* selftest.c: kernel self-tests; ends the machine with their verdict */

#endif
