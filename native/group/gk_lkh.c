#include "gk_lkh.h"

#include <stdlib.h>
#include <string.h>

gk_err gk_lkh_init(gk_lkh *l, gk_mode mode, const uint8_t group_id[GK_GROUP_ID])
{
    *l = (gk_lkh){.mode = mode};
    memcpy(l->group_id, group_id, GK_GROUP_ID);
    return gk_tree_init(&l->tree);
}

void gk_lkh_clear(gk_lkh *l)
{
    gk_tree_clear(&l->tree);
    gk_key_free(l->top);
    gk_key_free(l->kek);
    *l = (gk_lkh){0};
}

void gk_rekey_clear(gk_rekey *r)
{
    gk_mem_free(&r->ops);
    gk_mem_free(&r->wraps);
    gk_mem_free(&r->kek_wraps);
    *r = (gk_rekey){0};
}

/* --- what both sides compute ---------------------------------------------------------------------------------------------------------- */

static gk_bytes wrap_ad(uint8_t buf[80], const uint8_t group_id[GK_GROUP_ID], uint64_t epoch, uint64_t node, uint64_t under)
{
    gk_writer w = gk_writer_of(buf, 80);

    gk_writer_u16(&w, sizeof(GK_LABEL "wrap") - 1);
    gk_writer_put(&w, GK_LABEL "wrap", sizeof(GK_LABEL "wrap") - 1);
    gk_writer_put(&w, group_id, GK_GROUP_ID);
    gk_writer_u64(&w, epoch);
    gk_writer_u64(&w, node);
    gk_writer_u64(&w, under);
    return (gk_bytes){buf, w.len};
}

gk_err gk_node_wrap(uint8_t out[GK_WRAPPED], const uint8_t group_id[GK_GROUP_ID], uint64_t epoch, const uint8_t salt[32], uint64_t node,
                    uint64_t under, const gk_key *under_key, const gk_key *key)
{
    uint8_t buf[80];

    return gk_wrap(out, under_key, wrap_ad(buf, group_id, epoch, node, under), (gk_bytes){salt, 32}, key);
}

gk_err gk_node_unwrap(gk_key **out, const uint8_t group_id[GK_GROUP_ID], uint64_t epoch, const uint8_t salt[32], uint64_t node, uint64_t under,
                      const gk_key *under_key, const uint8_t wrapped[GK_WRAPPED])
{
    uint8_t buf[80];

    return gk_unwrap(out, under_key, wrap_ad(buf, group_id, epoch, node, under), (gk_bytes){salt, 32}, wrapped);
}

static gk_err expand_node(gk_key **out, const gk_key *key, const char *label, const uint8_t group_id[GK_GROUP_ID], uint64_t epoch, uint64_t node,
                          const uint8_t *salt)
{
    uint8_t buf[GK_GROUP_ID + 8 + 8 + 32];
    gk_writer w = gk_writer_of(buf, sizeof(buf));

    gk_writer_put(&w, group_id, GK_GROUP_ID);
    gk_writer_u64(&w, epoch);
    if (node != 0)
        gk_writer_u64(&w, node);
    if (salt != NULL)
        gk_writer_put(&w, salt, 32);
    return gk_expand(out, GK_PURPOSE_NODE, key, label, (gk_bytes){buf, w.len});
}

gk_err gk_node_derive(gk_key **out, const gk_key *key, const uint8_t group_id[GK_GROUP_ID], uint64_t epoch, const uint8_t salt[32], uint64_t node)
{
    return expand_node(out, key, "lkh join", group_id, epoch, node, salt);
}

gk_err gk_leaf_ratchet(gk_key **out, const gk_key *key, const uint8_t group_id[GK_GROUP_ID], uint64_t epoch)
{
    return expand_node(out, key, "leaf", group_id, epoch, 0, NULL);
}

/* --- a change --------------------------------------------------------------------------------------------------------------------------- */

typedef struct change {
    gk_lkh *l;
    uint64_t epoch;
    const gk_key *seed;
    const uint8_t *salt;
    gk_writer ops, wraps, kek_wraps;
} change;

static gk_err fresh(const change *c, gk_key **out, uint64_t node)
{
    gk_key *k = NULL;
    gk_err e = expand_node(&k, c->seed, "fresh", c->l->group_id, c->epoch, node, NULL);

    gk_key_free(*out);
    *out = k;
    return e;
}

static void op(change *c, gk_tree_op what, uint64_t id)
{
    gk_writer_u8(&c->ops, (uint8_t)what);
    gk_writer_u64(&c->ops, id);
}

