# Tamal. `make help` lists what can be done; README.md tells the rest.
# Everything that is made goes under build/; facts about a machine are in kernel/arch/$(ARCH)/arch.mk.

TEST_ARCH := $(if $(ARCH),$(ARCH),riscv i386)    # `make test` runs both machines, unless one was asked for
# A lab's tree has only one machine.
MACHINES := $(patsubst kernel/arch/%/arch.mk,%,$(wildcard kernel/arch/*/arch.mk))
ARCH ?= $(firstword $(filter riscv,$(MACHINES)) $(MACHINES))
APPEND ?=
SEED ?=
DEBUG ?=
V ?=
PROGRAMS ?=
PROG ?=

# An object knows how it was compiled: other options, another folder.
FLAVOUR := $(ARCH)$(if $(DEBUG),-debug)
BUILD   := build/$(FLAVOUR)
HOST    := build/host
KERNEL_ELF := $(BUILD)/kernel.elf
IMAGE   := $(BUILD)/fs.img
DISK    ?= $(IMAGE)
IMAGE_SIZE ?= 32M
Q       := $(if $(V),,@)
SAY     := $(if $(V),@:,@echo)

ifneq ($(words $(CURDIR)),1)
$(error The path "$(CURDIR)" contains a space, which make cannot handle: please move the folder)
endif
ifeq ($(filter $(MACHINES),$(ARCH)),)
$(error ARCH=$(ARCH) is not known here: use $(MACHINES))
endif

include kernel/arch/$(ARCH)/arch.mk
CPUS ?= 4
MEM ?= 128M

# ---- What the kernel is made of, floor by floor (a file uses its own floor and those below).
KERNEL += kernel/lib/string.c kernel/lib/printk.c kernel/lib/fdt.c
KERNEL += kernel/sched/spinlock.c        # mutual exclusion between CPUs, lock order
KERNEL += kernel/sched/sched.c           # who runs next; suspend and wakeup
KERNEL += kernel/sched/sleeplock.c       # locks whose holder may suspend
KERNEL += kernel/sched/clock.c           # ticks, sleepers, time of day
KERNEL += kernel/mm/kalloc.c             # physical frames
KERNEL += kernel/mm/commit.c             # promises of memory
KERNEL += kernel/mm/slab.c               # kernel objects
KERNEL += kernel/mm/vm.c                 # address spaces: lazy pages, copy on write
KERNEL += kernel/mm/malloco.c            # malloco, chau: blocks that a sweeper frees
KERNEL += kernel/mm/tamalloc.c           # large lazy areas
KERNEL += kernel/mm/usercopy.c           # user memory
KERNEL += kernel/task/task.c             # life of a task: create, ZOMBIE, wait, kill
KERNEL += kernel/task/fork.c
KERNEL += kernel/task/sweeper.c          # barrendero
KERNEL += kernel/task/oom.c              # who goes when memory ends
KERNEL += kernel/task/memstat.c          # memory statistics
KERNEL += kernel/task/options.c          # the kernel's command line
KERNEL += kernel/dev/console.c kernel/dev/uart16550.c
KERNEL += kernel/dev/block.c kernel/dev/ramdisk.c
KERNEL += $(sort $(wildcard kernel/fs/*.c))
KERNEL += kernel/sys/trap.c              # what a trap means
KERNEL += kernel/sys/syscall.c kernel/sys/sys_task.c kernel/sys/sys_mem.c kernel/sys/sys_file.c
KERNEL += kernel/sys/exec.c kernel/sys/panic.c
KERNEL += kernel/demo/demo.c kernel/demo/tasks.c kernel/demo/selftest.c kernel/demo/crash.c
KERNEL += kernel/kmain.c
KERNEL += $(KERNEL_CHECKS)               # a lab's, when it is graded

PROGRAM_NAMES := $(patsubst user/bin/%.c,%,$(wildcard user/bin/*.c))
TEST_NAMES    := $(patsubst user/tests/%.c,%,$(wildcard user/tests/*.c))
EXTRA_NAMES   := $(notdir $(basename $(PROGRAMS)))

# ---- How
CC      := $(CROSS)gcc
COMMON  := -std=gnu11 -O2 -g -ffreestanding -fno-common -fno-stack-protector -fno-pic -no-pie -Wall -Wextra \
           $(if $(WERROR),-Werror) -MMD -MP
KFLAGS  := $(COMMON) $(ARCH_FLAGS) -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-strict-aliasing \
           -fstack-usage -I. -Ikernel -Ikernel/arch/$(ARCH) $(if $(DEBUG),-DDEBUG)
UFLAGS  := $(COMMON) $(USER_FLAGS) -fno-builtin-printf -ffunction-sections -fdata-sections \
           -Iuser/include -Iuser/include/$(ARCH) -Iuser/tests/$(ARCH) -I.
HOSTCC  ?= cc
HFLAGS  := -std=gnu11 -O2 -g -Wall -Wextra $(if $(WERROR),-Werror) -I. -MMD -MP

.PHONY: all qemu gdb qemu-gdb test fsck bench grade grade-all lab lab-check lab-stats lab-refresh doctor setup format clean help image kernel
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

all: kernel image compile_commands.json
kernel: $(KERNEL_ELF)
image: $(IMAGE)

# ---- Tools. A missing compiler or emulator is installed, or named (tools/setup).
TOOLS_OK := build/.tools-$(ARCH)
$(TOOLS_OK): tools/setup
	$(Q)mkdir -p $(@D)
	$(Q)tools/setup $(ARCH)
	$(Q)touch $@

setup:
	$(Q)rm -f $(TOOLS_OK)
	$(Q)$(MAKE) --no-print-directory $(TOOLS_OK)

doctor:
	$(Q)tools/setup --doctor $(ARCH)

# ---- Objects. The options are part of what an object depends on.
OBJ = $(patsubst %,$(BUILD)/%.o,$(basename $(1)))
KERNEL_OBJ := $(call OBJ,$(KERNEL))

$(BUILD)/flags: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(CC) $(KFLAGS) $(UFLAGS)' | cmp -s - $@ || echo '$(CC) $(KFLAGS) $(UFLAGS)' > $@
FORCE:

$(BUILD)/kernel/%.o: kernel/%.c $(BUILD)/flags | $(TOOLS_OK)
	$(SAY) "  CC   $<"
	$(Q)mkdir -p $(@D) && $(CC) $(KFLAGS) -c $< -o $@
$(BUILD)/kernel/%.o: kernel/%.S $(BUILD)/flags | $(TOOLS_OK)
	$(SAY) "  AS   $<"
	$(Q)mkdir -p $(@D) && $(CC) $(KFLAGS) -c $< -o $@
$(BUILD)/labs/%.o: labs/%.c $(BUILD)/flags | $(TOOLS_OK)
	$(SAY) "  CC   $<"
	$(Q)mkdir -p $(@D) && $(CC) $(KFLAGS) -c $< -o $@
$(BUILD)/user/%.o: user/%.c $(BUILD)/flags | $(TOOLS_OK)
	$(SAY) "  CC   $<"
	$(Q)mkdir -p $(@D) && $(CC) $(UFLAGS) -c $< -o $@
$(BUILD)/user/%.o: user/%.S $(BUILD)/flags | $(TOOLS_OK)
	$(SAY) "  AS   $<"
	$(Q)mkdir -p $(@D) && $(CC) $(UFLAGS) -c $< -o $@

# ---- The kernel is linked twice: its own symbol table, for backtraces, is made from the first result.
LINK_KERNEL = $(CC) $(ARCH_LINK) -nostdlib -static -no-pie -Wl,--no-warn-rwx-segments -Wl,--build-id=none \
              -T kernel/arch/$(ARCH)/kernel.ld $(KERNEL_OBJ)

$(KERNEL_ELF): $(KERNEL_OBJ) kernel/arch/$(ARCH)/kernel.ld tools/symbols.awk
	$(SAY) "  LD   $@"
	$(Q)echo | awk -f tools/symbols.awk > $(BUILD)/symbols0.S
	$(Q)$(LINK_KERNEL) -x assembler $(BUILD)/symbols0.S -o $(BUILD)/kernel0.elf -lgcc
	$(Q)$(CROSS)nm -n $(BUILD)/kernel0.elf | awk -f tools/symbols.awk > $(BUILD)/symbols.S
	$(Q)$(LINK_KERNEL) -x assembler $(BUILD)/symbols.S -o $@ -lgcc

# ---- User programs: crt0, the program, the library.
ULIB_OBJ := $(call OBJ,$(wildcard user/lib/*.c) $(wildcard user/lib/$(ARCH)/*.S) $(wildcard user/lib/$(ARCH)/*.c))
CRT0     := $(BUILD)/user/lib/$(ARCH)/crt0.o
ULIB     := $(BUILD)/user/ulib.a
BIN      := $(BUILD)/bin
TEST_BIN := $(BUILD)/tests
LINK_USER = $(CC) $(USER_FLAGS) -nostdlib -static -no-pie -Wl,-T,user/user.ld -Wl,--defsym=USER_BASE=$(USER_BASE) \
            -Wl,-z,max-page-size=4096 -Wl,--gc-sections -Wl,--build-id=none

$(ULIB): $(filter-out $(CRT0),$(ULIB_OBJ))
	$(Q)rm -f $@ && $(CROSS)ar rcs $@ $^

define PROGRAM_RULE
$(1): $(2) $(CRT0) $(ULIB) user/user.ld
	$(SAY) "  LD   $(notdir $(1))"
	$(Q)mkdir -p $(dir $(1)) && $$(LINK_USER) $(CRT0) $(2) $(ULIB) -lgcc -o $$@
endef
$(foreach p,$(PROGRAM_NAMES),$(eval $(call PROGRAM_RULE,$(BIN)/$(p),$(BUILD)/user/bin/$(p).o)))
$(foreach p,$(TEST_NAMES),$(eval $(call PROGRAM_RULE,$(TEST_BIN)/$(p),$(BUILD)/user/tests/$(p).o)))

# Programs given by PROGRAMS="a.c /some/where/b.c": compiled as a user writes them, against user/include.
define EXTRA_RULE
$(BUILD)/extra/$(notdir $(basename $(1))).o: $(1) $(BUILD)/flags | $(TOOLS_OK)
	$(SAY) "  CC   $(1)"
	$(Q)mkdir -p $(BUILD)/extra && $(CC) $(UFLAGS) -Wno-unused-parameter -I$(dir $(1)) -c $$< -o $$@
endef
$(foreach p,$(PROGRAMS),$(eval $(call EXTRA_RULE,$(p))))
$(foreach p,$(EXTRA_NAMES),$(eval $(call PROGRAM_RULE,$(BIN)/$(p),$(BUILD)/extra/$(p).o)))
$(foreach p,$(PROGRAMS),$(if $(filter %.c,$(p)),,$(error PROGRAMS: $(p) is not a C file (.c))))
$(foreach p,$(PROGRAMS),$(if $(wildcard $(p)),,$(error PROGRAMS: there is no file $(p))))
ifneq ($(words $(PROGRAMS)),$(words $(sort $(EXTRA_NAMES))))
$(error PROGRAMS names two programs alike: $(EXTRA_NAMES))
endif

# ---- The disk image. Host tools are built with the host's own compiler.
MKFS_LIB := check.c check_inode.c check_dir.c repair.c log.c view.c layout.c crc32.c
MKFS_OBJ := $(patsubst %.c,$(HOST)/%.o,mkfs.c tree.c build.c layout.c crc32.c)
FSCK_OBJ := $(patsubst %.c,$(HOST)/%.o,fsck.c $(MKFS_LIB))

$(HOST)/%.o: mkfs/%.c | $(TOOLS_OK)
	$(SAY) "  HOST $<"
	$(Q)mkdir -p $(@D) && $(HOSTCC) $(HFLAGS) -c $< -o $@
$(HOST)/mkfs: $(MKFS_OBJ)
	$(Q)$(HOSTCC) $^ -o $@
$(HOST)/fsck: $(FSCK_OBJ)
	$(Q)$(HOSTCC) $^ -o $@

IMAGE_NAMES := $(sort $(PROGRAM_NAMES) $(EXTRA_NAMES))
$(BUILD)/image-list: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(IMAGE_NAMES) $(TEST_NAMES) $(IMAGE_SIZE)' | cmp -s - $@ || \
	    echo '$(IMAGE_NAMES) $(TEST_NAMES) $(IMAGE_SIZE)' > $@

$(IMAGE): $(HOST)/mkfs $(addprefix $(BIN)/,$(IMAGE_NAMES)) $(addprefix $(TEST_BIN)/,$(TEST_NAMES)) README.md $(BUILD)/image-list
	$(SAY) "  MKFS $@"
	$(Q)$(HOST)/mkfs -o $@ -s $(IMAGE_SIZE) -i 16384 /dev/console=c:1,0 /dev/null=c:2,0 /dev/zero=c:3,0 /tmp/ \
	    /README=README.md $(foreach p,$(IMAGE_NAMES),/bin/$(p)=$(BIN)/$(p)) \
	    $(foreach p,$(TEST_NAMES),/tests/$(p)=$(TEST_BIN)/$(p))

fsck: $(HOST)/fsck $(DISK)
	$(Q)$(HOST)/fsck $(DISK)

# ---- Running. The image given to QEMU keeps what was written; `make clean` or `rm $(IMAGE)` starts afresh.
RUN := tools/run --qemu $(QEMU) --arch $(ARCH) --kernel $(KERNEL_ELF) --cpus $(CPUS) --mem $(MEM) --disk $(DISK) \
       $(if $(SEED),--seed $(SEED))

ifneq ($(DISK),$(IMAGE))
$(if $(wildcard $(DISK)),,$(error DISK=$(DISK): there is no such image; build/host/mkfs makes one, or leave DISK out))
endif
$(if $(PROG),$(if $(filter $(PROG),$(PROGRAM_NAMES) $(EXTRA_NAMES)),,$(error PROG=$(PROG): there is no such program in user/bin)))
export APPEND
qemu: $(KERNEL_ELF) $(DISK)
	$(Q)$(RUN)
qemu-gdb: $(KERNEL_ELF) $(DISK)
	$(Q)$(RUN) --wait-for-gdb
gdb: $(KERNEL_ELF) $(DISK) $(if $(PROG),$(BIN)/$(PROG))
	$(Q)tools/setup --gdb $(ARCH)
	$(Q)$(RUN) --gdb $(if $(PROG),--program $(BIN)/$(PROG))

test: $(TOOLS_OK)
	$(if $(wildcard tests),,$(error this tree has no tests of its own: try make grade))
	$(Q)for machine in $(TEST_ARCH); do tools/setup --tests $$machine || exit; done
	$(Q)TAMAL_ARCH='$(TEST_ARCH)' tools/test $(T)
bench: $(KERNEL_ELF) $(IMAGE)
	$(Q)tools/bench --arch $(ARCH) --kernel $(KERNEL_ELF) --disk $(IMAGE) $(BENCH)

# ---- Labs: grade/README.md. In a student's tree only `grade` is of use.
LAB   ?=
CHECK ?=
GRADE := $(if $(wildcard /usr/bin/python3),/usr/bin/python3,python3) grade/grade

grade: $(TOOLS_OK)
	$(Q)$(GRADE) $(addprefix --lab ,$(LAB)) $(if $(CHECK),--check $(CHECK)) $(if $(SEED),--seed $(SEED)) \
	    $(if $(filter file,$(origin CPUS)),,--cpus $(CPUS)) $(if $(GDB),--gdb) $(addprefix --to ,$(TO)) $(if $(JOBS),--jobs $(JOBS))
lab:
	$(if $(and $(LAB),$(DIR)),,$(error make lab LAB=name DIR=folder: which lab, and where to))
	$(Q)$(GRADE) lab $(LAB) $(DIR)
lab-check lab-stats lab-refresh: $(TOOLS_OK)
	$(Q)$(GRADE) $@ $(LAB) $(if $(RUNS),--runs $(RUNS)) $(if $(JOBS),--jobs $(JOBS))
grade-all: $(TOOLS_OK)
	$(if $(and $(LAB),$(SUBMISSIONS)),,$(error make grade-all LAB=name SUBMISSIONS=folder: which lab, and where the submissions are))
	$(Q)$(GRADE) all --lab $(LAB) $(if $(JOBS),--jobs $(JOBS)) $(if $(OUT),--out $(OUT)) $(SUBMISSIONS)

# ---- Housekeeping
# A folder changes when a file comes or goes.
compile_commands.json: Makefile $(sort $(dir $(KERNEL))) $(wildcard user/bin user/lib user/tests mkfs)
	$(Q)tools/compile-commands '$(CC)' '$(KFLAGS)' '$(KERNEL)' '$(CC)' '$(UFLAGS)' '$(wildcard user/*/*.c)' \
	    '$(HOSTCC)' '$(HFLAGS)' '$(wildcard mkfs/*.c)' > $@

format:
	$(Q)git ls-files '*.c' '*.h' | xargs tools/format

clean:
	$(Q)rm -rf build compile_commands.json

help:
	@echo 'make              build the kernel and the disk image'
	@echo 'make qemu         run it: a shell on this terminal; type halt, or Ctrl-O X, to leave'
	@echo 'make gdb          run it under the debugger; PROG=sh adds a user program'
	@echo 'make qemu-gdb     run it and wait for a debugger that you start yourself'
	@echo 'make test         every test; T="-k word" runs some'
	@echo 'make fsck         is the disk image consistent?'
	@echo 'make bench        speed, beside the goals; BENCH="--rows null,fork" measures some'
	@echo 'make grade        grade the labs of this tree: LAB=name CHECK=id CPUS=n SEED=n GDB=1 TO=json=file; grade/README.md'
	@echo 'make lab          a tree for a student: LAB=name DIR=folder'
	@echo 'make lab-check    labs and graders are right: references, starters, wrong solutions (also lab-stats, lab-refresh, grade-all)'
	@echo 'make doctor       which tools are here, and what is wrong'
	@echo 'make setup        install what is missing'
	@echo 'make format       clang-format on all sources'
	@echo 'make clean        remove all that was made'
	@echo 'Variables: ARCH=$(ARCH) (riscv or i386) CPUS=$(CPUS) MEM=$(MEM) APPEND="kernel command line" DISK=image SEED=n DEBUG=1 V=1'
	@echo '           PROGRAMS="a.c b.c"  extra user programs, put in the image as /bin/a, /bin/b'

-include $(KERNEL_OBJ:.o=.d) $(shell find $(BUILD)/user $(BUILD)/extra $(HOST) -name '*.d' 2>/dev/null)
