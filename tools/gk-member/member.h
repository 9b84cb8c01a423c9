/* What the files of gk-member share. */
#ifndef GK_MEMBER_TOOL_H
#define GK_MEMBER_TOOL_H

#include "../../include/groupkeeper/member.h"
#include "../common/gk_cli.h"

typedef struct member_options {
    bool json, server_keyed;
    gkm_options m; /* group is the operand */
    const char *token_file, *trust_file;
    int64_t wait_ms;
} member_options;

/* member_parse reads the common options and the command's own; the one operand is the group (least 0: it may be missing). */
bool member_parse(member_options *o, const cli_option *own, const char *path, const char *help, int least, int argc, char **argv,
                  int *code);
/* member_fail tells about a result. */
int member_fail(gkm_result r, const char *why);
/* member_peek opens the state file alone, with the group's name from it where none was given. */
int member_peek(member_options *o, gkm **m);

int member_join(int argc, char **argv);
int member_run(int argc, char **argv);
int member_show(int argc, char **argv);
int member_leave(int argc, char **argv);
int member_refresh(int argc, char **argv);
int member_seal(int argc, char **argv);
int member_open(int argc, char **argv);

#endif
