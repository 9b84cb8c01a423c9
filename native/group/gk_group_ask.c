/* What members and administrators ask for. */
#include <stdlib.h>
#include <string.h>

#include "gk_group_internal.h"

gk_err gk_group_queue(gk_group *g, const gk_work *w)
{
    if (g->work_n == g->work_cap) {
        size_t cap = g->work_cap * 2 + 16;
        gk_work *more = realloc(g->work, cap * sizeof(*more));

        if (more == NULL)
            return GK_ERR_NOMEM;
        g->work = more;
        g->work_cap = cap;
    }
    g->work[g->work_n++] = *w;
    return GK_OK;
}

/* gk_group_reply: a refusal, or what the member at this leaf has to know now. */
typedef struct secret_of {
    const gk_group *g;
    gk_bytes grant;
} secret_of;

static void put_secret(gk_writer *w, const void *arg)
{
    const secret_of *s = arg;
    const gk_epoch *e = &s->g->last;

    gk_writer_put(w, e->hash, GK_HASH);
    gk_writer_put(w, e->body_hash, GK_HASH);
    gk_writer_u64(w, e->controller_epoch);
    gk_writer_u64(w, e->authority);
    gk_writer_u64(w, e->issued_ms);
    gk_writer_u32(w, e->max_age_s);
    gk_writer_u32(w, e->ring);
    gk_writer_put(w, s->grant.p, s->grant.n);
}

gk_err gk_group_reply(gk_group *g, gk_plan *plan, const gk_request *r, gk_refusal refusal, uint32_t leaf, bool loose)
{
    char hex[2 * GK_HASH + 1];
    gk_mem grant = {0}, secret = {0}, reply = {0};
    gk_err e = GK_OK;

    if (refusal == GK_REFUSAL_NONE) {
        e = gk_lkh_grant(&g->lkh, &grant, leaf, g->last.epoch);
        if (e == GK_OK)
            e = gk_mem_write(&secret, put_secret, &(secret_of){g, gk_mem_view(&grant)});
    }
    if (e == GK_OK)
        e = gk_reply_make(&reply, r, g->last.epoch, refusal, gk_mem_view(&secret), g->control->sign);
    gk_hex_text(hex, r->hash, GK_HASH);
    if (e == GK_OK)
        e = gk_plan_add(plan, GK_WRITE_CREATE, loose, &reply, "replies/%s%s", hex, refusal == GK_REFUSAL_PENDING ? "-pending" : "");
    gk_mem_free(&grant);
    gk_mem_free(&secret);
    return e;
}

/* rate counts requests of an identity in this minute. Two identities that share a slot share a limit: the table can't be made to grow. */
static bool too_many(gk_group *g, const uint8_t identity[GK_HASH], uint64_t now_ms)
{
    uint64_t id = 0;
    size_t at = 0;

    memcpy(&id, identity, sizeof(id));
    if (g->rates_minute != now_ms / 60000) {
        memset(g->rates, 0, sizeof(g->rates));
        g->rates_minute = now_ms / 60000;
    }
    at = id % GK_RATE_SLOTS;
    if (g->rates[at].id != id && g->rates[at].n == 0)
        g->rates[at].id = id;
    return g->policy.max_per_identity > 0 && g->rates[at].id == id && ++g->rates[at].n > g->policy.max_per_identity;
}

static size_t queued(const gk_group *g, gk_work_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < g->work_n; i++)
        n += g->work[i].kind == kind;
    return n;
}

/* may_join: everything that approval doesn't change. */
static gk_refusal may_join(const gk_group *g, const gk_request *r)
{
    uint32_t by_name = gk_roster_name(&g->roster, r->name);
    uint32_t by_identity = gk_roster_identity(&g->roster, r->identity);
    uint32_t most = g->genesis.mode == GK_MODE_FLAT && g->policy.max_members > GK_GROUP_FLAT_MAX ? GK_GROUP_FLAT_MAX : g->policy.max_members;

    if (gk_side_is_denied(&g->side, r->identity))
        return GK_REFUSAL_DENIED;
    if (by_name != by_identity) /* one identity, one name; a member that lost its state comes back under both */
        return GK_REFUSAL_NAME;
    if (by_name == GK_NOBODY && g->roster.n + queued(g, GK_WORK_JOIN) >= most)
        return GK_REFUSAL_QUOTA;
    return g->work_n + g->side.waiting_n >= g->policy.max_pending ? GK_REFUSAL_QUOTA : GK_REFUSAL_NONE;
}

/* enqueue: a refresh's nonce stays GK_SEEN_WAITS, or those of all members would fill the side znode: who leads next may answer it once more, as only the member
 * itself can open the answer, and gets one only while it is a member. */
static gk_err enqueue(gk_group *g, const gk_request *r, gk_work_kind kind, bool uses_token, uint64_t now_ms)
{
    gk_work w = {.kind = kind, .request = *r, .uses_token = uses_token, .arrived_ms = now_ms};
    gk_err e = gk_seen_add(&g->side.seen, r->once, r->not_after_ms, now_ms, GK_SEEN_WAITS);

    memcpy(w.name, r->name.p, r->name.n);
    w.request.cert = NULL;
    w.request.name = w.request.token_body = w.request.token_sig = (gk_bytes){0};
    return e == GK_OK ? gk_group_queue(g, &w) : e;
}

