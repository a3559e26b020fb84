/* sleep seconds -- do nothing for so long. Tenths count: sleep 0.5. */
#include <ctype.h>
#include <err.h>
#include <limits.h>
#include "user/user.h"

static int parse_tenths(const char *text)
{
    int64_t tenths = 0;                         /* a digit more than an int */
    const char *p = text;

    for (; isdigit(*p) && tenths < INT_MAX / 10; p++)
        tenths = tenths * 10 + (*p - '0');
    tenths *= 10;
    if (*p == '.' && isdigit(p[1])) {
        tenths += p[1] - '0';
        for (p += 2; isdigit(*p); p++)
            ;
    }
    if (p == text || *p != '\0' || tenths > INT_MAX)
        errx(2, "invalid time: %s", text);
    return (int)tenths;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        usage("seconds");
    if (pause(parse_tenths(argv[1])) < 0)
        err(1, "pause");
    return 0;
}
