/*
 * kmain.c -- start-up, as a table of contents. Every line builds one floor; what it needs stands already.
 */
#include "demo/demo.h"
#include "dev/block.h"
#include "dev/console.h"
#include "fs/fs.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "mm/vm.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "sys/syscall.h"
#include "task/task.h"

static void interrupt_group(int group) { (void)task_kill_group(group); }
static void start_other_cpus(void);
static void start_user(void *unused);

/* The boot CPU comes here from entry.S with a stack and nothing else. */
void kmain(void)
{
    arch_init();                        /* read the device tree: memory, harts, devices, command line */
    printk("\nTamal on " MACHINE_NAME ": %zu MiB of memory, %u hart%s\n",
           (size_t)(machine.memory_end - machine.memory_start) >> 20, machine.harts, machine.harts == 1 ? "" : "s");
    sched_init();                       /* this CPU, its idle task (we are it), the wait buckets */
    kalloc_reserve(machine.initrd_start, machine.initrd_end);
    init_kalloc(machine.kernel_end, machine.memory_end);        /* free frames: everything below allocates */
    init_vm();                          /* the kernel's page table; paging still off */
    paging_on();
    arch_init_cpu();                    /* from here a trap has somewhere to go; interrupts stay off */
    console_init();                     /* printk reaches the terminal */
    clock_init();
    task_init();                        /* tasks can be made, none is there */
    console_set_interrupt_hook(interrupt_group);        /* Ctrl-C */
    console_set_debug_hook(tasks_print);                /* Ctrl-P */
    start_other_cpus();                 /* they enter at cpu_main() and sleep */
    clock_start_cpu();                  /* the tick */
    ramdisk_init();                     /* root_disk: the initrd if there is one, ... */
    disks_probe();                      /* ... else the first disk that this machine's driver finds */
    sweeper_start();                    /* barrendero: takes back what chau() marked, once in 100 ticks */
    if (!demo_start()) {                /* demo=... on the command line runs kernel tasks instead of programs */
        int pid = task_start_init(start_user, NULL);
        if (pid < 0)
            panic("cannot make the first task: error %d", -pid);
    }
    scheduler();                        /* this CPU's idle loop: does not return */
}

/* Every other CPU comes here, on its idle task's stack. */
void cpu_main(void)
{
    paging_on();
    arch_init_cpu();
    __atomic_store_n(&this_cpu()->online, true, __ATOMIC_RELEASE);
    clock_start_cpu();
    scheduler();
}

static void start_other_cpus(void)
{
    for (unsigned i = 0; i < machine.harts; i++) {
        unsigned hart = machine.hart_ids[i];
        if (hart == machine.boot_hart)
            continue;
        if (cpus_online == CPUS_MAX) {
            printk("hart %u stays off: this kernel runs at most %d\n", hart, CPUS_MAX);
            continue;
        }
        struct task *idle = task_new_idle(cpus_online);
        if (idle == NULL)
            panic("no memory for the idle task of hart %u", hart);
        sched_add_cpu(hart, idle);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);        /* M16: it sees all that was set up so far */
        if (arch_start_cpu(&cpus[cpus_online - 1]) != 0)
            panic("hart %u does not start", hart);
    }
    printk("cpus: %u started, boot hart %u\n", cpus_online, machine.boot_hart);
}

/* init's body, in the kernel: needs a file system, and then becomes /bin/init. */
static void start_user(void *unused)
{
    struct task *self = current();
    char *command = alloc_page();
    (void)unused;
    if (command == NULL)
        panic("no memory to start init");
    task_set_file_hooks(files_copy, files_release);
    int err = fs_mount();
    self->files = err == 0 ? files_new() : NULL;
    if (self->files != NULL) {
        const char *argv[] = { "init", option("run", command, PAGE_SIZE) ? command : NULL, NULL };
        long result = exec_path("/bin/init", argv);
        err = result < 0 ? (int)result : 0;
    }
    free_page(command);
    if (err != 0) {
        printk("boot: cannot start /bin/init (error %d). Is the disk image there and whole? `make` builds it, "
               "`make fsck` checks it.\n", -err);
        machine_off(1);
    }
}
