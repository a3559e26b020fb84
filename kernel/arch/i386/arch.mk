# arch.mk -- facts about this machine: compiler, flags, emulator, and the files that only it has.
# MEM is what the kernel can use: see MEMORY_LIMIT in machine.h.
ifeq ($(origin CROSS),undefined)         # the first of these compilers that is installed
CROSS := $(firstword $(foreach p,linux-gnu elf,$(if $(shell command -v i686-$(p)-gcc),i686-$(p)-)) i686-linux-gnu-)
endif
QEMU       ?= qemu-system-i386
CPUS       ?= 1
MEM        ?= 112M
ARCH_FLAGS := -m32 -march=i686 -mgeneral-regs-only -fno-asynchronous-unwind-tables -fcf-protection=none
ARCH_LINK  := -m32 -Wl,-m,elf_i386
USER_FLAGS := -m32 -march=i686 -fno-asynchronous-unwind-tables -fcf-protection=none
USER_BASE  := 0x08000000

KERNEL += kernel/arch/i386/entry.S       # power-on
KERNEL += kernel/arch/i386/gdt.c         # segments, and a descriptor for each task
KERNEL += kernel/arch/i386/idt.c         # which vectors there are, and who may use them
KERNEL += kernel/arch/i386/tss.c         # what the processor keeps of a task; task switches
KERNEL += kernel/arch/i386/isr.S         # into the kernel and back
KERNEL += kernel/arch/i386/interrupt.c   # trap decoding, PIC
KERNEL += kernel/arch/i386/usercopy.S    # loads and stores that may fault
KERNEL += kernel/arch/i386/arch.c        # page tables, kernel mapping, registers of a task
KERNEL += kernel/arch/i386/platform.c    # what the boot loader says; PIT, time, power
KERNEL += kernel/arch/i386/fp.c          # floating point of user programs
KERNEL += kernel/dev/ide.c               # its disk
