/*
 * time.c -- time of day, and dates made of it. Everything is UTC, after the Gregorian calendar.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/syscall.h>
#include "abi/info.h"

#define DAY 86400

static const char *const weekdays[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August",
                                      "September", "October", "November", "December" };

time_t time(time_t *seconds)
{
    int64_t now;

    if (call_time(&now) < 0)
        return -1;
    if (seconds != NULL)
        *seconds = now;
    return now;
}

int utime(const char *path, int64_t seconds)
{
    return call_utime(path, &seconds);
}

double difftime(time_t later, time_t earlier)
{
    return (double)(later - earlier);
}

int clock_gettime(int clock, struct timespec *now)
{
    if (clock == CLOCK_REALTIME) {
        now->tv_nsec = 0;
        return call_time(&now->tv_sec);
    }
    uint64_t ns = clock_ns();
    now->tv_sec = (time_t)(ns / 1000000000);
    now->tv_nsec = (long)(ns % 1000000000);
    return 0;
}

/* Rounded up to tenths of a second, the unit of the kernel's pause(). */
int nanosleep(const struct timespec *span, struct timespec *rest)
{
    const long tenth = 100000000;

    if (rest != NULL)
        *rest = (struct timespec){ 0, 0 };
    if (span->tv_sec < 0 || span->tv_nsec < 0 || span->tv_nsec >= 10 * tenth || span->tv_sec > INT_MAX / 10 - 10) {
        errno = EINVAL;
        return -1;
    }
    return call_pause((int)span->tv_sec * 10 + (int)((span->tv_nsec + tenth - 1) / tenth));
}

clock_t clock(void)
{
    struct task_info rows[64];
    int pid = call_getpid();
    int count = call_tasklist(rows, 64);

    for (int i = 0; i < count && i < 64; i++)
        if (rows[i].pid == pid)
            return (clock_t)rows[i].cpu_time_us;
    return -1;
}

static int is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int month, int year)
{
    static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return days[month] + (month == 1 && is_leap(year));
}

/* Days from 1970-01-01 to January 1st of `year`. */
static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;
    return 365 * (year - 1970) + (y / 4 - 1969 / 4) - (y / 100 - 1969 / 100) + (y / 400 - 1969 / 400);
}

struct tm *gmtime_r(const time_t *seconds, struct tm *tm)
{
    int64_t days = *seconds / DAY;
    int in_day = (int)(*seconds % DAY);
    if (in_day < 0) {
        in_day += DAY;
        days--;
    }
    int year = 1970 + (int)(days / 366);
    while (days_before_year(year + 1) <= days)
        year++;
    while (days_before_year(year) > days)
        year--;

    int day = (int)(days - days_before_year(year));
    int month = 0;
    *tm = (struct tm){ .tm_sec = in_day % 60, .tm_min = in_day / 60 % 60, .tm_hour = in_day / 3600,
                       .tm_year = year - 1900, .tm_wday = (int)(((days + 4) % 7 + 7) % 7), .tm_yday = day };
    for (; day >= days_in_month(month, year); month++)
        day -= days_in_month(month, year);
    tm->tm_mon = month;
    tm->tm_mday = day + 1;
    return tm;
}

struct tm *gmtime(const time_t *seconds)
{
    static struct tm tm;
    return gmtime_r(seconds, &tm);
}

struct tm *localtime(const time_t *seconds)
{
    return gmtime(seconds);
}

time_t mktime(struct tm *tm)
{
    int64_t year = 1900 + (int64_t)tm->tm_year + tm->tm_mon / 12;
    int month = tm->tm_mon % 12;
    if (month < 0) {
        month += 12;
        year--;
    }
    int64_t days = days_before_year(year) + tm->tm_mday - 1;
    for (int m = 0; m < month; m++)
        days += days_in_month(m, (int)year);
    time_t seconds = days * DAY + tm->tm_hour * 3600 + tm->tm_min * 60 + tm->tm_sec;
    gmtime_r(&seconds, tm);
    return seconds;
}

static int format_item(char *to, size_t size, char kind, const struct tm *tm)
{
    switch (kind) {
    case 'Y': return snprintf(to, size, "%d", tm->tm_year + 1900);
    case 'y': return snprintf(to, size, "%02d", tm->tm_year % 100);
    case 'm': return snprintf(to, size, "%02d", tm->tm_mon + 1);
    case 'd': return snprintf(to, size, "%02d", tm->tm_mday);
    case 'e': return snprintf(to, size, "%2d", tm->tm_mday);
    case 'H': return snprintf(to, size, "%02d", tm->tm_hour);
    case 'M': return snprintf(to, size, "%02d", tm->tm_min);
    case 'S': return snprintf(to, size, "%02d", tm->tm_sec);
    case 'j': return snprintf(to, size, "%03d", tm->tm_yday + 1);
    case 'B': return snprintf(to, size, "%s", months[tm->tm_mon]);
    case 'b': return snprintf(to, size, "%.3s", months[tm->tm_mon]);
    case 'A': return snprintf(to, size, "%s", weekdays[tm->tm_wday]);
    case 'a': return snprintf(to, size, "%.3s", weekdays[tm->tm_wday]);
    case 'Z': return snprintf(to, size, "UTC");
    case 'F': return snprintf(to, size, "%d-%02d-%02d", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday);
    case 'T': return snprintf(to, size, "%02d:%02d:%02d", tm->tm_hour, tm->tm_min, tm->tm_sec);
    default:  return snprintf(to, size, "%c", kind);
    }
}

size_t strftime(char *to, size_t size, const char *format, const struct tm *tm)
{
    size_t used = 0;

    for (; *format != '\0'; format++) {
        if (used + 1 >= size)
            return 0;
        if (*format != '%' || format[1] == '\0') {
            to[used++] = *format;
            continue;
        }
        size_t length = (size_t)format_item(to + used, size - used, *++format, tm);
        if (used + length >= size)
            return 0;
        used += length;
    }
    if (size > 0)
        to[used] = '\0';
    return used;
}
