/* time.h -- time of day (UTC) and clocks. */
#ifndef TAMAL_TIME_H
#define TAMAL_TIME_H

#include <sys/types.h>

typedef long clock_t;
#define CLOCKS_PER_SEC 1000000L

struct tm {
    int tm_sec, tm_min, tm_hour;
    int tm_mday;                                /* 1..31 */
    int tm_mon;                                 /* 0..11 */
    int tm_year;                                /* since 1900 */
    int tm_wday;                                /* 0 = Sunday */
    int tm_yday;                                /* 0..365 */
    int tm_isdst;                               /* always 0 */
};

struct timespec {
    time_t tv_sec;
    long   tv_nsec;
};

#define CLOCK_REALTIME  0
#define CLOCK_MONOTONIC 1

time_t     time(time_t *seconds);
clock_t    clock(void);                         /* processor time of this task, microseconds */
double     difftime(time_t later, time_t earlier);
time_t     mktime(struct tm *tm);
struct tm *gmtime(const time_t *seconds);
struct tm *gmtime_r(const time_t *seconds, struct tm *tm);
struct tm *localtime(const time_t *seconds);    /* = gmtime: there are no time zones */
size_t     strftime(char *to, size_t size, const char *format, const struct tm *tm);
int        clock_gettime(int clock, struct timespec *now);
int        nanosleep(const struct timespec *span, struct timespec *rest);

/* Counters of the machine, readable without a system call. */
uint64_t   clock_ns(void);                      /* nanoseconds since some moment before boot */
uint64_t   read_cycles(void);
uint64_t   read_instructions(void);             /* instructions retired on this CPU */

#endif
