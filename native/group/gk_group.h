/* gk_group: the controller's engine for one group: it holds the tree of keys, decides about requests and commands, and turns what is to be done
 * into plans: lists of znodes to write. It never writes itself. docs/FORMAT.md, "Paths" and "Controllers' state".
 *
 * A leader: gk_group_create or gk_group_load + gk_group_chunk + gk_group_follow -> gk_group_request, gk_group_command as they arrive ->
 * at gk_group_due: gk_group_plan -> one multi {check(controllers/epoch, fencing token), strict writes} -> gk_group_commit -> loose writes.
 * When the outcome of the multi isn't known, the same plan is tried again; when it says that epochs/<n> exists, compare the znode: the same
 * bytes mean that it went through. When it failed for another reason (above all the check), free the engine and load anew: that is
 * the roll-back, nothing of the plan was ever visible. So no operation is ever half done, and there is no separate intent record.
 * A standby: loads once, then gk_group_follow for each epochs/<n>, gk_group_side, gk_group_policy: at takeover it has everything.
 * An object belongs to one thread at a time. */
#ifndef GK_GROUP_H
#define GK_GROUP_H

#include "gk_admission.h"
#include "gk_epoch.h"
#include "gk_statekey.h"

#define GK_PATH_MAX 200
#define GK_GROUP_FLAT_MAX 1024 /* members of a flat group: all their KEK messages go into one multi */
#define GK_GROUP_BATCH_MAX 256 /* admissions in one rekey; the rest waits for the next */

typedef struct gk_group gk_group;

/* gk_control: what all groups of a controller share. Borrowed: it outlives the groups; its owner changes it between calls only. */
typedef struct gk_control {
    const gk_key *sign;             /* GK_PURPOSE_SIGN: the controller's identity */
    const gk_authority *authority;  /* the newest */
    uint64_t controller_epoch;      /* the fencing token */
    const gk_state_keys *state_keys;
} gk_control;

/* --- plans ------------------------------------------------------------------------------------------------------------------ */

typedef enum gk_write_kind { GK_WRITE_CREATE = 1, GK_WRITE_SET = 2, GK_WRITE_DELETE = 3 } gk_write_kind;

typedef struct gk_write {
    gk_write_kind kind;
    bool loose;             /* not in the multi: afterwards, each alone; NONODE and NODEEXISTS are fine */
    char path[GK_PATH_MAX]; /* below the group's node, e.g. "epochs/43"; "" is the group's node itself */
    gk_mem data;            /* SET and CREATE */
} gk_write;

typedef struct gk_plan {
    gk_write *writes;
    size_t n;
    size_t cap;
    /* of the epoch message in it; epoch 0: none */
    uint64_t epoch;
    uint8_t reason;       /* gk_reason */
    uint32_t wraps;
    uint32_t key_writes;  /* znodes that members read: 1, in flat mode more */
    size_t key_bytes;
    uint32_t joined, left;
} gk_plan;

/* gk_plan_clear frees what is in it. All versions are -1: only the fencing check decides who writes. */
void gk_plan_clear(gk_plan *p);

/* --- making and loading ------------------------------------------------------------------------------------------------------- */

/* gk_group_create: a new group with epoch 1 and no members. The plan creates the group's node and all below it. */
gk_err gk_group_create(gk_group **out, const gk_control *c, gk_bytes genesis, gk_bytes policy, uint64_t now_ms, gk_plan *plan) GK_MUST_CHECK;
/* gk_group_load begins with the znodes genesis, policy and state (the signed head). Then gk_group_chunk for i in [0, chunks): the znode
 * state/<epoch>-<i>. Then gk_group_side with the znode side, then gk_group_follow for epochs/<gk_group_epoch + 1>, ... */
gk_err gk_group_load(gk_group **out, const gk_control *c, gk_bytes genesis, gk_bytes policy, gk_bytes head) GK_MUST_CHECK;
size_t gk_group_chunks(const gk_group *g, uint64_t *epoch);
gk_err gk_group_chunk(gk_group *g, size_t i, gk_bytes data) GK_MUST_CHECK;
/* gk_group_follow redoes what another controller did, and checks that it comes to the same message. GK_ERR_STATE: not the next epoch. */
gk_err gk_group_follow(gk_group *g, gk_bytes znode) GK_MUST_CHECK;
/* gk_group_is_foreign: a znode that lies at epochs/<the next> and that gk_group_follow refused isn't a controller's: somebody wrote it who may write there.
 * False also when g is broken, or can't tell: it is sealed under a state key that isn't here, and a controller signed it. */
bool gk_group_is_foreign(const gk_group *g, gk_bytes znode);
/* gk_group_head: the znode state as it is now, after gk_group_follow: another controller may have made a snapshot since, whose chunks are neither in
 * the way nor to be left behind. GK_ERR_STATE: it isn't of this group's past: load anew. */
gk_err gk_group_head(gk_group *g, gk_bytes record) GK_MUST_CHECK;
/* gk_group_side, gk_group_policy: the znodes side and policy changed. A side of an epoch to come is taken over by gk_group_follow when it is
 * reached. GK_ERR_STATE: it is of an epoch before (it overtook on its way here): load anew. */
