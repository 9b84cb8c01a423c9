/* Deltas: what one controller did, done again by another. The leader itself works from the delta that it writes, so both do the same. */
#include <stdlib.h>
#include <string.h>

#include "gk_group_internal.h"

/* apply_leavers: a deny entry goes with an eviction. */
static gk_err apply_leavers(gk_group *g, gk_reader *r, uint64_t epoch, uint32_t **nodes, uint32_t *n)
{
    gk_err e = gk_reader_u32(r, n);

    *nodes = NULL;
    if (e == GK_OK && *n > g->roster.n)
        e = GK_ERR_MALFORMED;
    if (e == GK_OK && (*nodes = calloc((size_t)*n + 1, sizeof(**nodes))) == NULL)
        e = GK_ERR_NOMEM;
    for (uint32_t i = 0; i < *n && e == GK_OK; i++) {
        uint8_t deny = 0;
        gk_bytes name = {0};
        uint32_t at = GK_NOBODY;

        e = gk_reader_u8(r, &deny);
        if (e == GK_OK)
            e = gk_reader_var16(r, &name, GK_NAME_MAX);
        if (e == GK_OK && (at = gk_roster_name(&g->roster, name)) == GK_NOBODY)
            e = GK_ERR_MALFORMED;
        if (e == GK_OK && deny == 1)
            e = gk_side_deny(&g->side, name, g->roster.entries[at].identity, epoch);
        if (e == GK_OK) {
            (*nodes)[i] = g->roster.entries[at].node;
            gk_roster_remove(&g->roster, at);
        }
    }
    return e;
}

static gk_err apply_rest(gk_group *g, gk_reader *r, uint64_t now_ms)
{
    uint32_t n = 0;
    gk_err e = gk_reader_u32(r, &n);

    for (uint32_t i = 0; i < n && e == GK_OK; i++) {
        uint8_t once[GK_ONCE];
        uint64_t until = 0;

        e = gk_reader_copy(r, once, sizeof(once));
        if (e == GK_OK)
            e = gk_reader_u64(r, &until);
        if (e == GK_OK)
            e = gk_seen_add(&g->side.seen, once, until, now_ms, GK_SEEN_LOGGED);
    }
    if (e == GK_OK)
        e = gk_reader_u32(r, &n);
    for (uint32_t i = 0; i < n && e == GK_OK; i++) {
        uint8_t id[GK_TOKEN_ID];
        uint32_t left = 0;

        e = gk_reader_copy(r, id, sizeof(id));
        if (e == GK_OK)
            e = gk_reader_u32(r, &left);
        if (e == GK_OK)
            gk_side_token_left(&g->side, id, left);
    }
    return e == GK_OK ? gk_reader_end(r) : e;
}

typedef struct joiner {
    gk_bytes name;
    gk_bytes identity;
} joiner;

static gk_err read_joiners(gk_reader *r, joiner *out, uint32_t *n)
{
    gk_err e = gk_reader_u32(r, n);

    if (e == GK_OK && *n > GK_GROUP_BATCH_MAX)
        e = GK_ERR_MALFORMED;
    for (uint32_t i = 0; i < *n && e == GK_OK; i++) {
        e = gk_reader_var16(r, &out[i].name, GK_NAME_MAX);
        if (e == GK_OK)
            e = gk_reader_take(r, &out[i].identity, GK_HASH);
    }
    return e;
}

gk_err gk_group_apply(gk_group *g, gk_bytes delta, uint64_t epoch, const uint8_t salt[32], uint64_t now_ms, gk_rekey *out, uint32_t *nodes,
                      uint32_t *nodes_n)
{
    gk_reader r = gk_reader_of(delta.p, delta.n);
    joiner joiners[GK_GROUP_BATCH_MAX];
    uint32_t *left = NULL, left_n = 0;
    uint8_t algorithm = 0;
    gk_bytes raw = {0};
    gk_key *seed = NULL;
    gk_err e = gk_reader_u8(&r, &algorithm);

    *out = (gk_rekey){0};
    *nodes_n = 0;
    if (e == GK_OK && algorithm != GK_DELTA_ALGORITHM)
        e = GK_ERR_VERSION;
    if (e == GK_OK)
        e = gk_reader_take(&r, &raw, 32);
    if (e == GK_OK)
        e = gk_reader_u64(&r, &g->needs_serial);
    if (e == GK_OK)
        e = gk_key_new(&seed, GK_PURPOSE_NODE, 0, raw);
    if (e == GK_OK)
        e = apply_leavers(g, &r, epoch, &left, &left_n);
    if (e == GK_OK)
        e = read_joiners(&r, joiners, nodes_n);
    if (e == GK_OK)
        e = gk_lkh_change(&g->lkh, out, epoch, seed, salt, left, left_n, nodes, *nodes_n);
    for (uint32_t i = 0; i < *nodes_n && e == GK_OK; i++)
        e = gk_roster_add(&g->roster, joiners[i].name, joiners[i].identity.p, nodes[i], epoch);
    if (e == GK_OK)
        e = apply_rest(g, &r, now_ms);
    gk_key_free(seed);
    free(left);
    if (e != GK_OK) {
        g->broken = true;
        gk_rekey_clear(out);
    }
    return e;
}

