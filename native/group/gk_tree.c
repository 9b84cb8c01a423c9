#include "gk_tree.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

uint32_t gk_tree_log2(uint64_t n)
{
    uint32_t k = 0;

    while (k < 63 && (1ULL << k) < n)
        k++;
    return k;
}

gk_err gk_tree_init(gk_tree *t)
{
    *t = (gk_tree){.unused = GK_NIL, .root = GK_NIL, .next_id = 1};
    return GK_OK;
}

void gk_tree_clear(gk_tree *t)
{
    for (uint32_t i = 0; i < t->used; i++)
        gk_key_free(t->nodes[i].key);
    free(t->nodes);
    free(t->made);
    free(t->derived);
    *t = (gk_tree){.unused = GK_NIL, .root = GK_NIL};
}

gk_err gk_tree_alloc(gk_tree *t, uint32_t *out)
{
    uint32_t i = t->unused;

    if (i != GK_NIL) {
        t->unused = t->nodes[i].parent;
    } else {
        if (t->used == t->cap) {
            uint32_t cap = t->cap < 32 ? 64 : t->cap * 2;
            gk_tree_node *more = cap <= t->cap ? NULL : realloc(t->nodes, cap * sizeof(*more));

            if (more == NULL)
                return GK_ERR_NOMEM;
            t->nodes = more;
            t->cap = cap;
        }
        i = t->used++;
    }
    t->nodes[i] = (gk_tree_node){.parent = GK_NIL, .left = GK_NIL, .right = GK_NIL, .n = 1};
    *out = i;
    return GK_OK;
}

void gk_tree_release(gk_tree *t, uint32_t i)
{
    gk_key_free(t->nodes[i].key);
    t->nodes[i] = (gk_tree_node){.parent = t->unused, .left = GK_NIL, .right = GK_NIL};
    t->unused = i;
}

static void update(gk_tree *t, uint32_t i)
{
    gk_tree_node *x = &t->nodes[i];
    const gk_tree_node *l = &t->nodes[x->left];
    const gk_tree_node *r = &t->nodes[x->right];

    x->n = l->n + r->n;
    x->hi = (uint8_t)(1 + (l->hi > r->hi ? l->hi : r->hi));
    x->lo = (uint8_t)(1 + (l->lo < r->lo ? l->lo : r->lo));
}

void gk_tree_link(gk_tree *t, uint32_t at, uint32_t left, uint32_t right)
{
    t->nodes[at].left = left;
    t->nodes[at].right = right;
    t->nodes[left].parent = at;
    t->nodes[right].parent = at;
    update(t, at);
}

/* --- one change: lists and marks ------------------------------------------------------------------------------------------------- */

static gk_err lists(gk_tree *t, uint32_t n)
{
    uint32_t *made = NULL, *derived = NULL;

    if (n <= t->list_cap)
        return GK_OK;
    made = realloc(t->made, n * sizeof(*made));
    if (made != NULL)
        t->made = made;
    derived = realloc(t->derived, n * sizeof(*derived));
    if (derived != NULL)
        t->derived = derived;
    if (made == NULL || derived == NULL)
        return GK_ERR_NOMEM;
    t->list_cap = n;
    return GK_OK;
}

static gk_err make(gk_tree *t, uint32_t left, uint32_t right, uint32_t *out)
{
    gk_err e = gk_tree_alloc(t, out);

    if (e == GK_OK) /* reserve first: lists may move */
        e = t->made_n < t->list_cap ? GK_OK : lists(t, t->list_cap * 2 + 64);
    if (e != GK_OK)
        return e;
    t->nodes[*out].id = t->next_id++;
    t->nodes[*out].mark = GK_NODE_NEW;
    gk_tree_link(t, *out, left, right);
    t->made[t->made_n++] = *out;
    return GK_OK;
}

static gk_err new_leaf(gk_tree *t, uint32_t *out)
{
    gk_err e = gk_tree_alloc(t, out);

    if (e == GK_OK) {
        t->nodes[*out].id = t->next_id++;
        t->nodes[*out].mark = GK_NODE_NEW;
    }
    return e;
}

/* --- joiners alone ----------------------------------------------------------------------------------------------------------------- */

