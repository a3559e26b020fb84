# usercopy.S -- loads and stores that may touch user memory. Each returns 0, or not 0 when a fault could not be resolved.
# Such a fault inside [user_access_start, user_access_stop) resumes at user_access_failed with every register as it was.
# In between the stack is always the same: esi and edi are saved. mm/usercopy.c is the only caller.

    .section .text.hot, "ax"
    .global user_access_start, user_access_stop, user_access_failed
    .global arch_copy_user, arch_clear_user, arch_copy_user_string, arch_touch_user

# size_t arch_copy_user(void *dst, const void *src, size_t nbytes)
arch_copy_user:
    pushl   %esi
    pushl   %edi
    movl    12(%esp), %edi
    movl    16(%esp), %esi
    movl    20(%esp), %edx
    jmp     copy_bytes

# size_t arch_clear_user(void *dst, size_t nbytes)
arch_clear_user:
    pushl   %esi
    pushl   %edi
    movl    12(%esp), %edi
    movl    16(%esp), %edx
    jmp     clear_bytes

# size_t arch_copy_user_string(char *dst, const char *src, size_t max): the length without the NUL, max when there is none
arch_copy_user_string:
    pushl   %esi
    pushl   %edi
    movl    12(%esp), %edi
    movl    16(%esp), %esi
    xorl    %edx, %edx
    jmp     copy_string_bytes

# size_t arch_touch_user(void *start, size_t nbytes, bool write): one access to each page that changes nothing
arch_touch_user:
    pushl   %esi
    pushl   %edi
    movl    12(%esp), %edi
    movl    16(%esp), %edx
    addl    %edi, %edx
    andl    $-4096, %edi
    movl    20(%esp), %esi
    jmp     touch_pages

access_done:
    xorl    %eax, %eax
access_return:
    popl    %edi
    popl    %esi
    ret

user_access_failed:
    movl    $-1, %eax
    jmp     access_return

user_access_start:
copy_bytes:
    movl    %edx, %ecx
    shrl    $2, %ecx
    rep movsl
    movl    %edx, %ecx
    andl    $3, %ecx
    rep movsb
    jmp     access_done

clear_bytes:
    xorl    %eax, %eax
    movl    %edx, %ecx
    shrl    $2, %ecx
    rep stosl
    movl    %edx, %ecx
    andl    $3, %ecx
    rep stosb
    jmp     access_done

copy_string_bytes:
1:  cmpl    20(%esp), %edx
    jae     2f
    movb    (%esi,%edx), %al
    movb    %al, (%edi,%edx)
    testb   %al, %al
    jz      2f
    incl    %edx
    jmp     1b
2:  movl    %edx, %eax
    jmp     access_return

touch_pages:
3:  cmpl    %edx, %edi
    jae     access_done
    testl   %esi, %esi
    jz      4f
    lock orl $0, (%edi)                 # needs the right to write, also where it is copy on write
    jmp     5f
4:  movl    (%edi), %eax
5:  addl    $4096, %edi
    jmp     3b
user_access_stop:

    .section .note.GNU-stack, "", %progbits
