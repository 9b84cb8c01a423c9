/* What commands that talk to ZooKeeper share: a connection, the authority, the administrator's key; commands to the leader and their results. */
#ifndef GK_ADMIN_SESSION_H
#define GK_ADMIN_SESSION_H

#include "../common/gk_tree.h"
#include "admin.h"

typedef struct admin_session {
    const admin_options *o;
    gk_zk *zk;
    gk_authority *authority; /* NULL before setup */
    gk_key *key;             /* NULL when the command needs none */
    bool authenticated;      /* the connection has an identity of ZooKeeper's: nodes get ACLs */
    int timeout_ms;
} admin_session;

/* admin_open connects, follows the authority chain and loads the administrator's key. Not CLI_OK: it was told, and s is closed. */
int admin_open(admin_session *s, const admin_options *o, bool want_key, bool want_authority);
void admin_close(admin_session *s);
/* admin_zk_fail tells about a code of ZooKeeper's. */
int admin_zk_fail(admin_session *s, int rc, const char *what);
/* admin_key_file: --admin-key, or the default place. */
const char *admin_key_file(const admin_options *o, char *buffer, size_t n);

/* admin_genesis reads and verifies a group's genesis. */
int admin_genesis(admin_session *s, const char *group, gk_genesis *out, gk_mem *record);
/* admin_send signs c (target, op, hash, name, blob and reason are set), leaves it for the leader and waits for the signed result: a document for
 * the caller to delete. Not CLI_OK: told already, whether there was no answer or a refusal. */
int admin_send(admin_session *s, gk_command *c, cJSON **result);
/* admin_query asks the leader; group NULL: about the controllers. */
int admin_query(admin_session *s, const char *group, cJSON *question, cJSON **result);
/* admin_group_command: one that is done when it is answered; prints done, or the result as JSON. */
int admin_group_command(const admin_options *o, const char *group, gk_command *c, const char *reason, const char *done);
/* admin_confirm: destroying commands need --yes, or a person who types the name. */
int admin_confirm(bool yes, const char *what, const char *name);

/* The value of a member of an object, or a fallback. */
const char *admin_text(const cJSON *doc, const char *key);
double admin_number(const cJSON *doc, const char *key);

#endif
