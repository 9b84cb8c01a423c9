/* From what waits to one multi. */
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "gk_group_internal.h"

static gk_bytes text(const char *s)
{
    return (gk_bytes){(const uint8_t *)s, strlen(s)};
}

/* --- deltas ---------------------------------------------------------------------------------------------------------------------- */

typedef struct batch {
    gk_group *g;
    uint8_t seed[32];
    gk_work *taken; /* joins, leaves and evictions of this rekey */
    size_t n;
} batch;

static bool rejoins(const gk_group *g, const gk_work *w)
{
    return w->kind == GK_WORK_JOIN && gk_roster_name(&g->roster, text(w->name)) != GK_NOBODY;
}

static bool leaves(const gk_group *g, const gk_work *w)
{
    return w->kind != GK_WORK_JOIN || rejoins(g, w);
}

/* uses_left: of the token of the i-th, when it and those before it are admitted. */
static uint32_t uses_left(const batch *b, size_t i)
{
    const gk_token *t = gk_side_token(&b->g->side, b->taken[i].request.token_id);
    uint32_t left = t != NULL ? t->uses : 0;

    for (size_t k = 0; k <= i && left > 0; k++)
        left -= b->taken[k].uses_token && memcmp(b->taken[k].request.token_id, b->taken[i].request.token_id, GK_TOKEN_ID) == 0; /* public */
    return left;
}

static void put_delta(gk_writer *w, const void *arg)
{
    const batch *b = arg;
    uint32_t counts[4] = {0};

    for (size_t i = 0; i < b->n; i++) {
        counts[0] += leaves(b->g, &b->taken[i]);
        counts[1] += b->taken[i].kind == GK_WORK_JOIN;
        counts[2] += b->taken[i].kind != GK_WORK_EVICT;
        counts[3] += b->taken[i].uses_token;
    }
    gk_writer_u8(w, GK_DELTA_ALGORITHM);
    gk_writer_put(w, b->seed, sizeof(b->seed));
    gk_writer_u64(w, b->g->side.serial);
    gk_writer_u32(w, counts[0]);
    for (size_t i = 0; i < b->n; i++) {
        if (leaves(b->g, &b->taken[i])) {
            gk_writer_u8(w, b->taken[i].kind == GK_WORK_EVICT);
            gk_writer_var16(w, text(b->taken[i].name));
        }
    }
    gk_writer_u32(w, counts[1]);
    for (size_t i = 0; i < b->n; i++) {
        if (b->taken[i].kind == GK_WORK_JOIN) {
            gk_writer_var16(w, text(b->taken[i].name));
            gk_writer_put(w, b->taken[i].request.identity, GK_HASH);
        }
    }
    gk_writer_u32(w, counts[2]);
    for (size_t i = 0; i < b->n; i++) {
        if (b->taken[i].kind != GK_WORK_EVICT) {
            gk_writer_put(w, b->taken[i].request.once, GK_ONCE);
            gk_writer_u64(w, b->taken[i].request.not_after_ms);
        }
    }
    gk_writer_u32(w, counts[3]);
    for (size_t i = 0; i < b->n; i++) {
        if (b->taken[i].uses_token) {
            gk_writer_put(w, b->taken[i].request.token_id, GK_TOKEN_ID);
            gk_writer_u32(w, uses_left(b, i));
        }
    }
}

/* --- one epoch -------------------------------------------------------------------------------------------------------------------- */

static gk_err add_kek_messages(gk_group *g, gk_plan *plan, const gk_epoch *e, const gk_rekey *k)
{
    gk_err err = GK_OK;

    for (size_t i = 0; i < k->kek_wraps.n && err == GK_OK; i += GK_EPOCH_WRAP) {
        gk_epoch own = *e;
        gk_mem message = {0};
        gk_reader r = gk_reader_of(k->kek_wraps.p + i, GK_EPOCH_WRAP);
        uint64_t under = 0;

        own.flags = GK_EPOCH_KEK;
        own.ops = (gk_bytes){0};
        own.wraps = (gk_bytes){k->kek_wraps.p + i, GK_EPOCH_WRAP};
        err = gk_reader_u64(&r, &own.root);
        if (err == GK_OK)
            err = gk_reader_u64(&r, &under);
        if (err == GK_OK)
            err = gk_epoch_make(&message, &own, g->lkh.kek, g->control->sign);
        plan->key_bytes += message.n;
        plan->key_writes++;
        plan->wraps++;
        if (err == GK_OK)
            err = gk_plan_add(plan, GK_WRITE_SET, false, &message, "members/%016llx", (unsigned long long)under);
    }
    return err;
}

