/* What the files of the controller share. The main thread owns everything but what stands behind `lock`; the pulse thread keeps the counter in
 * ZooKeeper moving or watches it (ctl_pulse.c), the link's thread sends heartbeats (gk_link.c), one thread waits for signals. */
#ifndef GK_CTL_H
#define GK_CTL_H

#include <cjson/cJSON.h>
#include <pthread.h>

#include "../../native/group/gk_group.h"
#include "../common/gk_tree.h"
#include "gk_controller.h"
#include "gk_link.h"

enum { CTL_TIMEOUT_MS = 5000, CTL_PULSE_MS = 100, CTL_KEEP_MS = 600000, CTL_RIDERS = 32, CTL_AUDIT_KEEP = 50000 };

/* A write that goes with a group's next multi: it happens when, and only when, that does. */
typedef struct ctl_rider {
    gk_write_kind kind;
    bool sequential;
    char path[GK_TREE_PATH];
    gk_mem data;
} ctl_rider;

/* A loose piece of work after a multi: a znode to delete. */
typedef struct ctl_names {
    char (*paths)[GK_TREE_PATH];
    size_t n, cap;
} ctl_names;

/* What this controller's disk remembers of a group: it accepts nothing older. */
typedef struct ctl_floor {
    uint8_t id[GK_GROUP_ID];
    uint64_t epoch;
    uint8_t hash[GK_HASH];
    uint32_t key; /* the state key that its snapshot was sealed under */
} ctl_floor;

typedef struct ctl_group {
    char name[GK_NAME_MAX + 1];
    gk_group *g;      /* NULL: has to be loaded */
    int64_t retry_ms; /* not before, after a failure (monotonic) */
    unsigned failures;
    bool behind;     /* it was followed as a standby: once more before it leads */
    bool recovering; /* an administrator asked to go on in spite of the floor */
    ctl_rider riders[CTL_RIDERS];
    size_t n_riders;
    cJSON *audit;       /* entries for the next multi */
    ctl_names spent;    /* requests to delete after the next commit with which none waits any more */
    uint64_t due_ms;    /* Unix time: nothing is to be done before, unless `dirty`; 0: look */
    uint64_t fresh_ms;  /* Unix time of the next freshness record */
    bool fresh_alone;   /* one with others failed: the next is written by itself */
    uint64_t clean_ms;  /* Unix time of the next cleaning */
    uint64_t no_snapshot; /* of this epoch: it has one that can't be replaced */
    double last_ms;     /* of the last rekey */
    bool dirty;         /* behind lock: its requests changed */
} ctl_group;

typedef struct ctl {
    const gk_controller_options *o;
    gk_zk *zk;
    gk_link *link;
    bool authenticated;
    gk_key *sign, *dh;
    gk_key *dh_old; /* the exchange key before, while a state key in ZooKeeper needs it */
    uint64_t dh_since_ms; /* when dh was published */
    int64_t rotate_ms; /* monotonic time of the next look at old keys */
    gk_authority *authority;
    gk_state_keys *state_keys;
    gk_control control;
    char state_dir[GK_TREE_PATH];
    int floor_fd;
    uint8_t audit_prev[GK_HASH];
    int64_t clean_ms, keys_ms;
    size_t cursor; /* where the next round through the groups begins */
    int64_t quiet_until; /* no campaign before: after a handover */
    ctl_floor *floors;
    size_t n_floors, cap_floors, floor_bytes; /* floor_bytes: written since the file was made anew */
    bool mine;       /* the authority names us */
    uint64_t judged; /* in this version */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    ctl_group **groups;
    size_t n_groups, cap_groups;
    bool leader, fenced, campaign, stop, reload, expired, woken;
    bool commands_dirty, authority_dirty, keys_dirty, live_missing, groups_dirty;
    bool sweep; /* many groups may be behind, or without a watch: ctl_groups_sweep */
    bool session_over; /* what was read before may be of another history */
    int32_t seen, seen_beat; /* versions of the epoch node and of the counter when the pulse thread said `campaign` */
    int32_t token;       /* version of the epoch node while leading */
    int64_t progress_ms; /* when the main thread was last seen */
} ctl;

/* --- ctl_main.c --- */
void ctl_set_fenced(ctl *c);

/* ctl_progress: the main thread is alive. */
void ctl_progress(ctl *c);

/* --- ctl_lead.c --- */
uint64_t ctl_lead(ctl *c); /* does all that is due; gives when more is, in Unix ms */

/* --- ctl_role.c --- */
void ctl_say_role(const ctl *c);
bool ctl_announce(ctl *c);                 /* the ephemeral node that shows people who is there */
void ctl_step_down(ctl *c, bool handover); /* handover: another one may take over at once, and we don't for a while */
void ctl_campaign(ctl *c);                 /* become the leader, if nobody else does first */

