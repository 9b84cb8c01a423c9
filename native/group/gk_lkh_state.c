/* Keys as bytes, for what is sealed right afterwards: grants and controllers' state. */
#include <stdlib.h>

#include "../crypto/gk_key_internal.h"
#include "gk_lkh.h"

#define NODES_MAX 64

static void put_key(gk_writer *w, const gk_key *k)
{
    gk_writer_put(w, k->raw, 32);
}

static gk_err take_key(gk_reader *r, gk_key **out)
{
    gk_bytes raw = {0};
    gk_err e = gk_reader_take(r, &raw, 32);

    *out = NULL;
    return e == GK_OK ? gk_key_new(out, GK_PURPOSE_NODE, 0, raw) : e;
}

typedef struct grant {
    const gk_lkh *l;
    uint32_t leaf;
} grant;

static void put_grant(gk_writer *w, const void *arg)
{
    const grant *g = arg;
    const gk_lkh *l = g->l;
    const gk_tree_node *nodes = l->tree.nodes;
    uint16_t n = (uint16_t)((l->kek_id != 0) + (l->top_id != 0));

    for (uint32_t i = nodes[g->leaf].parent; i != GK_NIL; i = nodes[i].parent)
        n++;
    gk_writer_u64(w, nodes[g->leaf].id);
    put_key(w, nodes[g->leaf].key);
    gk_writer_u16(w, n);
    for (uint32_t i = nodes[g->leaf].parent; i != GK_NIL; i = nodes[i].parent) {
        gk_writer_u64(w, nodes[i].id);
        put_key(w, nodes[i].key);
    }
    if (l->kek_id != 0) {
        gk_writer_u64(w, l->kek_id);
        put_key(w, l->kek);
    }
    if (l->top_id != 0) {
        gk_writer_u64(w, l->top_id);
        put_key(w, l->top);
    }
}

gk_err gk_lkh_grant(gk_lkh *l, gk_mem *out, uint32_t leaf, uint64_t epoch)
{
    gk_err e = gk_lkh_catch_up(l, leaf, epoch);

    *out = (gk_mem){0};
    return e == GK_OK ? gk_mem_write(out, put_grant, &(grant){l, leaf}) : e;
}

/* --- the whole --------------------------------------------------------------------------------------------------------------------------- */

/* walk goes through the tree, parents first; put sees each node. Without a root (flat mode) all leaves stand side by side. */
static void walk(const gk_lkh *l, void (*put)(void *arg, uint32_t node), void *arg)
{
    const gk_tree *t = &l->tree;
    uint32_t i = t->root;

    if (l->mode == GK_MODE_FLAT) {
        for (uint32_t k = 0; k < t->used; k++) {
            if (t->nodes[k].id != 0)
                put(arg, k);
        }
        return;
    }
    while (i != GK_NIL) {
        put(arg, i);
        if (!gk_tree_is_leaf(t, i)) {
            i = t->nodes[i].left;
            continue;
        }
        while (t->nodes[i].parent != GK_NIL && t->nodes[t->nodes[i].parent].right == i)
            i = t->nodes[i].parent;
        i = t->nodes[i].parent == GK_NIL ? GK_NIL : t->nodes[t->nodes[i].parent].right;
    }
}

typedef struct saver {
    const gk_tree *t;
    gk_writer *w;
} saver;

static void save_node(void *arg, uint32_t i)
{
    const saver *s = arg;
    const gk_tree_node *x = &s->t->nodes[i];

    gk_writer_u8(s->w, gk_tree_is_leaf(s->t, i));
    gk_writer_u64(s->w, x->id);
    put_key(s->w, x->key);
    if (gk_tree_is_leaf(s->t, i))
        gk_writer_u64(s->w, x->at);
}

typedef struct leaves_only {
    const gk_tree *t;
    void (*put)(void *arg, uint32_t leaf);
    void *arg;
} leaves_only;

static void leaf_only(void *arg, uint32_t i)
{
    const leaves_only *only = arg;

    if (gk_tree_is_leaf(only->t, i))
        only->put(only->arg, i);
}

void gk_lkh_leaves(const gk_lkh *l, void (*put)(void *arg, uint32_t leaf), void *arg)
{
    walk(l, leaf_only, &(leaves_only){&l->tree, put, arg});
}

