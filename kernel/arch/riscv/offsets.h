/* offsets.h -- where assembly finds the fields of struct context and struct trap_frame; arch.c asserts each. */
#ifndef RISCV_OFFSETS_H
#define RISCV_OFFSETS_H

#define CTX_RA      0
#define CTX_SP      8
#define CTX_S0      16
#define CTX_TP      112
#define CTX_FRAME   120
#define CTX_STACK   128
#define CTX_SCRATCH 136

#define CPUS_MAX  8     /* further harts are reported and left asleep */

#define TF_PC     0
#define TF_RA     8
#define TF_SP     16
#define TF_GP     24
#define TF_TP     32
#define TF_T0     40
#define TF_T1     48
#define TF_T2     56
#define TF_S0     64
#define TF_S1     72
#define TF_A0     80
#define TF_A7     136
#define TF_S2     144
#define TF_T3     224
#define TF_T6     248
#define TF_STATUS 256
#define TF_SIZE   272

#define STACK_SPARE 320         /* a kernel trap wants its frame and this much besides, or reports an overflow */

#endif
