/*
 * virtio_blk.c -- disks behind modern virtio-mmio (virtio 1.1: 2.6 split virtqueues, 4.2.2 registers, 5.2 block device).
 *
 * A request travels as a chain of descriptors: header -> pages (neighbours in memory share one) -> status byte. Chains
 * are put into the available ring; the device puts the number of their first descriptor into the used ring when it is
 * done, in any order, and interrupts. As many requests are in flight as the descriptors allow; the others wait in a
 * list that the interrupt serves. Kernel memory is mapped 1:1, so a pointer is the address the device needs.
 *
 * What the device writes is believed only after a check: a wrong answer costs a line, never memory.
 *
 * Owns:     the registers of its slots, the rings, struct disk.
 * Locks:    disk->lock: descriptors, rings, waiting list. Not held in done(), which may submit again.
 * Not here: caching and read-ahead (fs/cache.c), the check that a request fits the disk (block.c).
 */
#include "arch/arch.h"
#include "dev/block.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "sched/spinlock.h"

enum {                                  /* registers, byte offsets */
    MAGIC = 0x000, VERSION = 0x004, DEVICE_ID = 0x008,
    DEVICE_FEATURES = 0x010, DEVICE_FEATURES_SELECT = 0x014,
    DRIVER_FEATURES = 0x020, DRIVER_FEATURES_SELECT = 0x024,
    QUEUE_SELECT = 0x030, QUEUE_SIZE_MAX = 0x034, QUEUE_SIZE = 0x038, QUEUE_READY = 0x044, QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060, INTERRUPT_ACKNOWLEDGE = 0x064, STATUS = 0x070,
    QUEUE_DESCRIPTORS = 0x080, QUEUE_AVAILABLE = 0x090, QUEUE_USED = 0x0a0,     /* low word, high word */
    CONFIG_GENERATION = 0x0fc, CONFIG_CAPACITY = 0x100, CONFIG_SIZE_MAX = 0x108, CONFIG_SEGMENTS_MAX = 0x10c,
};

#define MAGIC_VALUE 0x74726976u         /* "virt" */
#define ID_BLOCK    2u

enum { STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8, STATUS_FAILED = 128 };

#define FEATURE_SIZE_MAX     (1ull << 1)
#define FEATURE_SEGMENTS_MAX (1ull << 2)
#define FEATURE_READ_ONLY    (1ull << 5)
#define FEATURE_FLUSH        (1ull << 9)
#define FEATURE_VERSION_1    (1ull << 32)

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2 };     /* WRITE: the device writes there */
enum { REQUEST_READ = 0, REQUEST_WRITE = 1, REQUEST_FLUSH = 4 };
#define USED_NO_NOTIFY    1
#define SECTORS_PER_BLOCK (BLOCK_SIZE / 512)

#define DESCRIPTORS 256u                /* of a queue; a power of two */
#define CHAIN_MAX   (BLOCK_SEGMENTS_MAX + 2)
#define NO_DESCRIPTOR 0xffffu

struct descriptor { uint64_t address; uint32_t nbytes; uint16_t flags, next; };
struct header     { uint32_t type, reserved; uint64_t sector; };
struct rings {                          /* one page, shared with the device */
    struct { uint16_t flags, index, ring[DESCRIPTORS], unused; } available;
    struct { uint16_t flags, index; struct { uint32_t id, nbytes; } ring[DESCRIPTORS]; } used ALIGNED(4);
};
_Static_assert(sizeof(struct descriptor) * DESCRIPTORS == PAGE_SIZE, "descriptors fill a page");
_Static_assert(sizeof(struct header) * DESCRIPTORS == PAGE_SIZE, "headers fill a page");
_Static_assert(sizeof(struct rings) <= PAGE_SIZE, "rings fit a page");

struct disk {
    struct block_device device;
    struct spinlock     lock;
    uintptr_t           registers;
    bool                can_flush, complained;
    uint32_t            segment_max;    /* bytes of one descriptor */
    struct list         waiting;        /* requests that found no descriptors */
    uint16_t            free_first, free_count;         /* free descriptors, chained by their `next` */
    uint16_t            used_seen;      /* entries of the used ring already handled */
    struct descriptor  *descriptors;
    struct header      *headers;        /* by first descriptor, like the next two */
    struct rings       *rings;
    struct block_request *requests[DESCRIPTORS];        /* in flight; NULL: none starts there */
    volatile uint8_t    status[DESCRIPTORS];            /* the device's verdict: 0 is success */
    char                name[12];
};
_Static_assert(sizeof(struct disk) <= PAGE_SIZE, "a disk fits a page");