gk_bytes gk_group_aad(const gk_group *g, uint8_t buf[96], const char *what, uint64_t epoch, uint32_t i, uint32_t n, const uint8_t *hash)
{
    gk_writer w = gk_writer_of(buf, 96);

    gk_writer_var16(&w, (gk_bytes){(const uint8_t *)what, strlen(what)});
    gk_writer_put(&w, g->genesis.id, GK_GROUP_ID);
    gk_writer_u64(&w, epoch);
    gk_writer_u32(&w, i);
    gk_writer_u32(&w, n);
    gk_writer_put(&w, hash, GK_HASH);
    return (gk_bytes){buf, w.len};
}

void gk_group_set_last(gk_group *g, const gk_epoch *e, const gk_rekey *k, size_t message_n)
{
    g->last = *e;
    g->last.ops = g->last.wraps = (gk_bytes){0};
    g->last_wraps = (uint32_t)((k->wraps.n + k->kek_wraps.n) / GK_EPOCH_WRAP);
    g->last_key_writes = 1 + (uint32_t)(k->kek_wraps.n / GK_EPOCH_WRAP);
    g->last_key_bytes = message_n;
    if (e->issued_ms >= g->mark_ms + (uint64_t)g->policy.max_age_s * 1000) {
        g->aged_epoch = g->mark_epoch;
        g->mark_epoch = e->epoch;
        g->mark_ms = e->issued_ms;
    }
}

/* may_follow: what can be told before anything is opened. A removed controller still has a key, and state keys: its epochs end with the first one of those
 * who are left, under their authority version. */
static gk_err may_follow(const gk_group *g, const gk_epoch *e, gk_bytes message)
{
    if (e->authority < g->last.authority || memcmp(e->prev, g->last.hash, GK_HASH) != 0 || memcmp(e->group_id, g->genesis.id, GK_GROUP_ID) != 0)
        return GK_ERR_AUTH;
    return gk_epoch_verify_then(e, message, g->control->authority);
}

bool gk_group_is_foreign(const gk_group *g, gk_bytes znode)
{
    uint8_t aad[96];
    gk_epoch e = {0};
    gk_bytes message = {0}, sealed = {0};
    gk_mem delta = {0};
    gk_err err = gk_epoch_znode(&message, &sealed, znode);

    if (err == GK_OK)
        err = gk_epoch_parse(&e, message);
    if (err == GK_OK && g->broken) /* it was tried, and led nowhere: a controller's is nothing to take away */
        err = gk_epoch_verify(&e, message, g->control->authority);
    else if (err == GK_OK)
        err = e.epoch <= g->last.epoch ? GK_ERR_AUTH : may_follow(g, &e, message);
    if (err == GK_OK && !g->broken)
        err = gk_state_open(g->control->state_keys, &delta, gk_group_aad(g, aad, "delta", e.epoch, 0, 1, e.hash), sealed);
    gk_mem_free(&delta);
    return err != GK_OK && err != GK_ERR_NOMEM && err != GK_ERR_CRYPTO && err != GK_ERR_NOTFOUND; /* a key that we lack tells nothing */
}

gk_err gk_group_follow(gk_group *g, gk_bytes znode)
{
    uint32_t nodes[GK_GROUP_BATCH_MAX], nodes_n = 0;
    uint8_t aad[96];
    gk_epoch e = {0};
    gk_bytes message = {0}, sealed = {0};
    gk_rekey k = {0};
    gk_mem delta = {0};
    gk_err err = g->broken || g->out || g->chunks_seen < g->snapshot_chunks ? GK_ERR_STATE : gk_epoch_znode(&message, &sealed, znode);

    if (err == GK_OK)
        err = gk_epoch_parse(&e, message);
    if (err == GK_OK && e.epoch != g->last.epoch + 1 && (e.reason != GK_REASON_RECOVER || e.epoch <= g->last.epoch))
        err = GK_ERR_STATE;
    if (err == GK_OK)
        err = may_follow(g, &e, message);
    if (err == GK_OK)
        err = gk_state_open(g->control->state_keys, &delta, gk_group_aad(g, aad, "delta", e.epoch, 0, 1, e.hash), sealed);
    if (err == GK_OK)
        err = gk_group_apply(g, gk_mem_view(&delta), e.epoch, e.salt, e.issued_ms, &k, nodes, &nodes_n);
    if (err == GK_OK && (k.root != e.root || e.members != g->roster.n || !gk_bytes_equal(gk_mem_view(&k.ops), e.ops) ||
                         !gk_bytes_equal(gk_mem_view(&k.wraps), e.wraps) || gk_epoch_confirm(&e, k.root_key) != GK_OK)) {
        g->broken = true;
        err = GK_ERR_AUTH;
    }
    if (err == GK_OK) {
        gk_group_set_last(g, &e, &k, message.n);
        g->log_bytes += znode.n;
        g->least_key = gk_state_index(sealed);
    }
    if (err == GK_OK && g->later.n > 0 && g->later_epoch == g->last.epoch) {
        gk_mem later = g->later;

        g->later = (gk_mem){0};
        err = gk_group_side(g, gk_mem_view(&later));
        gk_mem_free(&later);
    }
    gk_rekey_clear(&k);
    gk_mem_free(&delta);
    return err;
}

