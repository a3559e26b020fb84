/*
 * ide.c -- the first disk of a PC: primary master, driven by bus-master DMA.
 *
 * One request at a time is with the disk; the others wait in a list that the interrupt serves. A request's pages become a table
 * of physical regions, which the controller follows by itself: kernel memory is mapped 1:1, so a pointer is what it needs.
 *
 * Owns:     the ports of the primary channel, struct disk.
 * Locks:    disk->lock: the list and what is in flight. Not held in done(), which may submit again.
 * Not here: caching and read-ahead (fs/cache.c), the check that a request fits the disk (block.c).
 * References: ATA/ATAPI-6, 6.2 and 8; Programming Interface for Bus Master IDE Controller 1.0; PCI 2.1, 3.2.2.3.2.
 */
#include "arch/arch.h"
#include "dev/block.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "sched/spinlock.h"

#define COMMAND_PORTS 0x1F0u            /* primary channel */
#define CONTROL_PORT  0x3F6u
#define IDE_IRQ       14
#define PCI_ADDRESS   0xCF8u
#define PCI_DATA      0xCFCu

enum { DATA = 0, SECTORS = 2, LBA_LOW = 3, LBA_MIDDLE = 4, LBA_HIGH = 5, DEVICE = 6, STATUS = 7, COMMAND = 7 };
enum { BUSY = 0x80, READY = 0x40, FAULT = 0x20, DATA_REQUEST = 0x08, ERROR = 0x01 };
enum { READ_DMA_EXT = 0x25, WRITE_DMA_EXT = 0x35, FLUSH_CACHE_EXT = 0xEA, IDENTIFY = 0xEC };
enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };   /* bus-master ports */
enum { BM_START = 1, BM_READ = 8 };                     /* READ: from the disk into memory */
enum { BM_ERROR = 2, BM_INTERRUPT = 4 };

#define DEVICE_LBA 0x40                 /* master, addressed by sector number */
#define SECTORS_PER_BLOCK (BLOCK_SIZE / 512)
#define POLLS 1000000                   /* a disk that is busy for longer is none */

struct region { uint32_t address; uint16_t bytes, flags; };     /* one piece of a transfer */
#define REGION_LAST 0x8000

struct disk {
    struct block_device   device;
    uintptr_t             bus_master;   /* its ports */
    struct region        *table;        /* BLOCK_SEGMENTS_MAX of them, within a page */
    struct spinlock       lock;
    struct list           waiting;
    struct block_request *running;      /* NULL: the disk is idle */
};

static struct disk disk = { .device = { .name = "ide0" }, .lock = SPINLOCK_INIT("ide disk", RANK_DISK) };

static void put(unsigned port, unsigned value) { io_write8(COMMAND_PORTS + port, (uint8_t)value); }
static unsigned get(unsigned port) { return io_read8(COMMAND_PORTS + port); }

/* ---- Requests; disk.lock is held. */

static void set_address(uint64_t sector, unsigned count)
{
    put(DEVICE, DEVICE_LBA);
    put(SECTORS, count >> 8);                           /* each register takes the high byte first */
    put(LBA_LOW, (unsigned)(sector >> 24));
    put(LBA_MIDDLE, (unsigned)(sector >> 32));
    put(LBA_HIGH, (unsigned)(sector >> 40));
    put(SECTORS, count);
    put(LBA_LOW, (unsigned)sector);
    put(LBA_MIDDLE, (unsigned)(sector >> 8));
    put(LBA_HIGH, (unsigned)(sector >> 16));
}

static void start_transfer(const struct block_request *r)
{
    bool read = r->op == BLOCK_READ;
    for (uint32_t i = 0; i < r->count; i++)
        disk.table[i] = (struct region){ .address = (uint32_t)(uintptr_t)r->pages[i], .bytes = BLOCK_SIZE,
                                         .flags = i + 1 == r->count ? REGION_LAST : 0 };
    io_write32(disk.bus_master + BM_TABLE, (uint32_t)(uintptr_t)disk.table);
    io_write8(disk.bus_master + BM_COMMAND, read ? BM_READ : 0);
    io_write8(disk.bus_master + BM_STATUS, BM_ERROR | BM_INTERRUPT);    /* written to clear */
    set_address((uint64_t)r->block * SECTORS_PER_BLOCK, r->count * SECTORS_PER_BLOCK);
    put(COMMAND, read ? READ_DMA_EXT : WRITE_DMA_EXT);
    io_write8(disk.bus_master + BM_COMMAND, (uint8_t)((read ? BM_READ : 0) | BM_START));
}

