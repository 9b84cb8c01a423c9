/* gk_cli: what command-line tools share: options, dispatch tables, messages, JSON. Everything belongs to the one main thread. */
#ifndef GK_CLI_H
#define GK_CLI_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../../native/base/gk_err.h"

/* Exit codes */
#define CLI_OK 0
#define CLI_FAILED 1
#define CLI_USAGE 2

/* The tool's name in messages; main sets it. */
extern const char *cli_tool;

typedef enum cli_kind {
    CLI_FLAG,     /* value is a bool */
    CLI_STRING,   /* a const char *; the last one counts */
    CLI_LIST,     /* a cli_list, may be repeated */
    CLI_DURATION, /* an int64_t in ms: 200ms, 10s, 5m, 1h, 2d */
    CLI_NUMBER    /* an int64_t that isn't negative */
} cli_kind;

typedef struct cli_option {
    const char *name;
    cli_kind kind;
    void *value;
} cli_option;

enum { CLI_LIST_MAX = 64 };

typedef struct cli_list {
    const char *items[CLI_LIST_MAX];
    size_t n;
} cli_list;

/* cli_parse reads options anywhere among a command's arguments (only in front of the first operand where subcommands follow). argv[0] is the
 * command's name; path is what the user typed up to here ("gk-admin keyring"). --help and --version are always there. False when the command is
 * done (help was printed, or the usage was wrong) with its exit code in *code; else *argc and *argv are the operands. The tables end with a
 * NULL name; a NULL table is allowed. */
bool cli_parse(const cli_option *common, const cli_option *own, const char *path, const char *help, bool subcommands, int *argc,
               char ***argv, int *code);
/* cli_operands checks how many there are. */
bool cli_operands(const char *path, int least, int most, int argc, int *code);
bool cli_duration(const char *text, int64_t *ms);

/* cli_fail prints `TOOL: error: CODE: text (hint: hint)` on stderr and returns CLI_FAILED. hint may be NULL. */
int cli_fail(const char *code, const char *hint, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* cli_fail_why does so with a sentence "what is wrong: what to do" of gk_keyring and its like. */
int cli_fail_why(gk_err e, const char *why);
/* cli_usage does so with the code USAGE and a hint at `path --help`, and returns CLI_USAGE. */
int cli_usage(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* cli_code: "NOMEM" for GK_ERR_NOMEM, and so on. */
const char *cli_code(gk_err e);
int cli_out_of_memory(void);
/* cli_flush makes sure that what was printed on stdout got there: a full disk or a closed pipe is a failure. */
int cli_flush(void);
/* cli_json prints a document as one line and frees it; NULL is out of memory. */
int cli_json(cJSON *doc);

/* cli_hex writes 2 * n digits and a terminator to out; cli_unhex reads exactly 2 * n digits. */
void cli_hex(char *out, const uint8_t *p, size_t n);
bool cli_unhex(uint8_t *out, size_t n, const char *hex);
#define CLI_TIME 48
/* cli_time writes a Unix time in milliseconds as ISO 8601 in UTC: 2023-11-14T22:13:20.123Z. */
void cli_time(char out[CLI_TIME], uint64_t ms);
uint64_t cli_now_ms(void); /* Unix time */

#endif
