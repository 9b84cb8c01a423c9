/* A group's policy as options and `key=value` pairs. */
#ifndef GK_ADMIN_POLICY_H
#define GK_ADMIN_POLICY_H

#include "session.h"

/* A policy with what its views point to. */
typedef struct policy_text {
    gk_policy p;
    gk_mem cas;
    gk_mem record; /* what it was read from */
} policy_text;

void policy_free(policy_text *t);
/* policy_admit adds an alternative: "x509", "token+manual". policy_set takes "key=value". Not CLI_OK: told. */
int policy_admit(policy_text *t, const char *text);
int policy_ca(policy_text *t, const char *file);
int policy_match(policy_text *t, const char *pattern);
int policy_set(policy_text *t, const char *pair);
/* policy_json shows it; policy_print as a table. */
cJSON *policy_json(const gk_policy *p);

#endif