static uint32_t read_register(uintptr_t base, unsigned at) { return *(volatile uint32_t *)(base + at); }
static void write_register(uintptr_t base, unsigned at, uint32_t value) { *(volatile uint32_t *)(base + at) = value; }

/* ---- Descriptors; disk->lock is held. */

static uint16_t add_descriptor(struct disk *disk, uint16_t previous, const volatile void *start, uint32_t nbytes,
                               unsigned flags)
{
    uint16_t index = disk->free_first;
    struct descriptor *d = &disk->descriptors[index];

    disk->free_first = d->next;
    disk->free_count--;
    *d = (struct descriptor){ .address = (uintptr_t)start, .nbytes = nbytes, .flags = (uint16_t)flags };
    if (previous != NO_DESCRIPTOR) {
        disk->descriptors[previous].flags |= DESCRIPTOR_NEXT;
        disk->descriptors[previous].next = index;
    }
    return index;
}

static void free_chain(struct disk *disk, uint16_t first)
{
    for (bool more = true; more; disk->free_count++) {
        struct descriptor *d = &disk->descriptors[first];
        uint16_t next = d->next;
        more = (d->flags & DESCRIPTOR_NEXT) != 0;
        d->next = disk->free_first;
        disk->free_first = first;
        first = next;
    }
}

/* How many of the pages from `at` on lie one after another in memory, within what one descriptor may hold. */
static uint32_t run_length(const struct disk *disk, const struct block_request *r, uint32_t at)
{
    uint32_t n = 1;

    while (at + n < r->count && (char *)r->pages[at + n] == (char *)r->pages[at] + (uintptr_t)n * BLOCK_SIZE &&
           (n + 1) * BLOCK_SIZE <= disk->segment_max)
        n++;
    return n;
}

static unsigned chain_length(const struct disk *disk, const struct block_request *r)
{
    unsigned length = 2;

    for (uint32_t at = 0; at < r->count; at += run_length(disk, r, at))
        length++;
    return length;
}

/* ---- Starting requests; disk->lock is held. */

static uint16_t build_chain(struct disk *disk, struct block_request *r)
{
    static const uint32_t types[] = {
        [BLOCK_READ] = REQUEST_READ, [BLOCK_WRITE] = REQUEST_WRITE, [BLOCK_FLUSH] = REQUEST_FLUSH,
    };
    uint16_t first = disk->free_first, last;
    uint32_t run;

    disk->headers[first] = (struct header){
        .type = types[r->op],
        .sector = r->op == BLOCK_FLUSH ? 0 : (uint64_t)r->block * SECTORS_PER_BLOCK,
    };
    disk->status[first] = 0xff;
    disk->requests[first] = r;
    last = add_descriptor(disk, NO_DESCRIPTOR, &disk->headers[first], sizeof(struct header), 0);
    for (uint32_t at = 0; at < r->count; at += run) {
        run = run_length(disk, r, at);
        last = add_descriptor(disk, last, r->pages[at], run * BLOCK_SIZE, r->op == BLOCK_READ ? DESCRIPTOR_WRITE : 0);
    }
    add_descriptor(disk, last, &disk->status[first], 1, DESCRIPTOR_WRITE);
    return first;
}

static bool start_request(struct disk *disk, struct block_request *r)
{
    uint16_t index = disk->rings->available.index;

    if (chain_length(disk, r) > disk->free_count)
        return false;
    disk->rings->available.ring[index % DESCRIPTORS] = build_chain(disk, r);
    __atomic_store_n(&disk->rings->available.index, (uint16_t)(index + 1), __ATOMIC_RELEASE);  /* after its entry */
    return true;
}

/* Without the lock: the emulator works on the requests before it comes back from the store. */
static void notify_device(struct disk *disk)
{
    io_fence();                                         /* the index is out before we ask whether it is watched */
    if (!(*(volatile uint16_t *)&disk->rings->used.flags & USED_NO_NOTIFY))
        write_register(disk->registers, QUEUE_NOTIFY, 0);
}

/* First come, first served: a long request is not overtaken for ever by short ones. True: the device must be told. */
static bool start_waiting(struct disk *disk)
{
    struct block_request *r;
    bool started = false;

    while ((r = list_first(&disk->waiting, struct block_request, link)) != NULL && start_request(disk, r)) {
        list_remove(&r->link);
        started = true;
    }
    return started;
}