/* add_member_nodes: in flat mode each member has a znode of its own. */
static gk_err add_member_nodes(gk_group *g, gk_plan *plan, const gk_rekey *k)
{
    gk_err err = GK_OK;

    for (size_t i = 0; i < k->ops.n && err == GK_OK && g->genesis.mode == GK_MODE_FLAT; i += GK_EPOCH_OP) {
        gk_reader r = gk_reader_of(k->ops.p + i, GK_EPOCH_OP);
        uint8_t what = 0;
        uint64_t leaf = 0;

        err = gk_reader_u8(&r, &what);
        if (err == GK_OK)
            err = gk_reader_u64(&r, &leaf);
        if (err == GK_OK)
            err = gk_plan_add(plan, what == GK_TREE_ADD ? GK_WRITE_CREATE : GK_WRITE_DELETE, false, NULL, "members/%016llx", (unsigned long long)leaf);
    }
    return err;
}

static void put_znode(gk_writer *w, const void *arg)
{
    const gk_bytes *two = arg;

    gk_writer_var32(w, two[0]);
    gk_writer_put(w, two[1].p, two[1].n);
}

/* step makes the next epoch out of `delta` and adds it to the plan. */
static gk_err step(gk_group *g, gk_plan *plan, gk_bytes delta, gk_reason reason, uint64_t now_ms, uint32_t *nodes, uint32_t *nodes_n)
{
    gk_epoch e = {.epoch = g->last.epoch + 1, .controller_epoch = g->control->controller_epoch,
                  .authority = gk_authority_version(g->control->authority), .issued_ms = now_ms, .max_age_s = g->policy.max_age_s,
                  .ring = g->policy.ring, .reason = (uint8_t)reason};
    uint8_t aad[96];
    gk_rekey k = {0};
    gk_mem message = {0}, sealed = {0}, znode = {0};
    gk_err err = RAND_bytes(e.salt, sizeof(e.salt)) == 1 ? GK_OK : GK_ERR_CRYPTO;

    memcpy(e.group_id, g->genesis.id, sizeof(e.group_id));
    memcpy(e.prev, g->last.hash, sizeof(e.prev));
    if (err == GK_OK)
        err = gk_group_apply(g, delta, e.epoch, e.salt, now_ms, &k, nodes, nodes_n);
    e.members = g->roster.n;
    e.root = k.root;
    e.flags = k.kek ? GK_EPOCH_NEEDS_KEK : 0;
    e.ops = gk_mem_view(&k.ops);
    e.wraps = gk_mem_view(&k.wraps);
    if (err == GK_OK)
        err = gk_epoch_make(&message, &e, k.root_key, g->control->sign);
    if (err == GK_OK)
        err = gk_state_seal(g->control->state_keys, &sealed, gk_group_aad(g, aad, "delta", e.epoch, 0, 1, e.hash), delta);
    g->least_key = gk_state_index(gk_mem_view(&sealed));
    if (err == GK_OK)
        err = gk_mem_write(&znode, put_znode, (gk_bytes[2]){gk_mem_view(&message), gk_mem_view(&sealed)});
    plan->epoch = e.epoch;
    plan->reason = e.reason;
    plan->wraps = (uint32_t)(k.wraps.n / GK_EPOCH_WRAP);
    plan->key_writes = 1;
    plan->key_bytes = message.n;
    g->log_bytes += znode.n;
    if (err == GK_OK)
        err = gk_plan_add(plan, GK_WRITE_CREATE, false, &znode, "epochs/%llu", (unsigned long long)e.epoch);
    if (err == GK_OK)
        err = add_kek_messages(g, plan, &e, &k);
    if (err == GK_OK)
        err = add_member_nodes(g, plan, &k);
    if (err == GK_OK)
        gk_group_set_last(g, &e, &k, plan->key_bytes);
    else
        g->broken = true;
    gk_rekey_clear(&k);
    gk_mem_free(&message);
    gk_mem_free(&sealed);
    return err;
}

/* --- plans -------------------------------------------------------------------------------------------------------------------------- */

static bool period_over(const gk_group *g, uint64_t now_ms)
{
    return gk_group_outdated(g) || (g->policy.period_s > 0 && now_ms >= g->last.issued_ms + (uint64_t)g->policy.period_s * 1000);
}

static bool window_over(const gk_group *g, uint64_t now_ms)
{
    for (size_t i = 0; i < g->work_n; i++) {
        if (g->work[i].arrived_ms + g->policy.batch_ms <= now_ms)
            return true;
    }
    return g->work_n >= GK_GROUP_BATCH_MAX;
}

