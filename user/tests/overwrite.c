/* overwrite file offset -- write a byte into a file, in place, and fsync; its status says whether both went well. */
#include "user/tests/support.h"

int main(int argc, char **argv)
{
    int fd = argc == 3 ? open(argv[1], O_WRONLY) : -1;

    if (fd < 0 || lseek(fd, atoi(argv[2]), SEEK_SET) < 0)
        return 2;
    if (write(fd, "!", 1) != 1) {
        perror("write");
        return 3;
    }
    if (fsync(fd) < 0) {
        perror("fsync");
        return 4;
    }
    if (fsync(fd) < 0)                          /* told once; then only if it failed again */
        return 5;
    return 0;
}
