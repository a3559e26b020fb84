/*
 * task.c -- the life of a task: creation, ZOMBIE, wait, kill, and the list of all tasks.
 *
 * Owns:     descriptors, the task list and pid table, who is whose parent.
 * Locks:    family_lock: parents, children, zombies, exit codes. tasks_lock: list and table. family_lock is outer.
 * Not here: who runs next (sched/sched.c), the copy that fork makes (fork.c), system calls (sys/sys_task.c).
 *
 * The end of a task, in order: it gives up files, memory and floating point; under family_lock it becomes a ZOMBIE and
 * wakes its waiter; it switches away for the last time, and finish_switch() on that CPU frees its kernel stack and clears
 * on_cpu; the waiter, which may have seen the ZOMBIE long before, waits for on_cpu and only then frees the descriptor.
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "mm/malloco.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include "task/task.h"
#include "task/internal.h"

#define INIT_PID    1
#define PID_BUCKETS 1024                /* power of two */
#define TASKS_MIN   8                   /* the kernel's own, init, a shell and a program or two */

static struct slab_cache task_cache = SLAB_CACHE("task", struct task);
static struct spinlock family_lock = SPINLOCK_INIT("family", RANK_FAMILY);
static struct spinlock tasks_lock = SPINLOCK_INIT("tasks", RANK_TASKS);

static struct list  all_tasks = LIST_INIT(all_tasks);
static struct task *by_pid[PID_BUCKETS];
static int          last_pid = INIT_PID;        /* which is nobody else's */
static unsigned     live, limit;        /* tasks that are not ZOMBIE, and how many there may be */
static unsigned     present;            /* descriptors, zombies counted */
static struct task *init_task;
static bool         verbose;
size_t evictions;

static struct files *(*copy_files)(struct files *);
static void (*release_files)(struct files *);

void task_set_file_hooks(struct files *(*copy)(struct files *), void (*release)(struct files *))
{
    copy_files = copy;
    release_files = release;
}

struct files *task_copy_files(struct files *files) { return copy_files(files); }
void task_release_files(struct files *files) { release_files(files); }

/* ---- Descriptors */

static void release_stack(struct task *t)
{
    KASSERT(t->kstack != 0);
    free_page((void *)t->kstack);
    t->kstack = 0;
}

void task_init(void)
{
    char buf[8];
    sched_set_stack_release(release_stack);
    uint64_t wanted = option_number("maxtasks", frames_total() / 4);
    limit = (unsigned)MIN(MAX(wanted, TASKS_MIN), TASKS_MAX);
    if (limit != wanted)
        printk("maxtasks: %u is the nearest that works\n", limit);
    verbose = option("verbose", buf, sizeof(buf));
    clock_set_seed(option_number("seed", 0));
    oom_init();
}

