/* gk_log: structured lines on stderr, one per event: `2026-01-02T03:04:05.678Z INFO takeover epoch=7 from="a"`. Under systemd (JOURNAL_STREAM
 * is set) the time is left to the journal and the priority stands in front as <6>. Thread-safe: a line is one write. */
#ifndef GK_LOG_H
#define GK_LOG_H

typedef enum gk_log_level { GK_LOG_ERROR = 3, GK_LOG_WARN = 4, GK_LOG_INFO = 6, GK_LOG_DEBUG = 7 } gk_log_level;

/* gk_log_set: lines above this level are dropped; GK_LOG_INFO at the start. */
void gk_log_set(gk_log_level most);
/* gk_log writes event and, formatted, its `key=value` pairs. Values that users chose go in by %s between quotes and hold no control characters:
 * they are replaced. Never a secret. */
void gk_log(gk_log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