static gk_err wrap(change *c, gk_writer *w, uint64_t node, const gk_key *key, uint64_t under, const gk_key *under_key)
{
    uint8_t out[GK_WRAPPED];
    gk_err e = gk_node_wrap(out, c->l->group_id, c->epoch, c->salt, node, under, under_key, key);

    gk_writer_u64(w, node);
    gk_writer_u64(w, under);
    gk_writer_put(w, out, sizeof(out));
    return e == GK_OK ? w->err : e;
}

/* ratchet_to: lazily, just before a leaf's key is used. */
static gk_err ratchet_to(gk_lkh *l, gk_tree_node *x, uint64_t epoch)
{
    gk_err e = GK_OK;

    while (x->at < epoch && e == GK_OK) {
        gk_key *k = NULL;

        e = gk_leaf_ratchet(&k, x->key, l->group_id, x->at + 1);
        if (e != GK_OK)
            break;
        gk_key_free(x->key);
        x->key = k;
        x->at++;
    }
    return e;
}

/* wrap_under_child: a new leaf needs none, because what its member has to know is in its grant. */
static gk_err wrap_under_child(change *c, uint64_t node, const gk_key *key, uint32_t child)
{
    gk_tree *t = &c->l->tree;
    gk_tree_node *x = &t->nodes[child];
    gk_err e = GK_OK;

    if (gk_tree_is_leaf(t, child)) {
        if (x->mark == GK_NODE_NEW)
            return GK_OK;
        e = ratchet_to(c->l, x, c->epoch - 1);
    }
    return e == GK_OK ? wrap(c, &c->wraps, node, key, x->id, x->key) : e;
}

/* renew_top gives the group a fresh node above everything, under `under` (GK_NIL: nobody is there). */
static gk_err renew_top(change *c, uint32_t under)
{
    gk_lkh *l = c->l;
    gk_err e = GK_OK;

    l->top_id = l->tree.next_id++;
    e = fresh(c, &l->top, l->top_id);
    if (e != GK_OK)
        return e;
    if (l->mode == GK_MODE_FLAT)
        return l->kek == NULL ? GK_OK : wrap(c, &c->wraps, l->top_id, l->top, l->kek_id, l->kek);
    return under == GK_NIL ? GK_OK : wrap_under_child(c, l->top_id, l->top, under);
}

static gk_err change_tree(change *c, const uint32_t *leavers, uint32_t leavers_n, uint32_t *joiners, uint32_t joiners_n)
{
    gk_tree *t = &c->l->tree;
    gk_err e = GK_OK;

    for (uint32_t i = 0; i < leavers_n; i++)
        op(c, GK_TREE_REMOVE, t->nodes[leavers[i]].id);
    e = gk_tree_change(t, leavers, leavers_n, joiners, joiners_n);
    for (uint32_t i = 0; i < joiners_n && e == GK_OK; i++) {
        op(c, GK_TREE_ADD, t->nodes[joiners[i]].id);
        t->nodes[joiners[i]].at = c->epoch;
        e = fresh(c, &t->nodes[joiners[i]].key, t->nodes[joiners[i]].id);
    }
    for (uint32_t i = 0; i < t->derived_n && e == GK_OK; i++) {
        gk_tree_node *x = &t->nodes[t->derived[i]];
        gk_key *k = NULL;

        op(c, GK_TREE_DERIVE, x->id);
        e = gk_node_derive(&k, x->key, c->l->group_id, c->epoch, c->salt, x->id);
        gk_key_free(x->key);
        x->key = k;
    }
    for (uint32_t i = 0; i < t->made_n && e == GK_OK; i++) { /* children stand before their parents */
        gk_tree_node *x = &t->nodes[t->made[i]];

        e = fresh(c, &x->key, x->id);
        if (e == GK_OK)
            e = wrap_under_child(c, x->id, x->key, x->left);
        if (e == GK_OK)
            e = wrap_under_child(c, x->id, x->key, x->right);
    }
    return e;
}

