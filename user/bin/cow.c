/*
 * cow [-i] -- fork with copy on write, step by step: who shares which page, and what a write costs.
 *
 * -i waits for ENTER after each step. Parent and child take turns through two pipes: the parent sends the number of a
 * page, the child writes to that page and answers. The parent looks at the pages of both and does all the printing.
 */
#include <err.h>
#include <stdio.h>
#include "memdemo.h"
#include "user/user.h"

#define PAGES 4
#define NO_PAGE PAGES                           /* an order to do nothing */

static volatile char page[PAGES][PAGE_BYTES] __attribute__((__aligned__(4096)));
static int order[2], answer[2];                 /* pipes: to the child, and from it */
static int child;

int main(int argc, char **argv);

/* A page of the program's text: its frames are the same in both, too, but nobody may write to it. */
static void *text_page(void) { return (void *)((uintptr_t)main & ~(PAGE_BYTES - 1)); }

static void show_pages_of(const char *name, int pid)
{
    char text = *map_of(pid, text_page(), 1);

    printf("   %-6s %s  text %c\n", name, map_of(pid, page, PAGES), text);
}

static void show(void)
{
    show_pages_of("parent", 0);
    if (child > 0)
        show_pages_of("child", child);
    printf("   frames free %lu (%+ld)  copies %lu (%+ld)  upgrades %lu (%+ld)\n", CHANGE(frames_free),
           CHANGE(cow_copies), CHANGE(cow_upgrades));
    end_step();
}

static void live_as_the_child(void)
{
    char number;

    close(order[1]);                            /* so that a parent that is gone ends the next read */
    close(answer[0]);
    while (read(order[0], &number, 1) == 1) {
        if (number < PAGES)
            page[(int)number][0] = 'c';
        write(answer[1], &number, 1);
    }
    exit(0);
}

static void let_child_write(char number)
{
    write(order[1], &number, 1);
    read(answer[0], &number, 1);
}

static void divide(void)
{
    kcounters(&before);
    child = fork();
    if (child < 0)
        err(1, "fork");
    if (child == 0)
        live_as_the_child();
    kcounters(&after);
    close(order[0]);
    close(answer[1]);
    tell("fork: both have the same %d frames, C, and neither may write to them now. None\n"
         "   was copied. The frames taken are page tables, the child's kernel stack, and\n"
         "   copies of what both go on using: the stack. Text never was writable: S.", PAGES);
    show();
    let_child_write(NO_PAGE);                   /* both copy what they always write to, so that the steps show less */
    kcounters(&before);
}

static void write_in_turn(void)
{
    kcounters(&before);
    let_child_write(1);
    kcounters(&after);
    tell("The child writes to page 1 and gets a copy: one frame. The parent, which still\n"
         "   reads '%c', is the only owner of the old one: c.", page[1][0]);
    show();

    kcounters(&before);
    page[1][0] = 'P';
    kcounters(&after);
    tell("The parent writes to page 1, too. Nobody shares it any more, so it is only\n"
         "   made writable: an upgrade, no copy.");
    show();

    kcounters(&before);
    page[2][0] = 'P';
    kcounters(&after);
    tell("The parent writes to page 2. Now the copy is the parent's, and the child keeps\n"
         "   the old frame.");
    show();

    kcounters(&before);
    let_child_write(2);
    kcounters(&after);
    tell("The child writes to page 2: the last sharer, no copy.");
    show();
}

static void end_of_the_child(void)
{
    kcounters(&before);
    close(order[1]);
    wait_for_task(child, NULL);
    kcounters(&after);
    child = 0;
    tell("The child has ended. Its frames are back, and pages 0 and 3 have one owner: c.");
    show();

    kcounters(&before);
    page[0][0] = 'P';
    page[3][0] = 'P';
    kcounters(&after);
    tell("The parent writes to pages 0 and 3: made writable, no copy. All is as before\n"
         "   the fork.");
    show();
}

/* Read-only is not copy on write: who writes to its text is evicted. */
static void write_to_text(void)
{
    int status = 0;

    kcounters(&before);
    int pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        *(volatile char *)text_page() = 0;
        exit(0);                                /* not reached */
    }
    wait_for_task(pid, &status);
    kcounters(&after);
    tell("Another child writes to its text, which is not copy on write: the kernel\n"
         "   evicts it, and says so.");
    printf("   status of the child %d  evictions %lu (%+ld)\n", status, CHANGE(evictions));
    end_step();
}

int main(int argc, char **argv)
{
    if (demo_start(argc, argv) != argc)
        usage("[-i]");
    printf("cow: what fork shares and what a write copies. Pages:\n"
           "   W  writable    C  copy on write, shared    c  copy on write, one owner\n"
           "   .  no frame    S  read-only, shared        R  read-only, one owner\n"
           "(+N) is what the step alone changed. Between steps both go on, and copy pages\n"
           "of their own, too.\n");
    if (pipe(order) < 0 || pipe(answer) < 0)
        err(1, "pipe");
    kcounters(&before);
    for (int i = 0; i < PAGES; i++)
        page[i][0] = 'p';
    kcounters(&after);
    tell("A program has written to %d pages: 0 to %d.", PAGES, PAGES - 1);
    show();
    divide();
    write_in_turn();
    end_of_the_child();
    write_to_text();
    return 0;
}