/* forget_waiting: who asks again waits once. */
static void forget_waiting(gk_side *s, const uint8_t identity[GK_HASH])
{
    for (size_t i = s->waiting_n; i-- > 0;) {
        if (memcmp(s->waiting[i].identity, identity, GK_HASH) == 0) /* public */
            gk_side_waited(s, s->waiting[i].hash);
    }
}

static gk_refusal join(gk_group *g, const gk_request *r, gk_bytes data, bool approved, uint64_t now_ms)
{
    gk_token *token = r->with_token ? gk_side_token(&g->side, r->token_id) : NULL;
    gk_token left = token != NULL ? *token : (gk_token){0};
    bool uses = false;
    gk_refusal refusal = may_join(g, r);

    for (size_t i = 0; i < g->work_n && token != NULL; i++) /* those that wait use it, too */
        left.uses -= left.uses > 0 && g->work[i].uses_token && memcmp(g->work[i].request.token_id, r->token_id, GK_TOKEN_ID) == 0; /* public */
    if (refusal == GK_REFUSAL_NONE)
        refusal = gk_request_admissible(r, &g->policy, token != NULL ? &left : NULL, approved, now_ms, &uses);
    if (refusal == GK_REFUSAL_PENDING) {
        if (gk_side_waiting(&g->side, r->hash) != NULL)
            return refusal;
        forget_waiting(&g->side, r->identity);
        if (!gk_side_room(&g->side, 0, data.n) || gk_side_wait(&g->side, r, data, now_ms + GK_SIDE_WAITING_MS) != GK_OK ||
            gk_seen_add(&g->side.seen, r->once, r->not_after_ms, now_ms, GK_SEEN_SIDE) != GK_OK)
            return GK_REFUSAL_QUOTA;
        g->side_dirty = true;
        return refusal;
    }
    if (refusal == GK_REFUSAL_NONE && enqueue(g, r, GK_WORK_JOIN, uses, now_ms) != GK_OK)
        return GK_REFUSAL_QUOTA;
    return refusal;
}

static gk_refusal by_member(gk_group *g, const gk_request *r, uint64_t now_ms)
{
    uint32_t at = gk_roster_name(&g->roster, r->name);

    if (at == GK_NOBODY || memcmp(g->roster.entries[at].identity, r->identity, GK_HASH) != 0)
        return GK_REFUSAL_MEMBER;
    if (g->work_n >= g->policy.max_pending)
        return GK_REFUSAL_QUOTA;
    return enqueue(g, r, r->kind == GK_REQUEST_LEAVE ? GK_WORK_LEAVE : GK_WORK_REFRESH, false, now_ms) == GK_OK ? GK_REFUSAL_NONE
                                                                                                              : GK_REFUSAL_QUOTA;
}

static gk_refusal decide(gk_group *g, const gk_request *r, gk_bytes data, uint64_t now_ms)
{
    if (memcmp(r->group_id, g->genesis.id, GK_GROUP_ID) != 0)
        return GK_REFUSAL_GROUP;
    if (!gk_group_policy_ok(g))
        return GK_REFUSAL_STATE;
    if (gk_seen_has(&g->side.seen, r->once))
        return gk_side_waiting(&g->side, r->hash) != NULL ? GK_REFUSAL_PENDING : GK_REFUSAL_REPLAY;
    if (r->not_after_ms < now_ms || r->not_after_ms - now_ms > GK_REQUEST_LIFE_MS)
        return GK_REFUSAL_EXPIRED;
    if (too_many(g, r->identity, now_ms))
        return GK_REFUSAL_RATE;
    return r->kind == GK_REQUEST_JOIN ? join(g, r, data, false, now_ms) : by_member(g, r, now_ms);
}

gk_refusal gk_group_request(gk_group *g, gk_bytes data, uint64_t now_ms)
{
    gk_request r = {0};
    gk_err e = gk_request_read(&r, data);
    gk_refusal refusal = e == GK_ERR_LIMIT ? GK_REFUSAL_LIMIT : e == GK_ERR_AUTH ? GK_REFUSAL_SIGNATURE : GK_REFUSAL_MALFORMED;

    if (e == GK_OK)
        refusal = decide(g, &r, data, now_ms);
    g->refused[refusal]++;
    /* Replays get no answer: the one they had stands there, or it was somebody else's. A lost refusal is asked for again. */
    if (e == GK_OK && refusal != GK_REFUSAL_NONE && refusal != GK_REFUSAL_REPLAY && refusal != GK_REFUSAL_GROUP && refusal != GK_REFUSAL_RATE &&
        g->outbox.n < g->policy.max_pending && g->ready)
        e = gk_group_reply(g, &g->outbox, &r, refusal, GK_NIL, true);
    gk_request_clear(&r);
    return refusal;
}

/* --- commands -------------------------------------------------------------------------------------------------------------------------- */

