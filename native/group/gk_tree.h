/* gk_tree: the shape of a logical key hierarchy (RFC 2627): a binary tree of members, and which nodes a change makes new. It knows nothing of
 * what keys mean; it frees them with their nodes. Not thread-safe. docs/FORMAT.md, "The tree": its shape is part of the format, because
 * controllers redo each other's changes.
 *
 * Without leavers, each joiner splits the leftmost of the shallowest leaves, and what stands above is derived. With leavers, every node above
 * one is given up; what hangs off (the "units") is put together anew, always the two lowest first, so the same number of wraps also
 * balances the tree. While the tree would be higher than ceil(log2 n) + 1, the highest unit is opened for two wraps more, as long as the
 * whole stays within 2 ceil(log2 n) + 2 wraps for one leaver. */
#ifndef GK_TREE_H
#define GK_TREE_H

#include "../crypto/gk_key.h"

#define GK_NIL UINT32_MAX

enum { GK_NODE_NEW = 1, GK_NODE_DERIVED = 2, GK_NODE_BROKEN = 4, GK_NODE_LEAVES = 8 };

typedef struct gk_tree_node {
    uint64_t id;
    gk_key *key;  /* owned; may be NULL */
    uint64_t at;  /* of a leaf: the epoch up to which its key is ratcheted */
    uint32_t parent, left, right; /* indices, GK_NIL: none; a leaf has no children */
    uint32_t n;   /* leaves below, itself included */
    uint8_t hi, lo; /* of the leaves below: distance to the deepest and to the shallowest */
    uint8_t mark; /* GK_NODE_...: what the last change did to it */
} gk_tree_node;

typedef struct gk_tree {
    gk_tree_node *nodes;
    uint32_t cap, used, unused; /* unused: head of the list of free nodes, linked by parent */
    uint32_t root;
    uint64_t next_id;           /* ids are never reused */
    uint32_t *made, *derived;   /* by the last change: new inner nodes, children first; derived ones */
    uint32_t made_n, derived_n, list_cap;
    uint32_t opened;            /* units that the last change opened */
} gk_tree;

gk_err gk_tree_init(gk_tree *t) GK_MUST_CHECK;
void gk_tree_clear(gk_tree *t);
/* gk_tree_change removes `leavers` (indices of leaves) and adds joiners_n leaves, whose indices are given in joiners. After a failure the tree is
 * only good for gk_tree_clear. */
gk_err gk_tree_change(gk_tree *t, const uint32_t *leavers, uint32_t leavers_n, uint32_t *joiners, uint32_t joiners_n) GK_MUST_CHECK;
/* gk_tree_alloc, gk_tree_link: for loading: a free node; a leaf or (left and right given) an inner node with its
 * counts. gk_tree_release frees a node that nothing points to. */
gk_err gk_tree_alloc(gk_tree *t, uint32_t *out) GK_MUST_CHECK;
void gk_tree_link(gk_tree *t, uint32_t at, uint32_t left, uint32_t right);
void gk_tree_release(gk_tree *t, uint32_t at);
static inline bool gk_tree_is_leaf(const gk_tree *t, uint32_t i)
{
    return t->nodes[i].left == GK_NIL;
}
static inline uint32_t gk_tree_size(const gk_tree *t)
{
    return t->root == GK_NIL ? 0 : t->nodes[t->root].n;
}
/* gk_tree_log2: ceil(log2 n), 0 for 0 and 1. */
uint32_t gk_tree_log2(uint64_t n);

#endif