gk_err gk_group_side(gk_group *g, gk_bytes data) GK_MUST_CHECK;
gk_err gk_group_policy(gk_group *g, gk_bytes record) GK_MUST_CHECK;
/* gk_group_floor: what this controller's own disk says: GK_ERR_AUTH when g is older, or has another message for that epoch. */
gk_err gk_group_floor(const gk_group *g, uint64_t epoch, const uint8_t hash[GK_HASH]) GK_MUST_CHECK;
/* gk_group_recover: after ZooKeeper was set back to an older state, and an administrator said so (GK_OP_RECOVER): the next epoch comes after `epoch`,
 * the highest that any controller's disk knows. Members that were further than this state have to refresh; none goes back. Make a snapshot next. */
gk_err gk_group_recover(gk_group *g, uint64_t epoch) GK_MUST_CHECK;
void gk_group_free(gk_group *g);

/* --- requests and commands ------------------------------------------------------------------------------------------------- */

/* gk_group_request: one znode of requests/. GK_REFUSAL_NONE: it will be in the next plan. PENDING: it waits for an administrator. Else it is
 * refused and counted; where there is somebody to tell, the next plan has a loose reply. The caller deletes the request's znode (loosely): at
 * once when refused, after the plan's commit when not; a PENDING one may stay or go, it is remembered. */
gk_refusal gk_group_request(gk_group *g, gk_bytes data, uint64_t now_ms) GK_MUST_CHECK;
/* gk_group_command: a command that gk_command_read has verified and whose target this group is. DELETE, QUERY, HANDOVER and CREATE aren't for
 * here (GK_REFUSAL_STATE). The change is durable after the next plan's commit. */
gk_refusal gk_group_command(gk_group *g, const gk_command *c, uint64_t now_ms) GK_MUST_CHECK;
/* gk_group_due: when gk_group_plan has something to do, in Unix ms; UINT64_MAX: never. */
uint64_t gk_group_due(const gk_group *g);
/* gk_group_plan: all that is due (force: all that waits, without waiting for the batch window) as one multi. GK_ERR_NOTFOUND: nothing. Only one plan
 * is out at a time (GK_ERR_STATE). GK_ERR_AUTH: the policy isn't the one that sealed state names (ZooKeeper shows another, or an older one):
 * nothing is admitted under it; load anew. */
gk_err gk_group_plan(gk_group *g, uint64_t now_ms, bool force, gk_plan *plan) GK_MUST_CHECK;
/* gk_group_commit: the multi went through. */
void gk_group_commit(gk_group *g);
/* gk_group_fresh: the record for the znode fresh, to be set every max age / 3 (strict: under the fencing check). */
gk_err gk_group_fresh(const gk_group *g, uint64_t now_ms, gk_mem *out) GK_MUST_CHECK;
/* gk_group_snapshot_due, gk_group_snapshot: the state as chunks. plans[0..n) are run one after the other, each fenced, then
 * gk_group_snapshot_done; the caller clears them and frees the array. Other plans may go between them. GK_ERR_STATE: this
 * epoch has a snapshot, and it is too large to be replaced in one multi: after the next epoch. oldest: the lowest number in epochs/. */
bool gk_group_snapshot_due(const gk_group *g);
/* gk_group_usable: false when g took half of an epoch: it has to be loaded anew. */
bool gk_group_usable(const gk_group *g);
/* gk_group_sealed_with: the index of the state key that the last snapshot is sealed under. */
uint32_t gk_group_sealed_with(const gk_group *g);
gk_err gk_group_snapshot(gk_group *g, uint64_t oldest, gk_plan **plans, size_t *n) GK_MUST_CHECK;
void gk_group_snapshot_done(gk_group *g);

/* --- looking ------------------------------------------------------------------------------------------------------------------ */

typedef struct gk_group_info {
    gk_genesis genesis;
    gk_policy policy; /* views live until the next call that changes g */
    uint64_t epoch;
    uint64_t issued_ms;
    uint8_t hash[GK_HASH]; /* of the epoch's message */
    uint32_t members;
    uint32_t pending;      /* requests that wait for approval */
    uint32_t queued;       /* for the next rekey */
    uint32_t tokens;
    uint32_t denied;
    uint8_t last_reason;
    uint32_t last_wraps;
    uint32_t last_key_writes;
    size_t last_key_bytes;
    uint32_t height;       /* of the tree */
    size_t memory;         /* bytes, about */
} gk_group_info;

typedef enum gk_person_state { GK_PERSON_ACTIVE = 1, GK_PERSON_PENDING = 2, GK_PERSON_DENIED = 3 } gk_person_state;

typedef struct gk_person {
    gk_person_state state;
    const char *name;
    uint8_t identity[GK_HASH];
    uint64_t leaf;        /* active */
    uint64_t since_epoch; /* active: of admission; denied: of eviction */
    uint8_t request[GK_HASH]; /* pending */
} gk_person;

gk_err gk_group_look(const gk_group *g, gk_group_info *out) GK_MUST_CHECK;
/* gk_group_fingerprint: of the group key, which it derives. */
gk_err gk_group_fingerprint(const gk_group *g, uint8_t out[8]) GK_MUST_CHECK;
/* gk_group_person: the i-th of all, active ones first; false behind the last. The views live until the next call that changes g. */
bool gk_group_person(const gk_group *g, size_t i, gk_person *out);
bool gk_group_find(const gk_group *g, gk_bytes name, gk_person *out);
/* gk_group_refused: how many requests were refused for this reason since the engine was made. */
uint64_t gk_group_refused(const gk_group *g, gk_refusal r);

#endif