static gk_err split(gk_tree *t, uint32_t leaf)
{
    uint32_t y = t->root, parent = GK_NIL, inner = GK_NIL;
    gk_err e = GK_OK;

    if (y == GK_NIL) {
        t->root = leaf;
        return GK_OK;
    }
    while (!gk_tree_is_leaf(t, y))
        y = t->nodes[t->nodes[y].left].lo <= t->nodes[t->nodes[y].right].lo ? t->nodes[y].left : t->nodes[y].right;
    parent = t->nodes[y].parent;
    e = make(t, y, leaf, &inner);
    if (e != GK_OK)
        return e;
    t->nodes[inner].parent = parent;
    if (parent == GK_NIL) {
        t->root = inner;
        return GK_OK;
    }
    if (t->nodes[parent].left == y)
        t->nodes[parent].left = inner;
    else
        t->nodes[parent].right = inner;
    for (uint32_t i = parent; i != GK_NIL && e == GK_OK; i = t->nodes[i].parent) {
        update(t, i);
        if (t->nodes[i].mark != 0)
            continue;
        t->nodes[i].mark = GK_NODE_DERIVED;
        e = t->derived_n < t->list_cap ? GK_OK : lists(t, t->list_cap * 2 + 64);
        if (e == GK_OK)
            t->derived[t->derived_n++] = i;
    }
    return e;
}

/* --- with leavers ------------------------------------------------------------------------------------------------------------------- */

typedef struct units {
    uint32_t *at; /* a heap: the lowest unit first; ties: fewer leaves, then the earlier one */
    uint32_t *order;
    uint32_t n, cap, next;
} units;

static bool before(const gk_tree *t, const units *u, uint32_t a, uint32_t b)
{
    const gk_tree_node *x = &t->nodes[u->at[a]];
    const gk_tree_node *y = &t->nodes[u->at[b]];

    if (x->hi != y->hi)
        return x->hi < y->hi;
    return x->n != y->n ? x->n < y->n : u->order[a] < u->order[b];
}

static void swap(units *u, uint32_t a, uint32_t b)
{
    uint32_t at = u->at[a], order = u->order[a];

    u->at[a] = u->at[b];
    u->order[a] = u->order[b];
    u->at[b] = at;
    u->order[b] = order;
}

static gk_err push(const gk_tree *t, units *u, uint32_t node)
{
    if (u->n == u->cap) {
        uint32_t cap = u->cap * 2 + 64;
        uint32_t *at = realloc(u->at, cap * sizeof(*at));
        uint32_t *order = NULL;

        if (at == NULL)
            return GK_ERR_NOMEM;
        u->at = at;
        order = realloc(u->order, cap * sizeof(*order));
        if (order == NULL)
            return GK_ERR_NOMEM;
        u->order = order;
        u->cap = cap;
    }
    u->at[u->n] = node;
    u->order[u->n] = u->next++;
    for (uint32_t i = u->n++; i > 0 && before(t, u, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(u, i, (i - 1) / 2);
    return GK_OK;
}

static uint32_t pop(const gk_tree *t, units *u)
{
    uint32_t node = u->at[0];

    swap(u, 0, --u->n);
    for (uint32_t i = 0;;) {
        uint32_t c = 2 * i + 1;

        if (c >= u->n)
            break;
        if (c + 1 < u->n && before(t, u, c + 1, c))
            c++;
        if (!before(t, u, c, i))
            break;
        swap(u, i, c);
        i = c;
    }
    return node;
}

/* height of what the units make together: ceil(log2(sum of 2^hi)) (Golumbic 1976: joining the lowest two gives exactly that). */
static uint32_t height(const gk_tree *t, const units *u)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < u->n; i++)
        sum += 1ULL << t->nodes[u->at[i]].hi;
    return gk_tree_log2(sum);
}

/* collect takes the broken part of the tree below i apart, left to right; it is as deep as the tree. */
static gk_err collect(gk_tree *t, units *u, uint32_t i)
{
    uint32_t left = t->nodes[i].left, right = t->nodes[i].right;
    gk_err e = GK_OK;

    if (t->nodes[i].mark & GK_NODE_LEAVES) {
        gk_tree_release(t, i);
        return GK_OK;
    }
    if (!(t->nodes[i].mark & GK_NODE_BROKEN)) {
        t->nodes[i].parent = GK_NIL;
        return push(t, u, i);
    }
    gk_tree_release(t, i);
    e = collect(t, u, left);
    return e == GK_OK ? collect(t, u, right) : e;
}