uint64_t gk_group_due(const gk_group *g)
{
    uint64_t due = g->policy.period_s > 0 ? g->last.issued_ms + (uint64_t)g->policy.period_s * 1000 : UINT64_MAX;

    if (!g->ready || g->out)
        return UINT64_MAX;
    if (g->rekey != 0 || g->side_dirty || g->outbox.n > 0 || g->work_n >= GK_GROUP_BATCH_MAX || gk_group_outdated(g))
        return 0;
    for (size_t i = 0; i < g->work_n; i++)
        due = g->work[i].arrived_ms + g->policy.batch_ms < due ? g->work[i].arrived_ms + g->policy.batch_ms : due;
    return due;
}

static bool in_batch(const batch *b, const gk_work *w)
{
    for (size_t i = 0; i < b->n; i++) {
        if (strcmp(b->taken[i].name, w->name) == 0 ||
            (w->kind == GK_WORK_JOIN && memcmp(b->taken[i].request.identity, w->request.identity, GK_HASH) == 0))
            return true;
    }
    return false;
}

/* still_good: what was decided when it arrived may have changed while it waited. */
static gk_refusal still_good(const gk_group *g, const gk_work *w)
{
    uint32_t by_name = gk_roster_name(&g->roster, text(w->name));
    uint32_t by_identity = gk_roster_identity(&g->roster, w->request.identity);

    if (w->kind == GK_WORK_EVICT)
        return by_name == GK_NOBODY ? GK_REFUSAL_STATE : GK_REFUSAL_NONE;
    if (w->kind != GK_WORK_JOIN)
        return by_name == GK_NOBODY || by_name != by_identity ? GK_REFUSAL_MEMBER : GK_REFUSAL_NONE;
    if (gk_side_is_denied(&g->side, w->request.identity))
        return GK_REFUSAL_DENIED;
    if (w->uses_token && gk_side_token(&g->side, w->request.token_id) == NULL)
        return GK_REFUSAL_TOKEN;
    return by_name != by_identity ? GK_REFUSAL_NAME : GK_REFUSAL_NONE;
}

/* take moves from the queue what one rekey does; refreshes come last, they see its result. Of a name only the first waits no longer. */
static gk_err take(batch *b, gk_work *refreshes, size_t *refreshes_n)
{
    gk_group *g = b->g;
    size_t most = gk_group_batch_most(g);
    size_t kept = 0;
    gk_err e = GK_OK;

    for (size_t i = 0; i < g->work_n; i++) {
        gk_work *w = &g->work[i];
        gk_refusal refusal = still_good(g, w);

        if (refusal != GK_REFUSAL_NONE) {
            g->refused[refusal]++;
            if (w->kind != GK_WORK_EVICT && e == GK_OK)
                e = gk_group_reply(g, &g->outbox, &w->request, refusal, GK_NIL, true);
        } else if (w->kind == GK_WORK_REFRESH && *refreshes_n < GK_GROUP_BATCH_MAX) {
            refreshes[(*refreshes_n)++] = *w;
        } else if (w->kind == GK_WORK_REFRESH || b->n >= most || in_batch(b, w)) {
            g->work[kept++] = *w;
        } else {
            b->taken[b->n++] = *w;
        }
    }
    g->work_n = kept;
    return e;
}

static gk_reason reason_of(const gk_group *g, const batch *b)
{
    if (b->n == 0)
        return g->rekey != 0 ? (gk_reason)g->rekey : GK_REASON_PERIOD;
    if (b->n > 1)
        return GK_REASON_BATCH;
    return b->taken[0].kind == GK_WORK_JOIN ? GK_REASON_JOIN : b->taken[0].kind == GK_WORK_LEAVE ? GK_REASON_LEAVE : GK_REASON_EVICT;
}

static gk_err make_epoch(gk_group *g, batch *b, gk_plan *plan, uint64_t now_ms)
{
    uint32_t nodes[GK_GROUP_BATCH_MAX], nodes_n = 0, at = 0;
    gk_mem delta = {0};
    gk_reason reason = reason_of(g, b);
    gk_err e = RAND_priv_bytes(b->seed, sizeof(b->seed)) == 1 ? gk_mem_write(&delta, put_delta, b) : GK_ERR_CRYPTO;

    for (size_t i = 0; i < b->n; i++) {
        plan->left += leaves(g, &b->taken[i]);
        plan->joined += b->taken[i].kind == GK_WORK_JOIN;
        g->deny_dirty = g->deny_dirty || b->taken[i].kind == GK_WORK_EVICT;
    }
    if (e == GK_OK)
        e = step(g, plan, gk_mem_view(&delta), reason, now_ms, nodes, &nodes_n);
    for (size_t i = 0; i < b->n && e == GK_OK; i++) {
        if (b->taken[i].kind == GK_WORK_JOIN)
            e = gk_group_reply(g, plan, &b->taken[i].request, GK_REFUSAL_NONE, nodes[at++], false);
    }
    gk_wipe(b->seed, sizeof(b->seed));
    gk_mem_free(&delta);
    if (e == GK_OK)
        g->rekey = 0;
    return e;
}