/* task_create -- a descriptor with a kernel stack, known to nobody yet. NULL and *error: -EAGAIN or -ENOMEM. */
struct task *task_create(const char *name, void (*first)(void), int *error)
{
    if (__atomic_add_fetch(&present, 1, __ATOMIC_RELAXED) > limit) {
        __atomic_fetch_sub(&present, 1, __ATOMIC_RELAXED);
        *error = -EAGAIN;
        return NULL;
    }
    struct task *t = slab_alloc(&task_cache);
    if (t != NULL)
        t->kstack = (uintptr_t)alloc_page_raw();
    if (t == NULL || t->kstack == 0 || !context_init(t, first)) {
        *error = t == NULL || t->kstack == 0 ? -ENOMEM : -EAGAIN;
        if (t != NULL && t->kstack != 0)
            free_page((void *)t->kstack);
        if (t != NULL)
            slab_free(&task_cache, t);
        __atomic_fetch_sub(&present, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    *(uint64_t *)t->kstack = STACK_MAGIC;
    t->context.irq_depth = 1;                   /* its first instructions finish the switch to it */
    t->cpu = this_cpu();
    copy_string(t->name, name, sizeof(t->name));
    list_init(&t->children);
    list_init(&t->zombies);
    list_init(&t->sibling);
    list_init(&t->clock_link);
    list_init(&t->wait_link);
    return t;
}

/* task_destroy -- the descriptor of a task that never ran, or of a reaped zombie. */
void task_destroy(struct task *t)
{
    if (t->kstack != 0)
        release_stack(t);
    context_release(t);
    slab_free(&task_cache, t);
    __atomic_fetch_sub(&present, 1, __ATOMIC_RELAXED);
}

struct task *task_new_idle(unsigned number)
{
    int error;
    char name[TASK_NAME_SIZE];
    format_string(name, sizeof(name), "idle%u", number);
    struct task *idle = task_create(name, NULL, &error);
    if (idle != NULL)
        present--;                      /* the limit is for the others */
    return idle;
}

/* ---- The table of all tasks. tasks_lock is held. */

static struct task *find(int pid)
{
    struct task *t = by_pid[(unsigned)pid & (PID_BUCKETS - 1)];
    while (t != NULL && t->pid != pid)
        t = t->pid_next;
    return t;
}

static bool is_user_task(const struct task *t) { return t->entry == NULL || t == init_task; }

/* next_pid -- ascending; after 2^31 - 1 the numbers begin again and those in use are skipped. */
static int next_pid(void)
{
    do
        last_pid = last_pid == INT32_MAX ? INIT_PID + 1 : last_pid + 1;
    while (find(last_pid) != NULL);
    return last_pid;
}

static void insert_sorted(struct task *t)
{
    struct list *after = all_tasks.prev;
    while (after != &all_tasks && list_entry(after, struct task, all_link)->pid > t->pid)
        after = after->prev;
    list_push_front(after, &t->all_link);
}

/* task_publish -- give `t` a pid, a parent (NULL: none) and the CPU. It must be complete (M6). Returns the pid. */
int task_publish(struct task *t, struct task *parent)
{
    acquire(&family_lock);
    acquire(&tasks_lock);
    int pid = t->pid = t == init_task ? INIT_PID : next_pid();
    if (t->group == 0)
        t->group = pid;
    struct task **bucket = &by_pid[(unsigned)pid & (PID_BUCKETS - 1)];
    t->pid_next = *bucket;
    *bucket = t;
    insert_sorted(t);
    live++;
    if (parent != NULL)
        t->killed = parent->killed;     /* who killed the parent's group before this moment did not see the child */
    release(&tasks_lock);
    t->parent = parent;
    if (parent != NULL)
        list_push_back(&parent->children, &t->sibling);
    release(&family_lock);
    task_make_runnable(t);
    return pid;
}

/* next_task -- the first one with a pid > after. It costs no walk as long as `after` itself is still there. */
static struct task *next_task(int after)
{
    struct task *t = find(after);
    if (t != NULL)
        return t->all_link.next == &all_tasks ? NULL : list_entry(t->all_link.next, struct task, all_link);
    list_for_each(t, &all_tasks, all_link)
        if (t->pid > after)
            return t;
    return NULL;
}

static void unpublish(struct task *t)
{
    acquire(&tasks_lock);
    struct task **link = &by_pid[(unsigned)t->pid & (PID_BUCKETS - 1)];
    while (*link != t)
        link = &(*link)->pid_next;
    *link = t->pid_next;
    list_remove(&t->all_link);
    release(&tasks_lock);
}

/* ---- Start */

/* The first instructions of a kernel task, on its own stack. */
static void kernel_task_first(void)
{
    struct task *self = current();
    finish_switch();
    irq_pop();
    self->entry(self->argument);
    terminate(0);
}

static int start(const char *name, void (*body)(void *), void *argument, bool expendable)
{
    int error;
    struct task *t = task_create(name, kernel_task_first, &error);
    if (t == NULL)
        return error;
    t->entry = body;
    t->argument = argument;
    t->expendable = expendable;
    return task_publish(t, NULL);
}

int task_start_kernel(const char *name, void (*body)(void *), void *argument)
{
    return start(name, body, argument, false);
}

int task_start_expendable(const char *name, void (*body)(void *), void *argument)
{
    return start(name, body, argument, true);
}

/* init begins in the kernel as in a system call: interrupts stay off. */
static void init_first(void)
{
    struct task *self = current();
    finish_switch();
    self->entry(self->argument);
    return_to_user();
    self->context.irq_depth = 0;
    user_enter();
}

int task_start_init(void (*body)(void *), void *argument)
{
    int error;
    struct task *t = task_create("init", init_first, &error);
    if (t == NULL)
        return error;
    t->entry = body;
    t->argument = argument;
    init_task = t;
    return task_publish(t, NULL);
}

/* ---- The end */

/* leave_space -- others look at a task's address space and name under tasks_lock only. */
static struct vm *leave_space(struct address_space *next, const char *name)
{
    struct task *self = current();
    struct vm *old = vm_of(self);
    acquire(&tasks_lock);
    sched_use_space(next);
    self->leaving = next == NULL;
    if (name != NULL)
        copy_string(self->name, name, sizeof(self->name));
    release(&tasks_lock);
    return old;
}

static const char *last_component(const char *path)
{
    const char *name = path;
    for (const char *s = path; *s != '\0'; s++)
        if (*s == '/' && s[1] != '\0')
            name = s + 1;
    return name;
}

void task_change_program(struct vm *vm, const char *path)
{
    struct vm *old = leave_space(&vm->space, last_component(path));
    if (old != NULL)
        vm_free(old);
}

static void give_children_to_init(struct task *self)
{
    struct task *child, *next;
    bool dead_ones = !list_empty(&self->zombies);
    list_for_each_safe(child, next, &self->children, sibling) {
        child->parent = init_task;
        list_remove(&child->sibling);
        list_push_back(&init_task->children, &child->sibling);
    }
    list_for_each_safe(child, next, &self->zombies, sibling) {
        child->parent = init_task;
        list_remove(&child->sibling);
        list_push_back(&init_task->zombies, &child->sibling);
    }
    if (dead_ones)
        wakeup(init_task);
}

void terminate(int code)
{
    struct task *self = current();

    if (verbose)
        printk("exit: pid=%d code=%d\n", self->pid, code);
    if (self == init_task) {
        printk("init: ended with code %d; nothing is left to do\n", code);
        machine_off(code & 0xff ? code & 0xff : 1);
    }
    if (self->files != NULL) {
        release_files(self->files);
        self->files = NULL;
    }
    struct vm *vm = leave_space(NULL, NULL);
    if (vm != NULL)
        vm_free(vm);
    fp_release(self);

    irq_push();                         /* from ZOMBIE to the last switch nothing may come between */
    acquire(&family_lock);
    give_children_to_init(self);
    acquire(&tasks_lock);
    self->state = ZOMBIE;
    live--;
    release(&tasks_lock);
    self->exit_code = code;
    if (self->parent != NULL) {
        list_remove(&self->sibling);
        list_push_back(&self->parent->zombies, &self->sibling);
        wakeup(self->parent);           /* waits for any child */
    }
    wakeup(self);                       /* waits for just this one */
    release(&family_lock);
    sched_exit();
}

/* reap -- family_lock held, `t` is a ZOMBIE that nobody else can claim any more; releases the lock. */
static int reap(struct task *t, int *code)
{
    int pid = t->pid;
    *code = t->exit_code;
    list_remove(&t->sibling);
    unpublish(t);
    release(&family_lock);
    while (__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE))
        cpu_relax();                    /* its CPU is in the last switch, interrupts off: a few instructions */
    task_destroy(t);
    return pid;
}

int wait_any_child(int *code)
{
    struct task *self = current(), *t;
    acquire(&family_lock);
    for (;;) {
        list_for_each(t, &self->zombies, sibling)
            if (!t->claimed)
                return reap(t, code);
        int err = list_empty(&self->children) ? -ECHILD : suspend(self, &family_lock, WAIT_KILLABLE);
        if (err != 0) {
            release(&family_lock);
            return err;
        }
    }
}

static bool may_wait_for(const struct task *self, const struct task *t)
{
    return t != NULL && !t->claimed
        && (t->parent == self || (self->entry != NULL && t->entry != NULL && t != init_task));
}

int wait_for_task(int pid, int *code)
{
    struct task *self = current();
    if (pid == self->pid)
        return -EINVAL;
    acquire(&family_lock);
    acquire(&tasks_lock);
    struct task *t = find(pid);
    release(&tasks_lock);               /* descriptors only go with family_lock held: t stays */
    if (!may_wait_for(self, t)) {
        release(&family_lock);
        return -ECHILD;
    }
    t->claimed = true;
    while (t->state != ZOMBIE) {
        int err = suspend(t, &family_lock, WAIT_KILLABLE);
        if (err != 0) {
            t->claimed = false;
            release(&family_lock);
            return err;
        }
    }
    return reap(t, code);
}

/* It becomes a ZOMBIE under family_lock, after its memory was freed, and wakes who waits for it: no end is missed. */
int task_await_end(int pid)
{
    int err = 0;
    acquire(&family_lock);
    while (err == 0) {
        acquire(&tasks_lock);
        struct task *t = find(pid);
        release(&tasks_lock);
        if (t == NULL || t->state == ZOMBIE)
            break;
        err = suspend(t, &family_lock, WAIT_KILLABLE);
    }
    release(&family_lock);
    return err;
}

/* ---- Looking at the memory of others. vm->lock is taken before tasks_lock is dropped, so a task that leaves its address
 * space meanwhile waits for us in vm_free(): nothing else keeps it. */

bool task_next_space(struct space_found *found, int after, bool only_marked)
{
    struct task *t;
    acquire(&tasks_lock);
    for (t = next_task(after); t != NULL; t = next_task(t->pid)) {
        struct vm *vm = is_user_task(t) ? vm_of(t) : NULL;
        if (vm == NULL || (only_marked && __atomic_load_n(&vm->region.pages_marked, __ATOMIC_RELAXED) == 0))
            continue;
        *found = (struct space_found){ .task = t, .vm = vm, .pid = t->pid, .oom_adj = t->oom_adj,
                                       .is_init = t == init_task };
        copy_string(found->name, t->name, sizeof(found->name));
        acquire(&vm->lock);
        break;
    }
    release(&tasks_lock);
    return t != NULL;
}

bool task_find_space(struct space_found *found, int pid)
{
    if (pid == 0)
        pid = current()->pid;
    if (pid < 0 || !task_next_space(found, pid - 1, false))
        return false;
    if (found->pid == pid)
        return true;
    release(&found->vm->lock);
    return false;
}

int task_leaving(void)
{
    struct task *t;
    int pid = 0;
    acquire(&tasks_lock);
    list_for_each(t, &all_tasks, all_link)
        if (t->leaving && t->state != ZOMBIE)
            pid = t->pid;
    release(&tasks_lock);
    return pid;
}

/* ---- Kill and groups */

void task_evict(struct task *t)
{
    __atomic_fetch_add(&evictions, 1, __ATOMIC_RELAXED);
    task_kill(t);
}

void task_kill_for_memory(int pid, int score, uintptr_t va)
{
    acquire(&tasks_lock);
    struct task *t = find(pid);
    if (t != NULL && t->state != ZOMBIE && !t->killed && !t->leaving) {
        printk("oom: pid=%d name=%s score=%d va=0x%lx toucher=%d -> killed\n", pid, t->name, score, (unsigned long)va,
               current()->pid);
        task_evict(t);
    }
    release(&tasks_lock);
}

int task_kill_pid(int pid)
{
    int err = -ESRCH;
    acquire(&tasks_lock);
    struct task *t = find(pid);
    if (t != NULL && (t == init_task || !is_user_task(t)))
        err = -EPERM;
    else if (t != NULL) {
        err = 0;
        if (t->state != ZOMBIE)
            task_kill(t);
    }
    release(&tasks_lock);
    return err;
}

int task_kill_group(int group)
{
    int killed = 0;
    struct task *t;
    acquire(&tasks_lock);
    list_for_each(t, &all_tasks, all_link)
        if (t->group == group && is_user_task(t) && t != init_task && t->state != ZOMBIE) {
            task_kill(t);
            killed++;
        }
    release(&tasks_lock);
    return killed;
}

int task_set_group(int pid, int group)
{
    struct task *self = current();
    int err = -ESRCH;
    if (pid < 0 || group < 0)
        return -EINVAL;
    acquire(&family_lock);
    acquire(&tasks_lock);
    struct task *t = pid == 0 ? self : find(pid);
    if (t != NULL && (t == self || t->parent == self)) {
        t->group = group == 0 ? t->pid : group;
        err = 0;
    }
    release(&tasks_lock);
    release(&family_lock);
    return err;
}

/* ---- What ps shows */

static void fill_row(struct task_info *row, struct task *t)
{
    struct vm *vm = vm_of(t);
    memset(row, 0, sizeof(*row));
    row->pid = t->pid;
    row->parent = t->parent != NULL ? t->parent->pid : 0;
    row->group = t->group;
    row->state = t->state;
    row->cpu = (int)t->cpu->id;
    row->kernel_only = !is_user_task(t);
    uint64_t time = t->cpu_time + (t->on_cpu ? clock_now() - t->started_at : 0);
    row->cpu_time_us = time / (machine.clock_hz / 1000000);
    if (vm != NULL) {
        acquire(&vm->lock);
        row->reserved_kb = vm->reserved * (PAGE_SIZE / 1024);
        row->resident_kb = vm->resident * (PAGE_SIZE / 1024);
        release(&vm->lock);
    }
    copy_string(row->name, t->name, sizeof(row->name));
}

unsigned task_rows(struct task_info *rows, unsigned max, int after)
{
    unsigned n = 0;
    struct task *t;
    acquire(&family_lock);              /* a parent's pid is read */
    acquire(&tasks_lock);
    for (t = next_task(after); t != NULL && n < max; t = next_task(t->pid))
        fill_row(&rows[n++], t);
    release(&tasks_lock);
    release(&family_lock);
    return n;
}

unsigned tasks_live(void) { return live; }
unsigned tasks_limit(void) { return limit; }

const char *task_state_name(enum task_state state)
{
#define TASK_STATE(name) #name,
    static const char *const names[] = { TASK_STATES(TASK_STATE) };
#undef TASK_STATE
    return (unsigned)state < ARRAY_SIZE(names) ? names[state] : "?";
}

/* Locks are tried only: this also runs in a panic. */
void tasks_print(void)
{
    struct task *t;
    bool locked = try_acquire(&tasks_lock);
    printk("  PID STATE    CPU NAME\n");
    list_for_each(t, &all_tasks, all_link)
        printk("%5d %-8s %3u %s\n", t->pid, task_state_name(t->state), t->cpu->id, t->name);
    if (locked)
        release(&tasks_lock);
}
