#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gk_group_internal.h"

#define SNAPSHOT_LEAST 64 /* epochs between two snapshots, at least */

/* --- plans -------------------------------------------------------------------------------------------------------------------------- */

void gk_plan_clear(gk_plan *p)
{
    for (size_t i = 0; i < p->n; i++)
        gk_mem_free(&p->writes[i].data);
    free(p->writes);
    *p = (gk_plan){0};
}

/* gk_plan_add takes over what data holds, also when it fails. */
gk_err gk_plan_add(gk_plan *p, gk_write_kind kind, bool loose, gk_mem *data, const char *format, ...)
{
    gk_write w = {.kind = kind, .loose = loose};
    va_list args;
    int n = 0;

    va_start(args, format);
    n = vsnprintf(w.path, sizeof(w.path), format, args);
    va_end(args);
    if (data != NULL) {
        w.data = *data;
        *data = (gk_mem){0};
    }
    if (p->n == p->cap) {
        size_t cap = p->cap * 2 + 16;
        gk_write *more = realloc(p->writes, cap * sizeof(*more));

        if (more == NULL) {
            gk_mem_free(&w.data);
            return GK_ERR_NOMEM;
        }
        p->writes = more;
        p->cap = cap;
    }
    p->writes[p->n++] = w;
    return n < 0 || (size_t)n >= sizeof(w.path) ? GK_ERR_LIMIT : GK_OK;
}

void gk_hex_text(char *out, const uint8_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", in[i]);
}

/* --- life --------------------------------------------------------------------------------------------------------------------------- */

gk_err gk_group_new(gk_group **out, const gk_control *c, gk_bytes genesis, gk_bytes policy, bool created)
{
    gk_group *g = calloc(1, sizeof(*g));
    gk_bytes part = {0};
    gk_err e = g == NULL ? GK_ERR_NOMEM : GK_OK;

    *out = NULL;
    if (e == GK_OK) {
        g->control = c;
        e = gk_genesis_read(&g->genesis, genesis, created ? c->authority : NULL);
    }
    if (e == GK_OK && memcmp(g->genesis.root, gk_authority_root(c->authority), GK_HASH) != 0)
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        e = gk_mem_copy(&g->policy_record, policy);
    part = e == GK_OK ? gk_mem_view(&g->policy_record) : part;
    /* later, sealed state holds the policy's hash: whoever signed it may have gone since */
    if (e == GK_OK)
        e = gk_policy_read(&g->policy, g->genesis.id, part, created ? c->authority : NULL);
    if (e == GK_OK)
        e = gk_sha256(g->policy_hash, &part, 1);
    if (e == GK_OK && created)
        memcpy(g->side.policy, g->policy_hash, GK_HASH);
    if (e == GK_OK)
        e = gk_lkh_init(&g->lkh, g->genesis.mode, g->genesis.id);
    if (e != GK_OK)
        gk_group_free(g);
    else
        *out = g;
    return e;
}

void gk_group_free(gk_group *g)
{
    if (g == NULL)
        return;
    gk_mem_free(&g->policy_record);
    gk_lkh_clear(&g->lkh);
    gk_roster_clear(&g->roster);
    gk_side_clear(&g->side);
    gk_mem_free(&g->later);
    gk_plan_clear(&g->outbox);
    gk_mem_free(&g->loading);
    free(g->work);
    free(g);
}

gk_err gk_group_policy(gk_group *g, gk_bytes record)
{
    gk_policy p = {0};
    gk_mem copy = {0};
    gk_bytes part = {0};
    gk_err e = GK_OK;

    if (gk_group_policy_ok(g) && gk_bytes_equal(gk_mem_view(&g->policy_record), record))
        return GK_OK; /* as it was: standbys look with each epoch, and a new leader at all groups */
    e = gk_mem_copy(&copy, record);
    part = gk_mem_view(&copy);
    if (e == GK_OK)
        e = gk_policy_read(&p, g->genesis.id, part, g->control->authority);
    if (e == GK_OK && p.version < g->policy.version)
        e = GK_ERR_STATE;
    if (e == GK_OK)
        e = gk_sha256(g->policy_hash, &part, 1);
    if (e != GK_OK) {
        gk_mem_free(&copy);
        return e;
    }
    gk_mem_free(&g->policy_record);
    g->policy_record = copy;
    g->policy = p;
    return GK_OK;
}

bool gk_group_outdated(const gk_group *g)
{
    return g->last.authority < gk_authority_version(g->control->authority);
}

gk_err gk_group_floor(const gk_group *g, uint64_t epoch, const uint8_t hash[GK_HASH])
{
    if (g->last.epoch < epoch)
        return GK_ERR_AUTH;
    return g->last.epoch == epoch && memcmp(g->last.hash, hash, GK_HASH) != 0 ? GK_ERR_AUTH : GK_OK;
}

