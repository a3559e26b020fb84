/* setjmp.h -- jump back to a caller that is still active. */
#ifndef TAMAL_SETJMP_H
#define TAMAL_SETJMP_H

typedef struct {
    unsigned long word[32];                     /* every machine's saved registers fit: see setjmp.S */
} jmp_buf[1];

int setjmp(jmp_buf where) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf where, int value);

#endif