/* --- ctl_keys.c, ctl_shared.c: authority, exchange and state keys --- */
bool ctl_keys_open(ctl *c, char *why, size_t why_n); /* identity, own disk */
bool ctl_keys_exchange(ctl *c, char *why, size_t why_n); /* our X25519 key: loaded, or made */
bool ctl_keys_authority(ctl *c);                     /* follows the chain; false when it can't be read or we aren't in it */
bool ctl_keys_publish(ctl *c);                       /* our exchange key */
bool ctl_keys_read(ctl *c, bool *can_lead);          /* state keys that are there; can_lead false when the newest isn't for us */
uint32_t ctl_keys_newest(const ctl *c);
bool ctl_keys_renew(ctl *c);                         /* leader: a new state key when one is needed */
/* ctl_keys_floor: the highest epoch that this controller saw of a group; false: none. ctl_keys_remember raises it. */
const ctl_floor *ctl_keys_floor(const ctl *c, const uint8_t id[GK_GROUP_ID]);
void ctl_keys_remember(ctl *c, const gk_group *g);
void ctl_keys_close(ctl *c);

/* --- ctl_rotate.c --- */
void ctl_rotate_exchange(ctl *c); /* ours: a new one when it is time, the former one erased when nothing needs it */
void ctl_rotate_prune(ctl *c);    /* leader: state keys that nothing is sealed under */

/* --- ctl_pulse.c --- */
void *ctl_pulse(void *arg);

/* --- ctl_write.c: multis, riders, audit --- */
typedef enum ctl_outcome { CTL_DONE, CTL_FENCED, CTL_FAILED } ctl_outcome;

ctl_rider *ctl_ride(ctl_group *g, gk_write_kind kind, const char *path); /* NULL: no room, or no memory */
void ctl_riders_clear(ctl_group *g);
/* ctl_audit adds an entry to what goes with g's next multi. */
void ctl_audit(ctl_group *g, const char *action, const char *member, const char *by, gk_bytes reason);
/* ctl_multi: check of the fencing token, plan's strict writes (or none), g's riders, and the audit entries, all or nothing. */
ctl_outcome ctl_multi(ctl *c, ctl_group *g, const gk_plan *plan);
/* ctl_remove_squatter deletes, fenced, a node of that version that isn't a controller's and lies where one of ours belongs. */
bool ctl_remove_squatter(ctl *c, const char *path, int32_t version);
/* ctl_loose does a plan's loose writes and deletes g's spent requests. */
void ctl_loose(ctl *c, ctl_group *g, const gk_plan *plan);
void ctl_spend(ctl_names *l, const char *path);
void ctl_spend_all(ctl *c, ctl_names *l);
void ctl_expire(ctl *c, const char *folder, uint64_t age_ms); /* deletes its children that weren't written for so long */
bool ctl_audit_resume(ctl *c); /* the hash of the newest entry */
void ctl_audit_prune(ctl *c);  /* the oldest entries go, when there are many */

/* --- ctl_group.c, ctl_load.c --- */
ctl_group *ctl_group_find(ctl *c, const char *name);
ctl_group *ctl_group_by_id(ctl *c, const uint8_t id[GK_GROUP_ID]);
ctl_group *ctl_group_add(ctl *c, const char *name, gk_group *g);
void ctl_group_remove(ctl *c, ctl_group *g);
void ctl_group_drop(ctl_group *g, bool again_soon); /* frees the engine: it is loaded again */
bool ctl_group_list(ctl *c);                        /* reads groups/ */
bool ctl_group_ready(ctl *c, ctl_group *g);         /* loads it when it isn't */
/* ctl_group_turn does all that is due for g; gives when more is, in Unix ms. False: we don't lead any more. */
bool ctl_group_turn(ctl *c, ctl_group *g, uint64_t *due);
/* ctl_group_run makes and writes a plan with the riders; false: the group has to be loaded again, or we don't lead. */
ctl_outcome ctl_group_run(ctl *c, ctl_group *g, bool force);
void ctl_groups_free(ctl *c);
/* ctl_groups_follow keeps a standby warm: it redoes each epoch as it comes. */
void ctl_groups_follow(ctl *c);
/* ctl_groups_sweep brings a leader's groups up to date, many in one round trip; what has news is left for its turn. */
void ctl_groups_sweep(ctl *c);
/* ctl_group_recover finds the group that an administrator wants to go on in spite of the floor, and takes it as it is; NULL: there is none. */
ctl_group *ctl_group_recover(ctl *c, const uint8_t id[GK_GROUP_ID]);
uint64_t ctl_epoch(const ctl_group *g); /* 0: not loaded */

/* --- ctl_command.c --- */
/* ctl_commands executes what lies in commands/; false: we don't lead any more. */
bool ctl_commands(ctl *c, bool *handover);

/* --- ctl_query.c --- */
cJSON *ctl_query(ctl *c, ctl_group *g, gk_bytes question);

uint64_t ctl_now(void); /* Unix ms */

#endif
