/* What the files of gk-admin share: dispatch tables, options common to all commands, messages. One file per command; each has a table of its
 * subcommands or does the work. Everything here belongs to the one main thread. */
#ifndef GK_ADMIN_H
#define GK_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../native/base/gk_err.h"

/* Exit codes */
#define ADMIN_OK 0
#define ADMIN_FAILED 1
#define ADMIN_USAGE 2

/* Options that each level takes. */
typedef struct admin_options {
    bool json;
} admin_options;

typedef struct admin_command {
    const char *name;
    int (*run)(admin_options *o, int argc, char **argv); /* argv[0] is the command's name; gives an exit code */
} admin_command;

/* admin_dispatch reads the common options in front of a subcommand's name and runs it. The table ends with a NULL name. path is what the user
 * typed up to here ("gk-admin keyring"); help is this level's own. */
int admin_dispatch(admin_options *o, const char *path, const char *help, const admin_command *table, int argc, char **argv);
/* admin_operands reads the common options anywhere among a leaf command's arguments. *argv is then the operands, of which there must be
 * exactly n; false when the command is done (help was printed, or the usage was wrong) with its exit code in *code. */
bool admin_operands(admin_options *o, const char *path, const char *help, int n, int argc, char ***argv, int *code);

/* admin_fail prints `gk-admin: error: CODE: text (hint: hint)` on stderr and returns ADMIN_FAILED. hint may be NULL. */
int admin_fail(const char *code, const char *hint, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* admin_usage does so with the code USAGE and a hint at `path --help`, and returns ADMIN_USAGE. */
int admin_usage(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* admin_code: "NOMEM" for GK_ERR_NOMEM, and so on. */
const char *admin_code(gk_err e);
/* admin_flush makes sure that what was printed on stdout got there: a full disk or a closed pipe is a failure. */
int admin_flush(void);

/* admin_hex writes 2 * n digits and a terminator to out. */
void admin_hex(char *out, const uint8_t *p, size_t n);
#define ADMIN_TIME 48
/* admin_time writes a Unix time in milliseconds as ISO 8601 in UTC: 2023-11-14T22:13:20.123Z. */
void admin_time(char out[ADMIN_TIME], uint64_t ms);

/* The commands */
int admin_keyring(admin_options *o, int argc, char **argv);

#endif
