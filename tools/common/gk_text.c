/* gk_text: numbers and times as text; what the library shares with the command-line tools. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gk_cli.h"

void cli_hex(char *out, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool cli_unhex(uint8_t *out, size_t n, const char *hex)
{
    if (strlen(hex) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = digit(hex[2 * i]);
        int low = digit(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void cli_time(char out[CLI_TIME], uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm t = {0};
    size_t n = 0;

    /* 2^64 ms lie within what a 64-bit time_t and tm's year hold */
    if (gmtime_r(&seconds, &t) != NULL)
        n = strftime(out, CLI_TIME - 8, "%Y-%m-%dT%H:%M:%S", &t);
    (void)snprintf(out + n, CLI_TIME - n, ".%03uZ", (unsigned)(ms % 1000));
}

uint64_t cli_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
