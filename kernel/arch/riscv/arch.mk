# arch.mk -- facts about this machine: compiler, flags, emulator, and the files that only it has.
ifeq ($(origin CROSS),undefined)         # the first of these compilers that is installed
CROSS := $(firstword $(foreach p,unknown-elf elf linux-gnu,$(if $(shell command -v riscv64-$(p)-gcc),riscv64-$(p)-)) riscv64-unknown-elf-)
endif
QEMU       ?= qemu-system-riscv64
ARCH_FLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany
ARCH_LINK  := -march=rv64imac -mabi=lp64
USER_FLAGS := -march=rv64gc -mabi=lp64d -mcmodel=medany
USER_BASE  := 0x100000000

KERNEL += kernel/arch/riscv/entry.S      # power-on, context switch, wfi
KERNEL += kernel/arch/riscv/trap.S       # into the kernel and back
KERNEL += kernel/arch/riscv/usercopy.S   # loads and stores that may fault
KERNEL += kernel/arch/riscv/arch.c       # page tables, kernel mapping, contexts
KERNEL += kernel/arch/riscv/platform.c   # what the device tree says
KERNEL += kernel/arch/riscv/sbi.c        # firmware calls: timer, IPI, fences, harts, power
KERNEL += kernel/arch/riscv/interrupt.c  # trap decoding, PLIC
KERNEL += kernel/arch/riscv/fp.c         # floating point of user programs
KERNEL += kernel/dev/virtio_blk.c          # its disk
