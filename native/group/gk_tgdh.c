/* TGDH: a binary tree with the parties at its leaves, in the order of their ids, as even as can be. Node v has the children 2v and 2v + 1; the
 * root is 1. k_leaf is fresh and random, k_v = HKDF(X25519(k_left, BK_right)), BK_v = X25519(k_v, 9). Whoever knows one leaf's key and the BKs
 * beside its path knows the root's. BK_root is never made. (docs/FORMAT.md, "Runs") */
#include <string.h>

#include "gk_run_internal.h"

#define TGDH_LABEL GK_LABEL "tgdh"

/* The leaves below a node: lo <= i < hi; none when the tree has no such node. */
typedef struct span {
    size_t lo;
    size_t hi;
} span;

/* span_of goes down from the root by the bits of v. The left half takes the odd one. */
static span span_of(size_t n, size_t v)
{
    span s = {0, n};
    size_t bit = 1;

    while (bit <= v / 2)
        bit *= 2;
    for (bit /= 2; bit > 0; bit /= 2) {
        size_t mid = s.lo + (s.hi - s.lo + 1) / 2;

        if (s.hi - s.lo <= 1)
            return (span){0, 0};
        if ((v & bit) != 0)
            s.lo = mid;
        else
            s.hi = mid;
    }
    return s;
}

static uint32_t leaf_of(size_t n, size_t party)
{
    span s = {0, n};
    uint32_t v = 1;

    while (s.hi - s.lo > 1) {
        size_t mid = s.lo + (s.hi - s.lo + 1) / 2;

        v = 2 * v + (party >= mid);
        if (party >= mid)
            s.lo = mid;
        else
            s.hi = mid;
    }
    return v;
}

static size_t slots(size_t n)
{
    size_t leaves = 1;

    while (leaves < n)
        leaves *= 2;
    return 2 * leaves;
}

/* owner: a leaf's BK is its party's to send. An inner node's is its sponsor's: the last leaf of its left half, so that each party is the sponsor of
 * one inner node at most. The root's is nobody's. */
static bool owner(size_t n, size_t node, size_t *party, size_t *len)
{
    span s = {0, 0};

    if (node <= 1)
        return false;
    s = span_of(n, node);
    if (s.hi == s.lo)
        return false;
    *party = s.lo + (s.hi - s.lo + 1) / 2 - 1; /* for a leaf, itself */
    *len = GK_RUN_BK;
    return true;
}

/* publish sends the BK of the node this party is at, when that is its to do. */
static gk_err publish(gk_run *r)
{
    uint8_t bk[GK_RUN_BK];
    size_t party = 0;
    size_t len = 0;
    gk_err e = GK_OK;

    if (!owner(r->n, r->node, &party, &len) || party != r->me || r->values[r->node].p != NULL)
        return GK_OK;
    e = gk_run_public(r, bk, r->secret);
    if (e == GK_OK)
        e = gk_run_fill(r, r->node, (gk_bytes){bk, sizeof(bk)});
    return e;
}

static gk_err work(gk_run *r)
{
    gk_err e = GK_OK;

    if (r->secret == NULL) {
        r->node = leaf_of(r->n, r->me);
        e = gk_key_generate(&r->secret, GK_PURPOSE_EXCHANGE, 0);
    }
    while (e == GK_OK) {
        const uint8_t *left = NULL;
        const uint8_t *right = NULL;
        gk_key *up = NULL;

        e = publish(r);
        if (e != GK_OK || r->node == 1)
            break;
        left = r->values[r->node & ~1U].p;
        right = r->values[r->node | 1U].p;
        if (left == NULL || right == NULL)
            return GK_OK; /* not yet */
        e = gk_run_agree(r, &up, GK_PURPOSE_EXCHANGE, r->secret, (r->node & 1) == 0 ? right : left, TGDH_LABEL, r->node / 2, left, right);
        if (e != GK_OK)
            break;
        gk_key_free(r->secret); /* wipes it: the way up needs no key below */
        r->secret = up;
        r->node /= 2;
    }
    if (e == GK_OK) {
        r->root = r->secret;
        r->secret = NULL;
    }
    return e;
}

const gk_run_ops gk_run_tgdh = {.slots = slots, .owner = owner, .work = work};