/* change_flat: the paper's: a new KEK for everybody, in a znode each. */
static gk_err change_flat(change *c, const uint32_t *leavers, uint32_t leavers_n, uint32_t *joiners, uint32_t joiners_n)
{
    gk_lkh *l = c->l;
    gk_tree *t = &l->tree;
    gk_err e = GK_OK;

    for (uint32_t i = 0; i < leavers_n; i++) {
        op(c, GK_TREE_REMOVE, t->nodes[leavers[i]].id);
        gk_tree_release(t, leavers[i]);
    }
    l->kek_id = t->next_id++;
    e = fresh(c, &l->kek, l->kek_id);
    for (uint32_t i = 0; i < t->used && e == GK_OK; i++) {
        gk_tree_node *x = &t->nodes[i];

        if (x->id == 0)
            continue;
        e = ratchet_to(l, x, c->epoch - 1);
        if (e == GK_OK)
            e = wrap(c, &c->kek_wraps, l->kek_id, l->kek, x->id, x->key);
    }
    for (uint32_t i = 0; i < joiners_n && e == GK_OK; i++) {
        e = gk_tree_alloc(t, &joiners[i]);
        if (e != GK_OK)
            break;
        t->nodes[joiners[i]].id = t->next_id++;
        t->nodes[joiners[i]].at = c->epoch;
        op(c, GK_TREE_ADD, t->nodes[joiners[i]].id);
        e = fresh(c, &t->nodes[joiners[i]].key, t->nodes[joiners[i]].id);
    }
    return e;
}

static gk_err room(change *c, gk_rekey *out, uint32_t leavers_n, uint32_t joiners_n)
{
    uint32_t depth = c->l->tree.root == GK_NIL ? 0 : c->l->tree.nodes[c->l->tree.root].hi;
    size_t path = (size_t)depth + gk_tree_log2(joiners_n + leavers_n + 2) + 4;
    gk_err e = gk_mem_new(&out->ops, (leavers_n + joiners_n + joiners_n * path + 1) * GK_EPOCH_OP);

    if (e == GK_OK)
        e = gk_mem_new(&out->wraps, (2 * (leavers_n + joiners_n) * path * 2 + 256) * GK_EPOCH_WRAP);
    if (e == GK_OK && c->l->mode == GK_MODE_FLAT)
        e = gk_mem_new(&out->kek_wraps, (c->l->members + 1) * GK_EPOCH_WRAP);
    c->ops = gk_writer_of(out->ops.p, out->ops.n);
    c->wraps = gk_writer_of(out->wraps.p, out->wraps.n);
    c->kek_wraps = gk_writer_of(out->kek_wraps.p, out->kek_wraps.n);
    return e;
}

gk_err gk_lkh_change(gk_lkh *l, gk_rekey *out, uint64_t epoch, const gk_key *seed, const uint8_t salt[32], const uint32_t *leavers,
                     uint32_t leavers_n, uint32_t *joiners, uint32_t joiners_n)
{
    change c = {.l = l, .epoch = epoch, .seed = seed, .salt = salt};
    gk_tree *t = &l->tree;
    bool membership = leavers_n + joiners_n > 0;
    gk_err e = GK_OK;

    *out = (gk_rekey){0};
    e = room(&c, out, leavers_n, joiners_n);
    if (e == GK_OK && membership)
        e = l->mode == GK_MODE_FLAT ? change_flat(&c, leavers, leavers_n, joiners, joiners_n) : change_tree(&c, leavers, leavers_n, joiners, joiners_n);
    l->members = l->members + joiners_n - leavers_n;
    /* Leaf keys ratchet, so none of them is ever the root. */
    if (e == GK_OK && (!membership || l->mode == GK_MODE_FLAT || t->root == GK_NIL || gk_tree_is_leaf(t, t->root))) {
        e = renew_top(&c, t->root);
    } else if (e == GK_OK) {
        gk_key_free(l->top);
        l->top = NULL;
        l->top_id = 0;
    }
    for (uint32_t i = 0; i < joiners_n && e == GK_OK; i++)
        t->nodes[joiners[i]].mark = 0;
    if (e == GK_OK)
        e = c.ops.err != GK_OK ? c.ops.err : c.wraps.err != GK_OK ? c.wraps.err : c.kek_wraps.err;
    if (e != GK_OK) {
        gk_rekey_clear(out);
        return e;
    }
    out->ops.n = c.ops.len;
    out->wraps.n = c.wraps.len;
    out->kek_wraps.n = c.kek_wraps.len;
    out->kek = membership && l->mode == GK_MODE_FLAT;
    out->root = l->top_id != 0 ? l->top_id : t->nodes[t->root].id;
    out->root_key = l->top_id != 0 ? l->top : t->nodes[t->root].key;
    return GK_OK;
}

gk_err gk_lkh_catch_up(gk_lkh *l, uint32_t leaf, uint64_t epoch)
{
    return ratchet_to(l, &l->tree.nodes[leaf], epoch);
}
