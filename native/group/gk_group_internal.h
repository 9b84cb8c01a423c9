/* gk_group_internal: what the files gk_group*.c share. */
#ifndef GK_GROUP_INTERNAL_H
#define GK_GROUP_INTERNAL_H

#include <string.h>

#include "gk_group.h"
#include "gk_lkh.h"
#include "gk_side.h"

#define GK_RATE_SLOTS 4096
#define GK_CHUNK 524288
#define GK_DELTA_ALGORITHM 1 /* of the tree's shape and of deltas: gk_tree.h, docs/FORMAT.md */

typedef enum gk_work_kind { GK_WORK_JOIN = 1, GK_WORK_LEAVE = 2, GK_WORK_EVICT = 3, GK_WORK_REFRESH = 4 } gk_work_kind;

/* One thing that waits for the next plan. */
typedef struct gk_work {
    gk_work_kind kind;
    char name[GK_NAME_MAX + 1];
    gk_request request; /* its views and cert are not valid any more */
    bool uses_token;
    uint64_t arrived_ms;
} gk_work;

struct gk_group {
    const gk_control *control;
    gk_genesis genesis;
    gk_mem policy_record;
    gk_policy policy;
    uint8_t policy_hash[GK_HASH]; /* SHA-256 of the record; sealed state says which one it has to be (side.policy) */
    gk_lkh lkh;
    gk_roster roster;
    gk_side side;
    /* the last epoch */
    gk_epoch last; /* its views are empty */
    uint32_t last_wraps, last_key_writes;
    size_t last_key_bytes;
    /* what waits */
    gk_work *work;
    size_t work_n, work_cap;
    gk_plan outbox; /* loose writes */
    uint8_t rekey;  /* gk_reason, 0: none asked for */
    bool side_dirty, policy_dirty, deny_dirty;
    bool out;    /* a plan is out */
    bool broken; /* half done in memory: good for nothing but gk_group_free */
    bool ready;  /* loaded */
    /* snapshots */
    uint64_t snapshot_epoch, snapshot_next;
    uint32_t snapshot_chunks, snapshot_next_chunks;
    uint32_t sealed_with; /* state key of the last snapshot */
    uint32_t least_key;   /* of the last epoch or, without one, of the snapshot: what comes later isn't sealed under older ones */
    size_t log_bytes, snapshot_bytes;
    uint64_t mark_epoch, mark_ms; /* an epoch, and when it was the newest */
    uint64_t aged_epoch;          /* all up to this one were made more than the max age ago */
    uint32_t chunks_seen;
    gk_mem loading;
    size_t loading_n;
    gk_mem later; /* a side znode of an epoch to come */
    uint64_t later_epoch;
    uint64_t needs_serial; /* of the side znode, by the last delta */
    /* limits */
    struct {
        uint64_t id;
        uint32_t n;
    } rates[GK_RATE_SLOTS];
    uint64_t rates_minute;
    uint64_t refused[GK_REFUSAL_COUNT];
};

gk_err gk_plan_add(gk_plan *p, gk_write_kind kind, bool loose, gk_mem *data, const char *format, ...) GK_MUST_CHECK
    __attribute__((format(printf, 5, 6)));
/* gk_group_policy_ok: the policy that lay in ZooKeeper is the one that controllers took over from an administrator. */
static inline bool gk_group_policy_ok(const gk_group *g)
{
    return memcmp(g->policy_hash, g->side.policy, GK_HASH) == 0;
}
void gk_hex_text(char *out, const uint8_t *in, size_t n);
gk_err gk_group_new(gk_group **out, const gk_control *c, gk_bytes genesis, gk_bytes policy, bool created) GK_MUST_CHECK;
/* gk_group_batch_most: so many requests that their epoch, with side and deny list, is a multi that ZooKeeper takes: each costs up to two wraps and a key of its
 * reply per level, and its own entries. */
size_t gk_group_batch_most(const gk_group *g);
/* gk_group_apply does to keys, roster and side what a delta says. nodes (GK_GROUP_BATCH_MAX) gets the joiners' leaves. */
gk_err gk_group_apply(gk_group *g, gk_bytes delta, uint64_t epoch, const uint8_t salt[32], uint64_t now_ms, gk_rekey *out, uint32_t *nodes,
                      uint32_t *nodes_n) GK_MUST_CHECK;
gk_err gk_group_first(gk_group *g, gk_plan *plan, uint64_t now_ms) GK_MUST_CHECK;
void gk_group_set_last(gk_group *g, const gk_epoch *e, const gk_rekey *k, size_t message_n);
gk_bytes gk_group_aad(const gk_group *g, uint8_t buf[96], const char *what, uint64_t epoch, uint32_t i, uint32_t n, const uint8_t *hash);
gk_err gk_group_put_side(gk_group *g, gk_plan *plan, bool create, uint64_t now_ms) GK_MUST_CHECK;
gk_err gk_group_queue(gk_group *g, const gk_work *w) GK_MUST_CHECK;
gk_err gk_group_reply(gk_group *g, gk_plan *plan, const gk_request *r, gk_refusal refusal, uint32_t leaf, bool loose) GK_MUST_CHECK;

/* gk_group_outdated: the newest epoch was made under a former authority record, whose controllers may still sign another one. */
bool gk_group_outdated(const gk_group *g);

#endif
