#include "gk_log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gk_cli.h"

static _Atomic int most = GK_LOG_INFO;

void gk_log_set(gk_log_level level)
{
    most = (int)level;
}

static const char *level_name(gk_log_level l)
{
    return l == GK_LOG_ERROR ? "ERROR" : l == GK_LOG_WARN ? "WARN" : l == GK_LOG_INFO ? "INFO" : "DEBUG";
}

void gk_log(gk_log_level level, const char *event, const char *format, ...)
{
    char line[1024];
    char now[CLI_TIME];
    size_t n = 0;
    int more = 0;
    va_list args;

    if ((int)level > most)
        return;
    cli_time(now, cli_now_ms());
    n = (size_t)(getenv("JOURNAL_STREAM") != NULL ? snprintf(line, sizeof(line), "<%d>%s ", (int)level, event)
                                                  : snprintf(line, sizeof(line), "%s %s %s ", now, level_name(level), event));
    va_start(args, format);
    more = vsnprintf(line + n, sizeof(line) - n - 1, format, args);
    va_end(args);
    if (more > 0)
        n += (size_t)more < sizeof(line) - n - 2 ? (size_t)more : sizeof(line) - n - 2;
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = '?';
    }
    line[n++] = '\n';
    (void)!write(STDERR_FILENO, line, n); /* nowhere to report a failure to */
}
