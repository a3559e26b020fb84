# symbols.awk -- turns `nm -n kernel` into the kernel's own symbol table (sys/panic.c): text symbols in ascending order,
# with pointers to their names. A word is as wide as nm's addresses: .quad for 16 digits, .long for 8.
BEGIN { n = 0 }
$2 ~ /^[tT]$/ && $3 !~ /^(\.|\$)/ { address[n] = $1; name[n] = $3; n++ }
END {
    word = n > 0 && length(address[0]) == 8 ? ".long" : ".quad"
    print "    .section .note.GNU-stack, \"\", %progbits"
    print "    .section .symbols, \"a\"\n    .global kernel_symbols, kernel_symbols_count\n    .balign 8"
    print "kernel_symbols_count:\n    " word " " n + 0
    print "kernel_symbols:"
    for (i = 0; i < n; i++)
        printf "    %s 0x%s, name%d\n", word, address[i], i
    for (i = 0; i < n; i++)
        printf "name%d: .asciz \"%s\"\n", i, name[i]
}