/* open_highest replaces the highest unit by its children, of several the one with the fewest leaves. */
static gk_err open_highest(gk_tree *t, units *u)
{
    uint32_t best = 0, node = 0, left = 0, right = 0;
    gk_err e = GK_OK;

    for (uint32_t i = 1; i < u->n; i++) {
        const gk_tree_node *x = &t->nodes[u->at[i]];
        const gk_tree_node *b = &t->nodes[u->at[best]];

        if (x->hi > b->hi || (x->hi == b->hi && (x->n < b->n || (x->n == b->n && u->order[i] < u->order[best]))))
            best = i;
    }
    node = u->at[best];
    left = t->nodes[node].left;
    right = t->nodes[node].right;
    /* out of a heap's middle: the last one takes its place and finds its own, up or down */
    swap(u, best, --u->n);
    for (uint32_t i = best; i > 0 && i < u->n && before(t, u, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(u, i, (i - 1) / 2);
    for (uint32_t i = best;;) {
        uint32_t c = 2 * i + 1;

        if (c >= u->n)
            break;
        if (c + 1 < u->n && before(t, u, c + 1, c))
            c++;
        if (!before(t, u, c, i))
            break;
        swap(u, i, c);
        i = c;
    }
    gk_tree_release(t, node);
    t->nodes[left].parent = GK_NIL;
    t->nodes[right].parent = GK_NIL;
    t->opened++;
    e = push(t, u, left);
    return e == GK_OK ? push(t, u, right) : e;
}

static gk_err rebuild(gk_tree *t, units *u, uint32_t n_before, uint32_t leavers_n)
{
    uint64_t leaves = 0;
    uint64_t most = (uint64_t)leavers_n * (gk_tree_log2(n_before) + 1) + 1; /* units: their number less one, twice, is the wraps */
    uint32_t want = 0, h = 0;
    gk_err e = GK_OK;

    for (uint32_t i = 0; i < u->n; i++)
        leaves += t->nodes[u->at[i]].n;
    want = gk_tree_log2(leaves) + 1;
    /* beyond ceil(log2 n) + 2 the next leave could cost too much: then the bound yields here, once (never seen) */
    while (e == GK_OK && u->n > 0 && (h = height(t, u)) > want && (u->n < most || h > want + 1))
        e = open_highest(t, u);
    while (e == GK_OK && u->n > 1) {
        uint32_t a = pop(t, u), b = pop(t, u), m = GK_NIL;

        e = make(t, a, b, &m);
        if (e == GK_OK)
            e = push(t, u, m);
    }
    t->root = u->n > 0 ? u->at[0] : GK_NIL;
    return e;
}

static gk_err without(gk_tree *t, const uint32_t *leavers, uint32_t leavers_n, const uint32_t *joiners, uint32_t joiners_n)
{
    uint32_t n_before = gk_tree_size(t);
    units u = {0};
    gk_err e = GK_OK;

    for (uint32_t i = 0; i < leavers_n; i++) {
        t->nodes[leavers[i]].mark = GK_NODE_LEAVES;
        for (uint32_t k = t->nodes[leavers[i]].parent; k != GK_NIL && !(t->nodes[k].mark & GK_NODE_BROKEN); k = t->nodes[k].parent)
            t->nodes[k].mark = GK_NODE_BROKEN;
    }
    e = collect(t, &u, t->root);
    t->root = GK_NIL;
    for (uint32_t i = 0; i < joiners_n && e == GK_OK; i++)
        e = push(t, &u, joiners[i]);
    if (e == GK_OK)
        e = rebuild(t, &u, n_before, leavers_n);
    free(u.at);
    free(u.order);
    return e;
}

gk_err gk_tree_change(gk_tree *t, const uint32_t *leavers, uint32_t leavers_n, uint32_t *joiners, uint32_t joiners_n)
{
    gk_err e = GK_OK;

    for (uint32_t i = 0; i < t->made_n; i++)
        t->nodes[t->made[i]].mark = 0;
    for (uint32_t i = 0; i < t->derived_n; i++)
        t->nodes[t->derived[i]].mark = 0;
    t->made_n = t->derived_n = t->opened = 0;
    for (uint32_t i = 0; i < joiners_n && e == GK_OK; i++)
        e = new_leaf(t, &joiners[i]);
    if (e == GK_OK && leavers_n > 0)
        e = without(t, leavers, leavers_n, joiners, joiners_n);
    for (uint32_t i = 0; i < joiners_n && e == GK_OK && leavers_n == 0; i++)
        e = split(t, joiners[i]);
    /* a later split is never above an earlier one: backwards, children come first */
    for (uint32_t i = 0; leavers_n == 0 && i < t->made_n / 2; i++) {
        uint32_t other = t->made[t->made_n - 1 - i];

        t->made[t->made_n - 1 - i] = t->made[i];
        t->made[i] = other;
    }
    return e;
}