gk_err gk_group_recover(gk_group *g, uint64_t epoch)
{
    if (g->broken || g->out || !g->ready)
        return GK_ERR_STATE;
    if (epoch > g->last.epoch)
        g->last.epoch = epoch;
    g->rekey = GK_REASON_RECOVER;
    return GK_OK;
}

gk_err gk_group_fresh(const gk_group *g, uint64_t now_ms, gk_mem *out)
{
    gk_fresh f = {.epoch = g->last.epoch, .time_ms = now_ms, .controller_epoch = g->control->controller_epoch,
                  .authority = gk_authority_version(g->control->authority)};

    memcpy(f.group_id, g->genesis.id, sizeof(f.group_id));
    memcpy(f.hash, g->last.hash, sizeof(f.hash));
    return gk_fresh_make(out, &f, g->control->sign);
}

bool gk_group_snapshot_due(const gk_group *g)
{
    uint64_t epochs = g->last.epoch - g->snapshot_epoch;
    uint32_t least = g->policy.ring > SNAPSHOT_LEAST ? g->policy.ring : SNAPSHOT_LEAST;

    return g->ready && !g->out && g->snapshot_next == 0 && epochs >= least && (g->log_bytes >= g->snapshot_bytes || epochs >= 4096);
}

/* --- looking -------------------------------------------------------------------------------------------------------------------------- */

gk_err gk_group_look(const gk_group *g, gk_group_info *out)
{
    const gk_tree *t = &g->lkh.tree;

    *out = (gk_group_info){.genesis = g->genesis, .policy = g->policy, .epoch = g->last.epoch, .issued_ms = g->last.issued_ms,
                           .members = g->roster.n, .pending = (uint32_t)g->side.waiting_n, .queued = (uint32_t)g->work_n,
                           .tokens = (uint32_t)g->side.tokens_n, .denied = (uint32_t)g->side.denied_n, .last_reason = g->last.reason,
                           .last_wraps = g->last_wraps, .last_key_writes = g->last_key_writes, .last_key_bytes = g->last_key_bytes,
                           .height = t->root == GK_NIL ? 0 : t->nodes[t->root].hi};
    memcpy(out->hash, g->last.hash, GK_HASH);
    out->memory = sizeof(*g) + (size_t)t->cap * sizeof(*t->nodes) + (size_t)t->used * 128 + (size_t)g->roster.cap * sizeof(gk_entry) +
                  (size_t)g->roster.n * 32 + (size_t)g->roster.slots * 8 + g->side.seen.cap * sizeof(gk_once);
    return g->lkh.top_id != 0 || t->root != GK_NIL ? GK_OK : GK_ERR_STATE;
}

gk_err gk_group_fingerprint(const gk_group *g, uint8_t out[8])
{
    const gk_tree *t = &g->lkh.tree;
    const gk_key *root = g->lkh.top_id != 0 ? g->lkh.top : t->root == GK_NIL ? NULL : t->nodes[t->root].key;
    gk_key *k = NULL;
    gk_err e = root == NULL ? GK_ERR_STATE : gk_epoch_group_key(&k, g->genesis.id, g->last.epoch, g->last.body_hash, root);

    if (e == GK_OK)
        e = gk_key_fingerprint(out, k);
    gk_key_free(k);
    return e;
}

bool gk_group_person(const gk_group *g, size_t i, gk_person *out)
{
    *out = (gk_person){0};
    if (i < g->roster.n) {
        const gk_entry *x = &g->roster.entries[i];

        *out = (gk_person){.state = GK_PERSON_ACTIVE, .name = x->name, .leaf = g->lkh.tree.nodes[x->node].id, .since_epoch = x->since};
        memcpy(out->identity, x->identity, GK_HASH);
        return true;
    }
    i -= g->roster.n;
    if (i < g->side.waiting_n) {
        out->state = GK_PERSON_PENDING;
        out->name = g->side.waiting[i].name;
        memcpy(out->identity, g->side.waiting[i].identity, GK_HASH);
        memcpy(out->request, g->side.waiting[i].hash, GK_HASH);
        return true;
    }
    i -= g->side.waiting_n;
    if (i >= g->side.denied_n)
        return false;
    out->state = GK_PERSON_DENIED;
    out->name = g->side.denied[i].name;
    out->since_epoch = g->side.denied[i].since;
    memcpy(out->identity, g->side.denied[i].identity, GK_HASH);
    return true;
}

bool gk_group_find(const gk_group *g, gk_bytes name, gk_person *out)
{
    uint32_t at = gk_roster_name(&g->roster, name);

    if (at != GK_NOBODY)
        return gk_group_person(g, at, out);
    for (size_t i = g->roster.n; gk_group_person(g, i, out); i++) {
        if (strlen(out->name) == name.n && memcmp(out->name, name.p, name.n) == 0)
            return true;
    }
    return false;
}

uint64_t gk_group_refused(const gk_group *g, gk_refusal r)
{
    return (unsigned)r < GK_REFUSAL_COUNT ? g->refused[r] : 0;
}
