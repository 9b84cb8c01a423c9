/* The side znode: what changes without an epoch, sealed. */
#include "gk_group_internal.h"

#define MULTI_MOST 1000000 /* jute.maxbuffer, 1,048,575 by default, less what is small */

/* --- the side znode: u64 epoch | u64 serial | sealed ------------------------------------------------------------------------------- */

typedef struct side_of {
    const gk_group *g;
    uint64_t now_ms;
    gk_bytes sealed;
} side_of;

static void put_side(gk_writer *w, const void *arg)
{
    const side_of *s = arg;

    gk_side_save(&s->g->side, w, s->now_ms, false);
}

static void put_side_znode(gk_writer *w, const void *arg)
{
    const side_of *s = arg;

    gk_writer_u64(w, s->g->last.epoch);
    gk_writer_u64(w, s->g->side.serial);
    gk_writer_put(w, s->sealed.p, s->sealed.n);
}

gk_err gk_group_put_side(gk_group *g, gk_plan *plan, bool create, uint64_t now_ms)
{
    uint8_t aad[96];
    side_of s = {.g = g, .now_ms = now_ms};
    gk_mem plain = {0}, sealed = {0}, znode = {0};
    gk_err e = GK_OK;

    g->side.serial++;
    e = gk_mem_write(&plain, put_side, &s);
    if (e == GK_OK)
        e = gk_state_seal(g->control->state_keys, &sealed,
                          gk_group_aad(g, aad, "side", g->last.epoch, 0, (uint32_t)g->side.serial, g->last.hash), gk_mem_view(&plain));
    s.sealed = gk_mem_view(&sealed);
    if (e == GK_OK)
        e = gk_mem_write(&znode, put_side_znode, &s);
    if (e == GK_OK && znode.n > GK_NODE_MAX)
        e = GK_ERR_LIMIT;
    if (e == GK_OK)
        e = gk_plan_add(plan, create ? GK_WRITE_CREATE : GK_WRITE_SET, false, &znode, "side");
    gk_mem_free(&plain);
    gk_mem_free(&sealed);
    gk_mem_free(&znode);
    return e;
}

/* A side znode of an epoch that isn't reached yet can't be opened, because its hash isn't known: it waits for gk_group_follow. */
gk_err gk_group_side(gk_group *g, gk_bytes data)
{
    uint8_t aad[96];
    uint64_t epoch = 0, serial = 0;
    gk_reader r = gk_reader_of(data.p, data.n);
    gk_mem plain = {0};
    gk_side s = {0};
    gk_err e = gk_reader_u64(&r, &epoch);

    if (e == GK_OK)
        e = gk_reader_u64(&r, &serial);
    if (e == GK_OK && serial <= g->side.serial)
        return GK_OK; /* known */
    if (e == GK_OK && epoch > g->last.epoch) {
        gk_mem_free(&g->later);
        g->later_epoch = epoch;
        return gk_mem_copy(&g->later, data);
    }
    if (e == GK_OK && (epoch != g->last.epoch || g->out))
        e = GK_ERR_STATE;
    if (e == GK_OK && gk_state_index((gk_bytes){r.p, r.n}) < g->least_key) /* under a key that removed controllers have */
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        e = gk_state_open(g->control->state_keys, &plain, gk_group_aad(g, aad, "side", epoch, 0, (uint32_t)serial, g->last.hash),
                          (gk_bytes){r.p, r.n});
    r = gk_reader_of(plain.p, plain.n);
    if (e == GK_OK)
        e = gk_side_load(&s, &r, false);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK && s.serial != serial)
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        e = gk_side_merge(&s, &g->side.seen);
    gk_mem_free(&plain);
    if (e != GK_OK) {
        gk_side_clear(&s);
        return e;
    }
    gk_side_clear(&g->side);
    g->side = s;
    return GK_OK;
}

size_t gk_group_batch_most(const gk_group *g)
{
    size_t each = (gk_tree_log2(g->roster.n + 1) + 2) * (2 * GK_EPOCH_WRAP + 40) + 512;
    size_t side = gk_side_bytes(&g->side);
    size_t most = side + each < MULTI_MOST ? (MULTI_MOST - side) / each : 1;

    return most < GK_GROUP_BATCH_MAX ? most : GK_GROUP_BATCH_MAX;
}
