# symbols.awk -- turns `nm -n kernel` into the kernel's own symbol table (sys/panic.c): text symbols in ascending order,
# with pointers to their names; the last entry marks the end of the text.
$2 ~ /^[tT]$/ && $3 !~ /^(\.|\$)/ { address[n] = $1; name[n] = $3; n++ }
END {
    print "    .section .symbols, \"a\"\n    .global kernel_symbols, kernel_symbols_count\n    .balign 8"
    print "kernel_symbols_count:\n    .quad " n + 0
    print "kernel_symbols:"
    for (i = 0; i < n; i++)
        printf "    .quad 0x%s, name%d\n", address[i], i
    for (i = 0; i < n; i++)
        printf "name%d: .asciz \"%s\"\n", i, name[i]
}
