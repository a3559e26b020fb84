/* leak -- a test of the tests: leaves an orphan that holds 100 pages, which around must notice. */
#include "user/tests/support.h"

int main(void)
{
    if (fork() == 0) {
        memset(sbrk(100 * PAGE), 1, 100 * PAGE);
        pause(0x7fffffff);
    }
    return 0;
}