gk_err gk_group_first(gk_group *g, gk_plan *plan, uint64_t now_ms)
{
    batch b = {.g = g};

    g->rekey = GK_REASON_CREATE;
    return make_epoch(g, &b, plan, now_ms);
}

static gk_err add_side(gk_group *g, gk_plan *plan, uint64_t now_ms)
{
    gk_mem data = {0};
    gk_err e = GK_OK;

    if (g->side_dirty)
        e = gk_group_put_side(g, plan, false, now_ms);
    if (e == GK_OK && g->policy_dirty) {
        e = gk_mem_copy(&data, gk_mem_view(&g->policy_record));
        if (e == GK_OK)
            e = gk_plan_add(plan, GK_WRITE_SET, false, &data, "policy");
    }
    if (e == GK_OK && g->deny_dirty) {
        e = gk_side_list(&g->side, &data, g->genesis.id, g->control->sign);
        if (e == GK_OK)
            e = gk_plan_add(plan, GK_WRITE_SET, false, &data, "deny");
    }
    if (e == GK_OK)
        g->side_dirty = g->policy_dirty = g->deny_dirty = false;
    return e;
}

static gk_err add_outbox(gk_group *g, gk_plan *plan)
{
    gk_err e = GK_OK;

    for (size_t i = 0; i < g->outbox.n && e == GK_OK; i++)
        e = gk_plan_add(plan, g->outbox.writes[i].kind, true, &g->outbox.writes[i].data, "%s", g->outbox.writes[i].path);
    gk_plan_clear(&g->outbox);
    return e;
}

gk_err gk_group_plan(gk_group *g, uint64_t now_ms, bool force, gk_plan *plan)
{
    bool work = g->work_n > 0 && (force || window_over(g, now_ms));
    batch b = {.g = g};
    gk_work *refreshes = NULL;
    size_t refreshes_n = 0;
    gk_err e = GK_OK;

    *plan = (gk_plan){0};
    if (g->broken || !g->ready || g->out || g->side.serial < g->needs_serial)
        return GK_ERR_STATE;
    if (!gk_group_policy_ok(g))
        return GK_ERR_AUTH;
    if (gk_side_expire(&g->side, now_ms))
        g->side_dirty = true;
    if (!work && !g->side_dirty && !g->deny_dirty && g->rekey == 0 && g->outbox.n == 0 && !period_over(g, now_ms))
        return GK_ERR_NOTFOUND;
    b.taken = calloc(GK_GROUP_BATCH_MAX, sizeof(*b.taken));
    refreshes = calloc(GK_GROUP_BATCH_MAX, sizeof(*refreshes));
    if (b.taken == NULL || refreshes == NULL)
        e = GK_ERR_NOMEM;
    if (e == GK_OK && work)
        e = take(&b, refreshes, &refreshes_n);
    if (e == GK_OK && (b.n > 0 || g->rekey != 0 || period_over(g, now_ms)))
        e = make_epoch(g, &b, plan, now_ms);
    if (e == GK_OK)
        e = add_side(g, plan, now_ms);
    for (size_t i = 0; i < refreshes_n && e == GK_OK; i++) {
        uint32_t at = gk_roster_name(&g->roster, text(refreshes[i].name));

        e = gk_group_reply(g, plan, &refreshes[i].request, at == GK_NOBODY ? GK_REFUSAL_MEMBER : GK_REFUSAL_NONE,
                           at == GK_NOBODY ? GK_NIL : g->roster.entries[at].node, true);
    }
    if (e == GK_OK)
        e = add_outbox(g, plan);
    free(b.taken);
    free(refreshes);
    if (e == GK_OK && plan->n == 0)
        return GK_ERR_NOTFOUND; /* all that waited made no sense any more */
    g->broken = g->broken || e != GK_OK;
    g->out = e == GK_OK;
    if (e != GK_OK)
        gk_plan_clear(plan);
    return e;
}

void gk_group_commit(gk_group *g)
{
    g->out = false;
}