static void put_optional(gk_writer *w, uint64_t id, const gk_key *k)
{
    gk_writer_u64(w, id);
    if (id != 0)
        put_key(w, k);
}

void gk_lkh_save(const gk_lkh *l, gk_writer *w)
{
    gk_writer_u8(w, (uint8_t)l->mode);
    gk_writer_u64(w, l->tree.next_id);
    put_optional(w, l->top_id, l->top);
    put_optional(w, l->kek_id, l->kek);
    gk_writer_u32(w, l->members);
    walk(l, save_node, &(saver){&l->tree, w});
}

static gk_err load_node(gk_lkh *l, gk_reader *r, uint32_t *out, bool *leaf)
{
    uint8_t is_leaf = 0;
    gk_err e = gk_tree_alloc(&l->tree, out);
    gk_tree_node *x = e == GK_OK ? &l->tree.nodes[*out] : NULL;

    if (e == GK_OK)
        e = gk_reader_u8(r, &is_leaf);
    if (e == GK_OK)
        e = gk_reader_u64(r, &x->id);
    if (e == GK_OK)
        e = take_key(r, &x->key);
    if (e == GK_OK && is_leaf == 1)
        e = gk_reader_u64(r, &x->at);
    if (e == GK_OK && (is_leaf > 1 || x->id == 0 || x->id >= l->tree.next_id))
        e = GK_ERR_MALFORMED;
    *leaf = is_leaf == 1;
    return e;
}

/* load_below: preorder; depth bounds the recursion for bytes that nobody wrote. */
static gk_err load_below(gk_lkh *l, gk_reader *r, uint32_t *out, uint32_t *leaves, uint32_t *n, uint32_t depth)
{
    uint32_t left = 0, right = 0;
    bool leaf = false;
    gk_err e = depth > NODES_MAX ? GK_ERR_MALFORMED : load_node(l, r, out, &leaf);

    if (e != GK_OK)
        return e;
    if (leaf) {
        if (*n == l->members)
            return GK_ERR_MALFORMED;
        leaves[(*n)++] = *out;
        return GK_OK;
    }
    if (l->mode == GK_MODE_FLAT)
        return GK_ERR_MALFORMED;
    e = load_below(l, r, &left, leaves, n, depth + 1);
    if (e == GK_OK)
        e = load_below(l, r, &right, leaves, n, depth + 1);
    if (e == GK_OK)
        gk_tree_link(&l->tree, *out, left, right);
    return e;
}

static gk_err take_optional(gk_reader *r, uint64_t *id, gk_key **k)
{
    gk_err e = gk_reader_u64(r, id);

    return e == GK_OK && *id != 0 ? take_key(r, k) : e;
}

gk_err gk_lkh_load(gk_lkh *l, gk_reader *r, uint32_t **leaves, uint32_t *leaves_n)
{
    uint8_t mode = 0;
    uint32_t n = 0, at = 0;
    gk_err e = gk_reader_u8(r, &mode);

    *leaves = NULL;
    *leaves_n = 0;
    if (e == GK_OK && mode != l->mode)
        e = GK_ERR_MALFORMED;
    if (e == GK_OK)
        e = gk_reader_u64(r, &l->tree.next_id);
    if (e == GK_OK)
        e = take_optional(r, &l->top_id, &l->top);
    if (e == GK_OK)
        e = take_optional(r, &l->kek_id, &l->kek);
    if (e == GK_OK)
        e = gk_reader_u32(r, &l->members);
    if (e == GK_OK && l->members > r->n / 49) /* a leaf is that long, at least */
        e = GK_ERR_TRUNCATED;
    if (e == GK_OK && (*leaves = calloc((size_t)l->members + 1, sizeof(**leaves))) == NULL)
        e = GK_ERR_NOMEM;
    if (e == GK_OK && l->mode == GK_MODE_LKH && l->members > 0)
        e = load_below(l, r, &l->tree.root, *leaves, &n, 0);
    while (e == GK_OK && l->mode == GK_MODE_FLAT && n < l->members)
        e = load_below(l, r, &at, *leaves, &n, 0);
    if (e == GK_OK && n != l->members)
        e = GK_ERR_MALFORMED;
    if (e != GK_OK) {
        free(*leaves);
        *leaves = NULL;
        return e;
    }
    *leaves_n = n;
    return GK_OK;
}
