/* gk_grouprig: a group with its controllers and members in one process: znodes are a list in memory, time is a number. Everything else is the real
 * code. It aborts where a test can't go on. */
#ifndef GK_GROUPRIG_H
#define GK_GROUPRIG_H

#include "../../native/group/gk_group_internal.h"
#include "../../native/group/gk_member_internal.h"

typedef struct gk_znode {
    char path[GK_PATH_MAX];
    gk_mem data;
} gk_znode;

typedef struct gk_zk {
    gk_znode *nodes;
    size_t n, cap;
    size_t writes; /* that were done */
} gk_zk;

/* gk_zk_get: empty when there is none. */
gk_bytes gk_zk_get(const gk_zk *zk, const char *path);
bool gk_zk_has(const gk_zk *zk, const char *path);
void gk_zk_put(gk_zk *zk, const char *path, gk_bytes data);
void gk_zk_free(gk_zk *zk);
/* gk_zk_run does a plan as ZooKeeper does: all strict writes or none (then it aborts), loose ones as far as they go. */
void gk_zk_run(gk_zk *zk, const gk_plan *p);

typedef struct gk_grouprig {
    gk_key *admin, *controllers[3], *dh[3];
    gk_authority *authority;
    gk_mem authority_record, genesis_record, policy_record;
    gk_genesis genesis;
    gk_state_keys *state_keys[3];
    gk_control control[3]; /* three controllers; [0] leads */
    gk_group *group;
    gk_zk zk;
    uint64_t now;
    gk_plan last;          /* what the last gk_rig_step did */
} gk_grouprig;

#define grig_must(x) ((x) ? (void)0 : grig_die(#x, __FILE__, __LINE__))
void grig_die(const char *what, const char *file, int line);
gk_key *grig_key(gk_purpose purpose);

/* grig_open: admit = any with a token or by an Ed25519 key when approved (policy NULL: token alone). */
void grig_open(gk_grouprig *r, gk_mode mode, const gk_policy *policy);
void grig_close(gk_grouprig *r);
/* grig_step plans with force and commits; false when there was nothing to do. Time goes on by a second. */
bool grig_step(gk_grouprig *r);
gk_refusal grig_command(gk_grouprig *r, gk_op op, const char *name, gk_bytes blob, const uint8_t *hash);
/* grig_token makes a token with so many uses and gives it to the group. */
void grig_token(gk_grouprig *r, char text[GK_TOKEN_TEXT + 1], uint32_t uses);
/* grig_member: a member that trusts the genesis and knows the authority. */
gk_member *grig_member(gk_grouprig *r, const char *name);
/* grig_ask puts a request to the engine. */
gk_refusal grig_ask(gk_grouprig *r, gk_member *m, gk_request_kind kind, const char *token);
/* grig_take_reply feeds the reply to the last request. */
gk_verdict grig_take_reply(gk_grouprig *r, gk_member *m);
/* grig_join: ask with a token, step, reply. */
gk_member *grig_join(gk_grouprig *r, const char *name, const char *token);
/* grig_follow lets a member read all that it says it needs; returns the last verdict. */
gk_verdict grig_follow(gk_grouprig *r, gk_member *m);
/* grig_load: another controller's engine from what lies in ZooKeeper. */
gk_err grig_load(gk_grouprig *r, size_t controller, gk_group **out);
bool grig_same_key(const gk_member *a, const gk_member *b);

#endif