static void start_next(void)
{
    struct block_request *r = list_first(&disk.waiting, struct block_request, link);
    if (r == NULL || disk.running != NULL)
        return;
    list_remove(&r->link);
    disk.running = r;
    if (r->op == BLOCK_FLUSH) {
        put(DEVICE, DEVICE_LBA);
        put(COMMAND, FLUSH_CACHE_EXT);
    } else {
        start_transfer(r);
    }
}

static void ide_submit(struct block_device *dev, struct block_request *r)
{
    r->error = block_check(dev, r);
    if (r->error < 0) {
        r->done(r);
        return;
    }
    acquire(&disk.lock);
    list_push_back(&disk.waiting, &r->link);
    start_next();
    release(&disk.lock);
}

/* finish -- the request that has ended, or NULL: the interrupt was for nobody. */
static struct block_request *finish(void)
{
    unsigned status = get(STATUS);                      /* also tells the disk that we have seen it */
    struct block_request *r = disk.running;
    if (r == NULL || (status & BUSY))
        return NULL;
    uint8_t master = io_read8(disk.bus_master + BM_STATUS);
    if (r->op != BLOCK_FLUSH && (master & BM_INTERRUPT) == 0)
        return NULL;
    io_write8(disk.bus_master + BM_COMMAND, 0);
    io_write8(disk.bus_master + BM_STATUS, BM_ERROR | BM_INTERRUPT);
    bool failed = (status & (ERROR | FAULT)) != 0 || (r->op != BLOCK_FLUSH && (master & BM_ERROR) != 0);
    r->error = failed ? -EIO : 0;
    disk.running = NULL;
    return r;
}

static void ide_interrupt(void *unused)
{
    (void)unused;
    acquire(&disk.lock);
    struct block_request *r = finish();
    start_next();
    release(&disk.lock);
    if (r != NULL)
        r->done(r);
}

/* ---- Start-up: no interrupts yet, so the disk is asked until it answers. */

/* bus_master_ports -- of the first IDE controller on PCI bus 0, which may now write to memory; 0: none. */
static uintptr_t bus_master_ports(void)
{
    for (uint32_t function = 0; function < 32 * 8; function++) {
        uint32_t address = 0x80000000u | function << 8;
        io_write32(PCI_ADDRESS, address | 0x08);
        if (io_read32(PCI_DATA) >> 16 != 0x0101)        /* class: mass storage, IDE */
            continue;
        io_write32(PCI_ADDRESS, address | 0x04);
        io_write32(PCI_DATA, (io_read32(PCI_DATA) & 0xFFFF) | 0x5);     /* I/O ports and bus master on */
        io_write32(PCI_ADDRESS, address | 0x20);
        return io_read32(PCI_DATA) & 0xFFF0;
    }
    return 0;
}

static bool wait_for(unsigned wanted)
{
    for (unsigned polls = 0; polls < POLLS; polls++) {
        unsigned status = get(STATUS);
        if (status == 0 || status == 0xFF)              /* nobody there */
            return false;
        if ((status & BUSY) == 0)
            return (status & wanted) == wanted && (status & ERROR) == 0;
    }
    return false;
}

/* identify -- the number of blocks; 0: no disk, or none that we can drive. */
static uint32_t identify(void)
{
    uint16_t word[256];
    put(DEVICE, DEVICE_LBA);
    put(COMMAND, IDENTIFY);
    if (!wait_for(DATA_REQUEST))
        return 0;
    for (unsigned i = 0; i < ARRAY_SIZE(word); i++)
        word[i] = io_read16(COMMAND_PORTS + DATA);
    if ((word[83] & 1u << 10) == 0)                     /* no 48-bit addresses */
        return 0;
    uint64_t sectors = word[100] | (uint64_t)word[101] << 16 | (uint64_t)word[102] << 32 | (uint64_t)word[103] << 48;
    return (uint32_t)MIN(sectors / SECTORS_PER_BLOCK, UINT32_MAX);
}

void disks_probe(void)
{
    disk.device.blocks = identify();
    if (disk.device.blocks == 0)
        return;
    disk.bus_master = bus_master_ports();
    disk.table = disk.bus_master != 0 ? alloc_page() : NULL;
    if (disk.table == NULL) {
        printk("ide0: no DMA, not used\n");
        return;
    }
    disk.device.submit = ide_submit;
    list_init(&disk.waiting);
    (void)get(STATUS);
    io_write8(CONTROL_PORT, 0);                         /* interrupts on */
    irq_register(IDE_IRQ, ide_interrupt, NULL);
    printk("ide0: %u blocks of 4 KiB\n", disk.device.blocks);
    if (root_disk == NULL)
        root_disk = &disk.device;
}
