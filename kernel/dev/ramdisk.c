/*
 * ramdisk.c -- a disk in memory: the initrd the boot loader placed, as the deterministic mode uses it.
 *
 * Owns:     the initrd's memory (kalloc leaves it alone). What is written is lost when the machine stops.
 * Locks:    none: callers never have two requests for one block in flight.
 * Not here: real disks (virtio_blk.c).
 */
#include "arch/arch.h"
#include "dev/block.h"
#include "lib/printk.h"
#include "lib/string.h"

static void ramdisk_submit(struct block_device *dev, struct block_request *r)
{
    r->error = block_check(dev, r);
    for (uint32_t i = 0; i < r->count && r->error == 0; i++) {
        void *here = (void *)(machine.initrd_start + (uintptr_t)(r->block + i) * BLOCK_SIZE);
        if (r->op == BLOCK_READ)
            copy_page(r->pages[i], here);
        else
            copy_page(here, r->pages[i]);
    }
    r->done(r);
}

static struct block_device ramdisk = { .name = "ramdisk", .submit = ramdisk_submit };

void ramdisk_init(void)
{
    uintptr_t nbytes = machine.initrd_end - machine.initrd_start;

    if (nbytes < BLOCK_SIZE)
        return;
    if (machine.initrd_start % sizeof(uint64_t) != 0) {
        printk("ramdisk: initrd at 0x%lx is not aligned, ignored\n", (unsigned long)machine.initrd_start);
        return;
    }
    ramdisk.blocks = (uint32_t)(nbytes / BLOCK_SIZE);
    root_disk = &ramdisk;
    printk("ramdisk: %u blocks of 4 KiB\n", ramdisk.blocks);
}
