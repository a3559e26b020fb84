/*
 * malloco [-i] -- the life of a block of lazy memory, step by step: granted, touched, given back, swept, granted again.
 *
 * -i waits for ENTER after each step. Look at the task meanwhile with the debugger: make gdb, then blocks, pt ADDRESS.
 */
#include <err.h>
#include <stdio.h>
#include "memdemo.h"
#include "user/user.h"

#define PAGES 4

/* Which byte of a page is used: any, but not one of the first. While a frame is free, the kernel's list is there, so
 * these may be zero by chance. */
#define SPOT 100

static volatile char *block;                    /* volatile: every access is made, even if nobody needs the value */

static void show(void)
{
    printf("   frames free %lu (%+ld)  demand faults %lu (%+ld)  sweeps %lu (%+ld)  pages %s\n", CHANGE(frames_free),
           CHANGE(demand_faults), CHANGE(sweeps), map_of(0, block, PAGES));
    end_step();
}

static void wait_for_the_next_sweep(void)
{
    struct kcounters now, then;

    kcounters(&then);
    do {
        pause(1);
        kcounters(&now);
    } while (now.sweeps == then.sweeps);
}

static void wait_until_swept(void)
{
    uint8_t state;

    do {
        pause(1);
        pagemap(0, (void *)block, &state, 1);
    } while (state & PAGE_IS_GRANTED);
}

static void grant(void)
{
    kcounters(&before);
    block = malloco(PAGES * PAGE_BYTES);
    kcounters(&after);
    if (block == NULL)
        errx(1, "malloco: no block");
    tell("malloco(%lu) grants %d pages at %p: only addresses, no frame is taken.", PAGES * PAGE_BYTES, PAGES, block);
    show();
}

static void touch(void)
{
    kcounters(&before);
    block[SPOT] = 'A';
    kcounters(&after);
    tell("A write to page 0 faults: the page gets a zeroed frame, and the write is\n"
         "   made again. This first touch of all also takes frames for page tables.");
    show();

    kcounters(&before);
    block[PAGE_BYTES + SPOT] = 'B';
    kcounters(&after);
    tell("A write to page 1: one fault, one frame.");
    show();

    kcounters(&before);
    block[PAGE_BYTES + SPOT + 1] = 'C';
    kcounters(&after);
    tell("A second write to page 1: the page is there, so nothing happens. Its\n"
         "   neighbour, page 2, is still absent.");
    show();

    kcounters(&before);
    char byte = block[3 * PAGE_BYTES + SPOT];
    kcounters(&after);
    tell("A read is a touch, too: page 3 gets a frame, and the byte read is %d.", byte);
    show();
}

static void give_back(void)
{
    wait_for_the_next_sweep();                  /* then the one after it is far away */
    kcounters(&before);
    chau((void *)block);
    char byte = block[SPOT];
    kcounters(&after);
    tell("chau(block) marks the block, x, and frees nothing. Until the sweeper comes,\n"
         "   page 0 can even be read: '%c'.", byte);
    show();

    before = after;
    wait_until_swept();
    kcounters(&after);
    tell("The sweeper came, as it does every 100 ticks. The frames are back, and those\n"
         "   of the page tables.");
    show();
}

static void grant_again(void)
{
    int zeros = 0;

    kcounters(&before);
    block = malloco(PAGES * PAGE_BYTES);
    for (int i = 0; i < PAGES; i++)
        zeros += block[i * PAGE_BYTES + SPOT] == 0;
    kcounters(&after);
    tell("malloco grants the lowest free address, again %p. Nothing of the 'A'\n"
         "   is left, whichever frames these are: it reads 0 in %d of %d pages.", block, zeros, PAGES);
    show();
}

/* In a child, because who uses memory that is not granted does not live on. */
static void use_after_the_sweep(void)
{
    int status = 0;

    chau((void *)block);
    wait_until_swept();
    kcounters(&before);
    int pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        (void)block[SPOT];
        exit(0);                                /* not reached */
    }
    wait_for_task(pid, &status);
    kcounters(&after);
    tell("chau(block), a sweep, and then a child reads the block: the kernel evicts\n"
         "   it, and says so.");
    printf("   status of the child %d  evictions %lu (%+ld)\n", status, CHANGE(evictions));
    end_step();
}

int main(int argc, char **argv)
{
    if (demo_start(argc, argv) != argc)
        usage("[-i]");
    printf("malloco: a block of memory from its grant to its reuse. Its pages:\n"
           "   .  granted, no frame    W  has a frame    |  the block begins\n"
           "   x  marked by chau()     ,  the same, never touched     -  not granted\n");
    grant();
    touch();
    give_back();
    grant_again();
    use_after_the_sweep();
    return 0;
}