static void virtio_submit(struct block_device *dev, struct block_request *r)
{
    struct disk *disk = container_of(dev, struct disk, device);

    r->error = block_check(dev, r);
    if (r->error < 0 || (r->op == BLOCK_FLUSH && !disk->can_flush)) {
        r->done(r);
        return;
    }
    acquire(&disk->lock);
    list_push_back(&disk->waiting, &r->link);
    bool started = start_waiting(disk);
    release(&disk->lock);
    if (started)
        notify_device(disk);
}

/* ---- Completion. */

static void complain(struct disk *disk, const char *about, unsigned value)
{
    if (!disk->complained)
        printk("%s: the device answered nonsense: %s %u\n", disk->name, about, value);
    disk->complained = true;
}

/* One finished request, or NULL when the used ring holds no more; disk->lock is held. */
static struct block_request *take_finished(struct disk *disk)
{
    uint16_t index = __atomic_load_n(&disk->rings->used.index, __ATOMIC_ACQUIRE);

    if ((uint16_t)(index - disk->used_seen) > DESCRIPTORS) {
        complain(disk, "used index", index);
        disk->used_seen = index;
    }
    while (disk->used_seen != index) {
        uint32_t id = disk->rings->used.ring[disk->used_seen++ % DESCRIPTORS].id;
        struct block_request *r = id < DESCRIPTORS ? disk->requests[id] : NULL;
        if (r == NULL) {
            complain(disk, "descriptor", id);
            continue;
        }
        disk->requests[id] = NULL;
        r->error = disk->status[id] == 0 ? 0 : -EIO;
        free_chain(disk, (uint16_t)id);
        return r;
    }
    return NULL;
}

static void virtio_interrupt(void *arg)
{
    struct disk *disk = arg;
    struct block_request *r;

    write_register(disk->registers, INTERRUPT_ACKNOWLEDGE, read_register(disk->registers, INTERRUPT_STATUS));
    do {                                /* acknowledged first: what finishes from now on interrupts again */
        acquire(&disk->lock);
        r = take_finished(disk);
        bool started = start_waiting(disk);
        release(&disk->lock);
        if (started)
            notify_device(disk);
        if (r != NULL)
            r->done(r);
    } while (r != NULL);
}

/* ---- Start-up. */

static uint64_t device_features(uintptr_t base)
{
    write_register(base, DEVICE_FEATURES_SELECT, 1);
    uint64_t high = read_register(base, DEVICE_FEATURES);
    write_register(base, DEVICE_FEATURES_SELECT, 0);
    return high << 32 | read_register(base, DEVICE_FEATURES);
}

