# usercopy.S -- loads and stores that may touch user memory. Each returns the number of bytes it could not do.
# A fault inside [user_access_start, user_access_stop) that cannot be resolved resumes at user_access_failed with
# every register as it was: a0..a2 then tell how much is left. mm/usercopy.c is the only caller.

    .section .text.hot, "ax"
    .global user_access_start, user_access_stop, user_access_failed
    .global arch_copy_user, arch_clear_user, arch_copy_user_string, arch_touch_user

user_access_start:

# size_t arch_copy_user(void *dst = a0, const void *src = a1, size_t nbytes = a2)
# a2 counts down as bytes are done, so at a fault it is an upper bound of what is left.
arch_copy_user:
    li      a3, 0
    xor     t0, a0, a1
    andi    t0, t0, 7
    bnez    t0, copy_bytes              # never on a common 8-byte boundary
1:  andi    t0, a0, 7                   # bytes up to the boundary
    beqz    t0, 2f
    beqz    a2, access_done
    lb      t1, 0(a1)
    sb      t1, 0(a0)
    addi    a0, a0, 1
    addi    a1, a1, 1
    addi    a2, a2, -1
    j       1b
2:  li      t6, 64
    bltu    a2, t6, 4f
3:  ld      t0, 0(a1)                   # 64 bytes a turn
    ld      t1, 8(a1)
    ld      t2, 16(a1)
    ld      t3, 24(a1)
    ld      a4, 32(a1)
    ld      a5, 40(a1)
    ld      a6, 48(a1)
    ld      a7, 56(a1)
    sd      t0, 0(a0)
    sd      t1, 8(a0)
    sd      t2, 16(a0)
    sd      t3, 24(a0)
    sd      a4, 32(a0)
    sd      a5, 40(a0)
    sd      a6, 48(a0)
    sd      a7, 56(a0)
    addi    a0, a0, 64
    addi    a1, a1, 64
    addi    a2, a2, -64
    bgeu    a2, t6, 3b
4:  li      t6, 8
    bltu    a2, t6, copy_bytes
5:  ld      t0, 0(a1)
    sd      t0, 0(a0)
    addi    a0, a0, 8
    addi    a1, a1, 8
    addi    a2, a2, -8
    bgeu    a2, t6, 5b
copy_bytes:
    beqz    a2, access_done
6:  lb      t0, 0(a1)
    sb      t0, 0(a0)
    addi    a0, a0, 1
    addi    a1, a1, 1
    addi    a2, a2, -1
    bnez    a2, 6b
access_done:
    li      a0, 0
    ret

# size_t arch_clear_user(void *dst = a0, size_t nbytes = a1)
arch_clear_user:
    li      a3, 0
    mv      a2, a1
    beqz    a2, access_done
7:  andi    t0, a0, 7
    bnez    t0, 8f
    li      t6, 8
    bltu    a2, t6, 8f
    sd      zero, 0(a0)
    addi    a0, a0, 8
    addi    a2, a2, -8
    bnez    a2, 7b
    j       access_done
8:  sb      zero, 0(a0)
    addi    a0, a0, 1
    addi    a2, a2, -1
    bnez    a2, 7b
    j       access_done

# size_t arch_copy_user_string(char *dst = a0, const char *src = a1, size_t max = a2)
# Copies up to and with the NUL. Returns the length without it, max when there is none, -1 on a fault.
arch_copy_user_string:
    mv      a3, a2
9:  beqz    a2, 10f
    lb      t0, 0(a1)
    sb      t0, 0(a0)
    beqz    t0, 10f
    addi    a0, a0, 1
    addi    a1, a1, 1
    addi    a2, a2, -1
    j       9b
10: sub     a0, a3, a2
    ret

# size_t arch_touch_user(void *start = a0, size_t nbytes = a1, bool write = a2)
# One access to each page of the range that changes nothing. 0, or not 0: one cannot be resolved.
arch_touch_user:
    add     a4, a0, a1
    li      t0, -4096
    and     a0, a0, t0
    mv      a5, a2
    li      a2, 1
    li      a3, 0
11: bgeu    a0, a4, access_done
    beqz    a5, 12f
    amoor.w zero, zero, (a0)            # needs the right to write, also where it is copy on write
    j       13f
12: lw      t1, 0(a0)
13: sub     a0, a0, t0
    j       11b

user_access_stop:

user_access_failed:                     # a2 > 0: bytes left; a3: 0, or in the string copy its max
    mv      a0, a2
    beqz    a3, 14f
    li      a0, -1
14: ret