static gk_refusal approve(gk_group *g, const gk_command *c, uint64_t now_ms)
{
    gk_waiting *w = gk_side_waiting(&g->side, c->hash);
    gk_mem copy = {0};
    gk_request r = {0};
    gk_refusal refusal = GK_REFUSAL_STATE;

    if (w == NULL || gk_mem_copy(&copy, gk_mem_view(&w->request)) != GK_OK)
        return refusal;
    if (gk_request_read(&r, gk_mem_view(&copy)) == GK_OK) {
        if (c->op == GK_OP_APPROVE)
            refusal = join(g, &r, gk_mem_view(&copy), true, now_ms);
        else if (gk_group_reply(g, &g->outbox, &r, GK_REFUSAL_REJECTED, GK_NIL, true) == GK_OK)
            refusal = GK_REFUSAL_NONE;
    }
    if (refusal == GK_REFUSAL_NONE) {
        gk_side_waited(&g->side, r.hash);
        g->side_dirty = true;
    }
    gk_request_clear(&r);
    gk_mem_free(&copy);
    return refusal;
}

static gk_refusal evict(gk_group *g, const gk_command *c, uint64_t now_ms)
{
    gk_work w = {.kind = GK_WORK_EVICT, .arrived_ms = now_ms};

    if (gk_roster_name(&g->roster, c->name) == GK_NOBODY)
        return GK_REFUSAL_STATE;
    if (!gk_side_room(&g->side, queued(g, GK_WORK_EVICT) + 1, 0)) /* the deny list is full: gk-admin member allow, or a lower max-pending */
        return GK_REFUSAL_QUOTA;
    memcpy(w.name, c->name.p, c->name.n);
    return gk_group_queue(g, &w) == GK_OK ? GK_REFUSAL_NONE : GK_REFUSAL_QUOTA;
}

static gk_refusal token_command(gk_group *g, const gk_command *c, uint64_t now_ms)
{
    gk_token t = {0};

    if (c->op == GK_OP_TOKEN_REVOKE) {
        if (c->blob.n != GK_TOKEN_ID || gk_side_token(&g->side, c->blob.p) == NULL)
            return GK_REFUSAL_STATE;
        gk_side_token_left(&g->side, c->blob.p, 0);
    } else if (gk_token_read(&t, c->blob) != GK_OK || t.not_after_ms < now_ms || !gk_side_room(&g->side, 1, 0) || gk_side_token_add(&g->side, &t) != GK_OK) {
        return GK_REFUSAL_STATE;
    }
    g->side_dirty = true;
    return GK_REFUSAL_NONE;
}

static gk_refusal policy_command(gk_group *g, const gk_command *c)
{
    gk_policy p = {0};

    if (gk_policy_read(&p, g->genesis.id, c->blob, g->control->authority) != GK_OK || p.version != g->policy.version + 1 ||
        gk_group_policy(g, c->blob) != GK_OK)
        return GK_REFUSAL_STATE;
    memcpy(g->side.policy, g->policy_hash, GK_HASH);
    g->policy_dirty = g->side_dirty = true;
    return GK_REFUSAL_NONE;
}

static gk_refusal execute(gk_group *g, const gk_command *c, uint64_t now_ms)
{
    switch (c->op) {
    case GK_OP_POLICY: return policy_command(g, c);
    case GK_OP_REKEY: g->rekey = GK_REASON_MANUAL; return GK_REFUSAL_NONE;
    case GK_OP_RECOVER: g->rekey = GK_REASON_RECOVER; return GK_REFUSAL_NONE;
    case GK_OP_APPROVE:
    case GK_OP_DENY: return approve(g, c, now_ms);
    case GK_OP_EVICT: return evict(g, c, now_ms);
    case GK_OP_ALLOW:
        if (!gk_side_allow(&g->side, c->hash, c->name))
            return GK_REFUSAL_STATE;
        g->side_dirty = g->deny_dirty = true;
        return GK_REFUSAL_NONE;
    case GK_OP_TOKEN_CREATE:
    case GK_OP_TOKEN_REVOKE: return token_command(g, c, now_ms);
    case GK_OP_CREATE:
    case GK_OP_DELETE:
    case GK_OP_HANDOVER:
    case GK_OP_QUERY: break;
    }
    return GK_REFUSAL_STATE;
}

gk_refusal gk_group_command(gk_group *g, const gk_command *c, uint64_t now_ms)
{
    gk_refusal refusal = GK_REFUSAL_NONE;

    if (!gk_group_policy_ok(g))
        return GK_REFUSAL_STATE;
    if (memcmp(c->target, g->genesis.id, GK_GROUP_ID) != 0)
        refusal = GK_REFUSAL_GROUP;
    else if (gk_seen_has(&g->side.seen, c->nonce))
        refusal = GK_REFUSAL_REPLAY;
    else
        refusal = execute(g, c, now_ms);
    if (refusal == GK_REFUSAL_NONE) {
        g->side_dirty = true; /* it is executed once: that has to be remembered */
        if (gk_seen_add(&g->side.seen, c->nonce, c->not_after_ms, now_ms, GK_SEEN_SIDE) != GK_OK)
            g->broken = true;
    }
    g->refused[refusal]++;
    return refusal;
}