/* Accept `features`; false when the device does not agree. */
static bool set_features(uintptr_t base, uint64_t features)
{
    write_register(base, DRIVER_FEATURES_SELECT, 0);
    write_register(base, DRIVER_FEATURES, (uint32_t)features);
    write_register(base, DRIVER_FEATURES_SELECT, 1);
    write_register(base, DRIVER_FEATURES, (uint32_t)(features >> 32));
    write_register(base, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    return (features & FEATURE_VERSION_1) && (read_register(base, STATUS) & STATUS_FEATURES_OK);
}

static void read_config(struct disk *disk, uint64_t features)
{
    uintptr_t base = disk->registers;
    uint32_t generation, low, high;

    do {                                /* the capacity is two registers: both of one moment */
        generation = read_register(base, CONFIG_GENERATION);
        low = read_register(base, CONFIG_CAPACITY);
        high = read_register(base, CONFIG_CAPACITY + 4);
    } while (generation != read_register(base, CONFIG_GENERATION));
    uint64_t blocks = ((uint64_t)high << 32 | low) / SECTORS_PER_BLOCK;
    disk->device.blocks = (uint32_t)MIN(blocks, UINT32_MAX);
    disk->device.read_only = (features & FEATURE_READ_ONLY) != 0;
    disk->can_flush = (features & FEATURE_FLUSH) != 0;
    disk->segment_max = features & FEATURE_SIZE_MAX ? read_register(base, CONFIG_SIZE_MAX) : UINT32_MAX;
}

static void set_queue_address(uintptr_t base, unsigned at, const void *address)
{
    write_register(base, at, (uint32_t)(uintptr_t)address);
    write_register(base, at + 4, (uint32_t)((uint64_t)(uintptr_t)address >> 32));
}

static bool set_queue(struct disk *disk)
{
    uintptr_t base = disk->registers;

    write_register(base, QUEUE_SELECT, 0);
    if (read_register(base, QUEUE_READY) != 0 || read_register(base, QUEUE_SIZE_MAX) < DESCRIPTORS)
        return false;
    write_register(base, QUEUE_SIZE, DESCRIPTORS);
    set_queue_address(base, QUEUE_DESCRIPTORS, disk->descriptors);
    set_queue_address(base, QUEUE_AVAILABLE, &disk->rings->available);
    set_queue_address(base, QUEUE_USED, &disk->rings->used);
    write_register(base, QUEUE_READY, 1);
    return true;
}

static void free_disk(struct disk *disk)
{
    void *const pages[] = { disk->descriptors, disk->headers, disk->rings, disk };

    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
        if (pages[i] != NULL)
            free_page(pages[i]);
}

static struct disk *new_disk(unsigned number, uintptr_t base)
{
    struct disk *disk = alloc_page();

    if (disk == NULL)
        return NULL;
    disk->descriptors = alloc_page();
    disk->headers = alloc_page();
    disk->rings = alloc_page();
    if (disk->descriptors == NULL || disk->headers == NULL || disk->rings == NULL) {
        free_disk(disk);
        return NULL;
    }
    disk->registers = base;
    spinlock_init(&disk->lock, "virtio disk", RANK_DISK);
    list_init(&disk->waiting);
    disk->free_count = DESCRIPTORS;
    for (unsigned i = 0; i < DESCRIPTORS; i++)
        disk->descriptors[i].next = (uint16_t)((i + 1) % DESCRIPTORS);
    format_string(disk->name, sizeof(disk->name), "virtio%u", number);
    disk->device.name = disk->name;
    disk->device.submit = virtio_submit;
    return disk;
}

/* The handshake of virtio 1.1, 3.1.1. NULL, or what went wrong. */
static const char *start_device(struct disk *disk, unsigned irq)
{
    uintptr_t base = disk->registers;
    const uint64_t known = FEATURE_SIZE_MAX | FEATURE_SEGMENTS_MAX | FEATURE_READ_ONLY | FEATURE_FLUSH | FEATURE_VERSION_1;

    write_register(base, STATUS, 0);
    write_register(base, STATUS, STATUS_ACKNOWLEDGE);
    write_register(base, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    uint64_t features = device_features(base) & known;
    if (!set_features(base, features))
        return "features refused";
    read_config(disk, features);
    if (disk->device.blocks == 0 || disk->segment_max < BLOCK_SIZE)
        return "no room for a block";
    if ((features & FEATURE_SEGMENTS_MAX) && read_register(base, CONFIG_SEGMENTS_MAX) < BLOCK_SEGMENTS_MAX)
        return "too few segments in a request";
    if (!set_queue(disk))
        return "queue too short";
    irq_register(irq, virtio_interrupt, disk);
    write_register(base, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
    return NULL;
}

static void add_disk(unsigned number, uintptr_t base, unsigned irq)
{
    struct disk *disk = new_disk(number, base);

    if (disk == NULL) {
        printk("virtio%u: no memory\n", number);
        return;
    }
    const char *problem = start_device(disk, irq);
    if (problem != NULL) {
        write_register(base, STATUS, STATUS_FAILED);
        printk("%s: %s, not used\n", disk->name, problem);
        free_disk(disk);
        return;
    }
    printk("%s: %u blocks of 4 KiB%s%s\n", disk->name, disk->device.blocks, disk->device.read_only ? ", read-only" : "",
           disk->can_flush ? "" : ", no flush");
    if (root_disk == NULL)
        root_disk = &disk->device;
}

void disks_probe(void)
{
    unsigned number = 0;

    for (unsigned i = 0; i < machine.slots; i++) {
        uintptr_t base = machine.slot[i].base;
        if (read_register(base, MAGIC) != MAGIC_VALUE || read_register(base, DEVICE_ID) != ID_BLOCK)
            continue;
        if (read_register(base, VERSION) == 2)
            add_disk(number, base, machine.slot[i].irq);
        else
            printk("virtio%u: legacy device: start QEMU with -global virtio-mmio.force-legacy=false\n", number);
        number++;
    }
}
