/* gk_member_internal: what the files gk_member*.c share. */
#ifndef GK_MEMBER_INTERNAL_H
#define GK_MEMBER_INTERNAL_H

#include "gk_lkh.h"
#include "gk_member.h"

#define GK_PATH_NODES 64
#define GK_MISSED_MAX 64

typedef struct gk_path_node {
    uint64_t id;
    gk_key *key;
} gk_path_node;

/* Bottom up: [0] is the leaf, the last one the root. */
typedef struct gk_path {
    gk_path_node nodes[GK_PATH_NODES];
    size_t n;
} gk_path;

typedef struct gk_missed {
    uint64_t from, to;
    uint8_t why; /* 1 past the ring or couldn't be opened, then refreshed; 2 KEK overwritten */
} gk_missed;

struct gk_member {
    char group_name[GK_NAME_MAX + 1];
    char name[GK_NAME_MAX + 1];
    uint8_t trust[GK_HASH];
    gk_genesis genesis;
    bool have_genesis;
    gk_authority *authority;
    gk_key *sign;
    gk_signer *signer;
    gk_mem chain;
    gk_member_state state;
    /* a request that waits for its reply */
    bool awaits;
    uint8_t request_hash[GK_HASH];
    gk_key *reply_key;
    gk_refusal refusal;
    /* keys */
    gk_path path;
    uint64_t epoch;
    uint8_t hash[GK_HASH], body_hash[GK_HASH];
    gk_key *group_key, *former_key; /* former: of former_epoch, in memory alone */
    uint64_t former_epoch;
    gk_path_node kek; /* opened, for kek_epoch */
    uint64_t kek_epoch;
    /* what signatures vouched for */
    uint64_t controller_epoch, authority_least;
    uint64_t fresh_epoch, fresh_controller; /* of the last sign of life: what comes after that epoch is by that controller or a later one */
    uint64_t issued_ms, alive_ms;
    uint32_t max_age_s, ring;
    uint64_t highest;
    /* hints, not saved */
    uint64_t hint_lowest, hint_highest;
    bool needs_kek, needs_authority, needs_refresh;
    gk_missed missed[GK_MISSED_MAX];
    size_t missed_n;
    uint64_t counts[GK_FED_COUNT];
    bool dirty;
};

void gk_path_clear(gk_path *p);
void gk_member_erase(gk_member *m);
void gk_member_miss(gk_member *m, uint64_t from, uint64_t to, uint8_t why);
gk_err gk_member_take_path(gk_path *p, gk_reader *r) GK_MUST_CHECK;

#endif
