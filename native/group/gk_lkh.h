/* gk_lkh: the controller's keys of one group: a tree (gk_tree) of node keys, or in flat mode one KEK and the members' pairwise keys; and what a
 * change of them tells members. Not thread-safe. docs/FORMAT.md, "The tree". */
#ifndef GK_LKH_H
#define GK_LKH_H

#include "gk_epoch.h"
#include "gk_tree.h"

typedef struct gk_lkh {
    gk_mode mode;
    uint8_t group_id[GK_GROUP_ID];
    gk_tree tree;      /* flat mode: leaves alone, without a root */
    uint32_t members;
    uint64_t top_id;   /* a node above the tree's root, 0: none. It is what a period renews, and what a tree of less than two leaves needs */
    gk_key *top;
    uint64_t kek_id;   /* flat mode */
    gk_key *kek;
} gk_lkh;

/* What one change makes. */
typedef struct gk_rekey {
    gk_mem ops, wraps;    /* as in gk_epoch */
    uint64_t root;        /* id, and */
    const gk_key *root_key; /* key of the root: a view */
    bool kek;             /* flat mode: there is a new KEK, and each member gets a message with the one wrap of it in kek_wraps */
    gk_mem kek_wraps;     /* GK_EPOCH_WRAP each; the field `under` is the member's leaf */
} gk_rekey;

gk_err gk_lkh_init(gk_lkh *l, gk_mode mode, const uint8_t group_id[GK_GROUP_ID]) GK_MUST_CHECK;
void gk_lkh_clear(gk_lkh *l);
/* gk_lkh_change: from epoch - 1 to epoch. leavers and joiners as in gk_tree_change; neither: the root alone is renewed. All fresh keys come from
 * seed (GK_PURPOSE_NODE, random, used once), so a controller that has seed and salt comes to the same. After a failure *l is only good for
 * gk_lkh_clear. */
gk_err gk_lkh_change(gk_lkh *l, gk_rekey *out, uint64_t epoch, const gk_key *seed, const uint8_t salt[32], const uint32_t *leavers,
                     uint32_t leavers_n, uint32_t *joiners, uint32_t joiners_n) GK_MUST_CHECK;
void gk_rekey_clear(gk_rekey *r);
/* gk_lkh_grant writes all that a member at this leaf has to know at `epoch`: u64 leaf | key32 | u16 count | count * (u64 node | key32), bottom up. */
gk_err gk_lkh_grant(gk_lkh *l, gk_mem *out, uint32_t leaf, uint64_t epoch) GK_MUST_CHECK;
/* gk_lkh_catch_up ratchets a leaf's key. */
gk_err gk_lkh_catch_up(gk_lkh *l, uint32_t leaf, uint64_t epoch) GK_MUST_CHECK;
/* gk_lkh_save appends the whole to w; gk_lkh_load reads it; *leaves (freed by the caller) gives the leaves' indices in the order of saving. */
void gk_lkh_save(const gk_lkh *l, gk_writer *w);
gk_err gk_lkh_load(gk_lkh *l, gk_reader *r, uint32_t **leaves, uint32_t *leaves_n) GK_MUST_CHECK;
/* gk_lkh_leaves calls put for each leaf's index in the order of saving. */
void gk_lkh_leaves(const gk_lkh *l, void (*put)(void *arg, uint32_t leaf), void *arg);

/* --- what both sides compute -------------------------------------------------------------------------------------------------------- */

gk_err gk_node_wrap(uint8_t out[GK_WRAPPED], const uint8_t group_id[GK_GROUP_ID], uint64_t epoch, const uint8_t salt[32], uint64_t node,
                    uint64_t under, const gk_key *under_key, const gk_key *key) GK_MUST_CHECK;
gk_err gk_node_unwrap(gk_key **out, const uint8_t group_id[GK_GROUP_ID], uint64_t epoch, const uint8_t salt[32], uint64_t node, uint64_t under,
                      const gk_key *under_key, const uint8_t wrapped[GK_WRAPPED]) GK_MUST_CHECK;
/* gk_node_derive: HKDF-Expand(key, "lkh join" | group id | epoch | node | salt). */
gk_err gk_node_derive(gk_key **out, const gk_key *key, const uint8_t group_id[GK_GROUP_ID], uint64_t epoch, const uint8_t salt[32],
                      uint64_t node) GK_MUST_CHECK;
/* gk_leaf_ratchet: HKDF-Expand(leaf key of epoch - 1, "leaf" | group id | epoch). */
gk_err gk_leaf_ratchet(gk_key **out, const gk_key *key, const uint8_t group_id[GK_GROUP_ID], uint64_t epoch) GK_MUST_CHECK;

#endif
