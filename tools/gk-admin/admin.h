/* What the files of gk-admin share: the options common to all commands, and the commands. One file per command; each has a table of its
 * subcommands or does the work. Everything here belongs to the one main thread. */
#ifndef GK_ADMIN_H
#define GK_ADMIN_H

#include "../common/gk_cli.h"

/* Options that each level takes. */
typedef struct admin_options {
    bool json;
    const char *connect, *ca, *cert, *key, *auth_file, *root, *admin_key;
    int64_t timeout_ms;
} admin_options;

typedef struct admin_command {
    const char *name;
    int (*run)(admin_options *o, int argc, char **argv); /* argv[0] is the command's name; gives an exit code */
} admin_command;

/* admin_dispatch reads the common options in front of a subcommand's name and runs it. The table ends with a NULL name. path is what the user
 * typed up to here ("gk-admin keyring"); help is this level's own. */
int admin_dispatch(admin_options *o, const char *path, const char *help, const admin_command *table, int argc, char **argv);
/* admin_parse reads the common options and the command's own (or NULL) anywhere among a leaf command's arguments; *argc and *argv are then the
 * operands, least to most of them. False when the command is done (help was printed, or the usage was wrong) with its exit code in *code. */
bool admin_parse(admin_options *o, const cli_option *own, const char *path, const char *help, int least, int most, int *argc, char ***argv,
                 int *code);

/* The commands */
int admin_keyring(admin_options *o, int argc, char **argv);
int admin_identity(admin_options *o, int argc, char **argv);
int admin_setup(admin_options *o, int argc, char **argv);
int admin_controller(admin_options *o, int argc, char **argv);
int admin_ca(admin_options *o, int argc, char **argv);
int admin_group(admin_options *o, int argc, char **argv);
int admin_group_policy(admin_options *o, int argc, char **argv);
int admin_member(admin_options *o, int argc, char **argv);
int admin_token(admin_options *o, int argc, char **argv);
int admin_servers(admin_options *o, int argc, char **argv);
int admin_audit(admin_options *o, int argc, char **argv);
int admin_doctor(admin_options *o, int argc, char **argv);

/* admin_controllers_change signs the authority record with or without the controller whose public key is in file. */
int admin_controllers_change(admin_options *o, bool add, const char *file);

#endif
