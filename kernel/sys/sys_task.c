/* sys_task.c -- system calls about tasks, time and the machine. */
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/kalloc.h"
#include "mm/usercopy.h"
#include "mm/vm.h"
#include "fs/cache.h"
#include "fs/fs.h"
#include "sched/clock.h"
#include "sys/syscall.h"
#include "task/task.h"

long sys_fork(struct task *self, const uintptr_t arg[])
{
    (void)self, (void)arg;
    return task_fork();
}

long sys_exit(struct task *self, const uintptr_t arg[])
{
    (void)self;
    terminate((int)arg[0]);
}

/* deliver_status -- the status address was made writable before the wait, so that a bad one loses no child. */
static long wait_and_deliver(int (*wait)(int pid, int *code), int pid, uintptr_t status)
{
    int code;
    if (status != 0 && user_fault_in(va_of(status), sizeof(int), true) != 0)
        return -EFAULT;
    int result = wait(pid, &code);
    if (result > 0 && status != 0 && copy_to_user(va_of(status), &code, sizeof(code)) != 0)
        return -EFAULT;
    return result;
}

static int wait_any(int pid, int *code)
{
    (void)pid;
    return wait_any_child(code);
}

long sys_wait(struct task *self, const uintptr_t arg[])
{
    (void)self;
    return wait_and_deliver(wait_any, 0, arg[0]);
}

long sys_wait_for_task(struct task *self, const uintptr_t arg[])
{
    (void)self;
    return wait_and_deliver(wait_for_task, (int)arg[0], arg[1]);
}

/* A negative pid means a group, as on Unix. */
long sys_kill(struct task *self, const uintptr_t arg[])
{
    int pid = (int)arg[0];
    (void)self;
    if (pid == 0 || pid == INT32_MIN)
        return -EINVAL;
    if (pid < 0)
        return task_kill_group(-pid) > 0 ? 0 : -ESRCH;
    return task_kill_pid(pid);
}

HOT long sys_getpid(struct task *self, const uintptr_t arg[])
{
    (void)arg;
    return self->pid;
}

long sys_setpgid(struct task *self, const uintptr_t arg[])
{
    (void)self;
    return task_set_group((int)arg[0], (int)arg[1]);
}

long sys_pause(struct task *self, const uintptr_t arg[])
{
    int tenths = (int)arg[0];
    (void)self;
    return tenths <= 0 ? 0 : sleep_until_us(clock_uptime_us() + (uint64_t)tenths * 100000);
}

long sys_uptime(struct task *self, const uintptr_t arg[])
{
    (void)self, (void)arg;
    return (long)(clock_uptime_us() / 100000);
}

long sys_time(struct task *self, const uintptr_t arg[])
{
    int64_t seconds = clock_seconds();
    (void)self;
    return copy_to_user(va_of(arg[0]), &seconds, sizeof(seconds));
}

/* tasklist -- rows of all tasks, as many as fit; returns how many there are. max 0 only asks. */
long sys_tasklist(struct task *self, const uintptr_t arg[])
{
    int max = (int)arg[1], total = 0, after = 0;
    unsigned n;
    (void)self;
    if (max < 0)
        return -EINVAL;
    struct task_info *rows = alloc_page_raw();
    if (rows == NULL)
        return -ENOMEM;
    long result = 0;
    while (result == 0 && (n = task_rows(rows, PAGE_SIZE / sizeof(*rows), after)) > 0) {
        int wanted = total < max ? MIN((int)n, max - total) : 0;
        result = copy_to_user(va_of(arg[0] + (size_t)total * sizeof(*rows)), rows, (size_t)wanted * sizeof(*rows));
        after = rows[n - 1].pid;
        total += (int)n;
    }
    free_page(rows);
    return result != 0 ? result : total;
}

long sys_kcounters(struct task *self, const uintptr_t arg[])
{
    struct kcounters c = {
        .frames_total = frames_total(),
        .frames_free = frames_free(),
        .frames_kernel_free = frames_kernel_free(),
        .frames_user_free = frames_user_free(),
        .frames_cached = frames_reclaimable(),
        .pages_committed = commit_outstanding(),
        .ticks = clock_ticks(),
        .sweeps = __atomic_load_n(&sweeper_counters.sweeps, __ATOMIC_ACQUIRE),
        .blocks_swept = sweeper_counters.blocks,
        .pages_swept = sweeper_counters.pages,
        .demand_faults = vm_counters.demand_faults,
        .cow_copies = vm_counters.cow_copies,
        .cow_upgrades = vm_counters.cow_upgrades,
        .shootdowns = vm_counters.shootdowns,
        .evictions = evictions,
        .tasks_live = tasks_live(),
        .tasks_max = tasks_limit(),
        .cpus = cpus_online,
        .clock_hz = machine.clock_hz,
        .frames_cache_index = cache_index_frames(),
    };
    (void)self;
    return copy_to_user(va_of(arg[0]), &c, sizeof(c));
}

long sys_halt(struct task *self, const uintptr_t arg[])
{
    (void)self;
    int err = fs_sync();
    if (err != 0)
        printk("halt: the disk reported errors; the last changes may be lost\n");
    machine_off((int)arg[0] & 0xff);
}

long sys_reboot(struct task *self, const uintptr_t arg[])
{
    (void)self, (void)arg;
    int err = fs_sync();
    if (err != 0)
        printk("reboot: the disk reported errors; the last changes may be lost\n");
    machine_reboot();
}
