/* Controllers' state: what is sealed into znodes, and back. */
#include <stdlib.h>
#include <string.h>

#include "gk_group_internal.h"

#define STATE_FORMAT 1
#define DELETES 500       /* in one multi */

/* --- snapshots ------------------------------------------------------------------------------------------------------------------------ */

typedef struct row_of {
    const gk_group *g;
    gk_writer *w;
    const uint32_t *entry_of; /* by node */
} row_of;

static void put_row(void *arg, uint32_t leaf)
{
    const row_of *row = arg;
    const gk_entry *x = &row->g->roster.entries[row->entry_of[leaf]];

    gk_writer_var16(row->w, (gk_bytes){(const uint8_t *)x->name, strlen(x->name)});
    gk_writer_put(row->w, x->identity, GK_HASH);
    gk_writer_u64(row->w, x->since);
}

typedef struct state_of {
    const gk_group *g;
    const uint32_t *entry_of;
} state_of;

static void put_state(gk_writer *w, const void *arg)
{
    const state_of *s = arg;
    const gk_epoch *e = &s->g->last;
    row_of rows = {s->g, w, s->entry_of};

    gk_writer_u8(w, STATE_FORMAT);
    gk_writer_u64(w, e->controller_epoch);
    gk_writer_u64(w, e->authority);
    gk_writer_u64(w, e->issued_ms);
    gk_writer_u32(w, e->max_age_s);
    gk_writer_u32(w, e->ring);
    gk_writer_u8(w, e->reason);
    gk_writer_put(w, e->body_hash, GK_HASH);
    gk_lkh_save(&s->g->lkh, w);
    gk_lkh_leaves(&s->g->lkh, put_row, &rows);
    gk_side_save(&s->g->side, w, e->issued_ms, true);
}

typedef struct head {
    const gk_group *g;
    uint32_t chunks;
    uint64_t bytes;
} head;

static void put_head(gk_writer *w, const void *arg)
{
    const head *h = arg;

    gk_writer_put(w, "GKH1", 4);
    gk_writer_put(w, h->g->genesis.id, GK_GROUP_ID);
    gk_writer_u64(w, h->g->last.epoch);
    gk_writer_put(w, h->g->last.hash, GK_HASH);
    gk_writer_u32(w, h->chunks);
    gk_writer_u64(w, h->bytes);
}

static gk_err index_entries(const gk_group *g, uint32_t **out)
{
    *out = calloc((size_t)g->lkh.tree.used + 1, sizeof(**out));
    if (*out == NULL)
        return GK_ERR_NOMEM;
    for (uint32_t i = 0; i < g->roster.n; i++)
        (*out)[g->roster.entries[i].node] = i;
    return GK_OK;
}

/* past: up to which epoch members aren't served any more: what is behind the ring and older than the max age. A member that follows with the delays of a
 * slow link loses nothing, however fast the epochs come. */
static uint64_t past(const gk_group *g)
{
    uint64_t ring = g->last.epoch > g->policy.ring ? g->last.epoch - g->policy.ring : 0;

    return ring < g->aged_epoch ? ring : g->aged_epoch;
}

/* add_deletes: chunks of the snapshot before, and epochs that neither members nor controllers need any more. */
static gk_err add_deletes(gk_group *g, uint64_t oldest, gk_plan *plans, size_t *n, size_t most)
{
    uint64_t keep = past(g);
    gk_plan *p = &plans[*n];
    gk_err e = GK_OK;

    for (uint32_t i = 0; i < g->snapshot_chunks && g->snapshot_epoch != g->last.epoch && e == GK_OK; i++)
        e = gk_plan_add(p, GK_WRITE_DELETE, true, NULL, "state/%llu-%u", (unsigned long long)g->snapshot_epoch, i);
    for (uint64_t i = oldest; i <= keep && e == GK_OK; i++) {
        if (p->n >= DELETES && *n + 1 < most)
            p = &plans[++*n];
        e = gk_plan_add(p, GK_WRITE_DELETE, true, NULL, "epochs/%llu", (unsigned long long)i);
    }
    *n += p->n > 0;
    return e;
}

/* add_chunks: all in one multi with the head where they fit, else a plan each. A snapshot of an epoch that has one already takes its place, which has to
 * be in one multi: chunks of two snapshots don't go together. */
static gk_err add_chunks(gk_group *g, gk_bytes plain, size_t chunks, bool together, gk_plan *plans, size_t *n)
{
    bool again = g->snapshot_epoch == g->last.epoch && g->snapshot_chunks > 0;
    uint8_t aad[96];
    gk_err e = again && !together ? GK_ERR_STATE : GK_OK;

    for (uint32_t i = 0; again && i < g->snapshot_chunks && e == GK_OK; i++)
        e = gk_plan_add(&plans[0], GK_WRITE_DELETE, false, NULL, "state/%llu-%u", (unsigned long long)g->last.epoch, i);
    for (size_t i = 0; i < chunks && e == GK_OK; i++) {
        size_t part = plain.n - i * GK_CHUNK < GK_CHUNK ? plain.n - i * GK_CHUNK : GK_CHUNK;
        gk_mem sealed = {0};

        e = gk_state_seal(g->control->state_keys, &sealed,
                          gk_group_aad(g, aad, "chunk", g->last.epoch, (uint32_t)i, (uint32_t)chunks, g->last.hash),
                          (gk_bytes){plain.p + i * GK_CHUNK, part});
        if (e == GK_OK)
            e = gk_plan_add(&plans[together ? 0 : i], GK_WRITE_CREATE, false, &sealed, "state/%llu-%u", (unsigned long long)g->last.epoch, (unsigned)i);
    }
    *n = together ? 0 : chunks;
    return e;
}

gk_err gk_group_snapshot(gk_group *g, uint64_t oldest, gk_plan **plans, size_t *n)
{
    uint64_t keep = past(g);
    uint32_t *entry_of = NULL;
    uint64_t made = 0;
    uint32_t key = gk_state_keys_newest(g->control->state_keys, &made);
    gk_mem plain = {0}, record = {0};
    size_t chunks = 0, most = 0;
    gk_err e = !g->ready || g->broken || g->out ? GK_ERR_STATE : index_entries(g, &entry_of);

    *plans = NULL;
    *n = 0;
    if (e == GK_OK)
        e = gk_mem_write(&plain, put_state, &(state_of){g, entry_of});
    chunks = (plain.n + GK_CHUNK - 1) / GK_CHUNK;
    oldest = oldest > 0 && oldest <= keep ? oldest : keep + 1;
    most = chunks + 3 + (size_t)(keep + 1 - oldest) / DELETES;
    if (e == GK_OK && (*plans = calloc(most, sizeof(**plans))) == NULL)
        e = GK_ERR_NOMEM;
    if (e == GK_OK)
        e = add_chunks(g, gk_mem_view(&plain), chunks, plain.n < GK_NODE_MAX - 4096, *plans, n);
    if (e == GK_OK)
        e = gk_message_write(&record, GK_LABEL "state head", put_head, &(head){g, (uint32_t)chunks, plain.n}, g->control->sign);
    if (e == GK_OK)
        e = gk_plan_add(&(*plans)[(*n)++], GK_WRITE_SET, false, &record, "state");
    if (e == GK_OK)
        e = add_deletes(g, oldest, *plans, n, most);
    if (e == GK_OK) {
        g->snapshot_next = g->last.epoch;
        g->snapshot_next_chunks = (uint32_t)chunks;
        g->snapshot_bytes = plain.n;
        g->log_bytes = 0;
        g->side_dirty = g->side_dirty || g->sealed_with != key; /* the next plan seals it anew, too: then the old key can go */
        g->sealed_with = key;
    }
    for (size_t i = 0; e != GK_OK && *plans != NULL && i < most; i++)
        gk_plan_clear(&(*plans)[i]);
    if (e != GK_OK) {
        free(*plans);
        *plans = NULL;
        *n = 0;
    }
    free(entry_of);
    gk_mem_free(&plain);
    return e;
}

bool gk_group_usable(const gk_group *g)
{
    return !g->broken;
}

uint32_t gk_group_sealed_with(const gk_group *g)
{
    return g->sealed_with;
}

void gk_group_snapshot_done(gk_group *g)
{
    g->snapshot_epoch = g->snapshot_next;
    g->snapshot_chunks = g->chunks_seen = g->snapshot_next_chunks;
    g->snapshot_next = 0;
}

/* --- loading ---------------------------------------------------------------------------------------------------------------------------- */

/* What the znode state says. Nobody has to have signed it: what it names is sealed, with all of this. */
typedef struct found_head {
    uint64_t epoch, bytes;
    uint32_t chunks;
    uint8_t hash[GK_HASH];
} found_head;

static gk_err read_head(const gk_group *g, gk_bytes record, found_head *h)
{
    uint8_t signer[GK_SIGNER], id[GK_GROUP_ID];
    gk_bytes body = {0};
    gk_reader r = {0};
    gk_err e = gk_message_split(record, &body, signer);

    r = gk_reader_of(body.p, body.n);
    if (e == GK_OK)
        e = gk_reader_magic(&r, "GKH1");
    if (e == GK_OK)
        e = gk_reader_copy(&r, id, sizeof(id));
    if (e == GK_OK && memcmp(id, g->genesis.id, sizeof(id)) != 0)
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        e = gk_reader_u64(&r, &h->epoch);
    if (e == GK_OK)
        e = gk_reader_copy(&r, h->hash, GK_HASH);
    if (e == GK_OK)
        e = gk_reader_u32(&r, &h->chunks);
    if (e == GK_OK)
        e = gk_reader_u64(&r, &h->bytes);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK && (h->chunks == 0 || h->bytes > (uint64_t)h->chunks * GK_CHUNK || h->bytes > (1ULL << 32)))
        e = GK_ERR_MALFORMED;
    return e;
}

gk_err gk_group_load(gk_group **out, const gk_control *c, gk_bytes genesis, gk_bytes policy, gk_bytes record)
{
    gk_group *g = NULL;
    found_head h = {0};
    gk_err e = gk_group_new(&g, c, genesis, policy, false);

    *out = NULL;
    if (e == GK_OK)
        e = read_head(g, record, &h);
    if (e == GK_OK)
        e = gk_mem_new(&g->loading, (size_t)h.bytes);
    if (e != GK_OK) {
        gk_group_free(g);
        return e;
    }
    g->last.epoch = g->snapshot_epoch = h.epoch;
    g->snapshot_chunks = h.chunks;
    memcpy(g->last.hash, h.hash, GK_HASH);
    memcpy(g->last.group_id, g->genesis.id, GK_GROUP_ID);
    *out = g;
    return GK_OK;
}

gk_err gk_group_head(gk_group *g, gk_bytes record)
{
    found_head h = {0};
    gk_err e = read_head(g, record, &h);

    if (e != GK_OK || h.epoch == g->snapshot_epoch)
        return e;
    if (!g->ready || g->out || h.epoch < g->snapshot_epoch || h.epoch > g->last.epoch ||
        (h.epoch == g->last.epoch && memcmp(h.hash, g->last.hash, GK_HASH) != 0))
        return GK_ERR_STATE;
    g->snapshot_epoch = h.epoch;
    g->snapshot_chunks = g->chunks_seen = h.chunks;
    g->snapshot_bytes = (size_t)h.bytes;
    return GK_OK;
}

size_t gk_group_chunks(const gk_group *g, uint64_t *epoch)
{
    *epoch = g->snapshot_epoch;
    return g->snapshot_chunks;
}

static gk_err load_rows(gk_group *g, gk_reader *r, const uint32_t *nodes, uint32_t n)
{
    gk_err e = GK_OK;

    for (uint32_t i = 0; i < n && e == GK_OK; i++) {
        gk_bytes name = {0}, identity = {0};
        uint64_t since = 0;

        e = gk_reader_var16(r, &name, GK_NAME_MAX);
        if (e == GK_OK)
            e = gk_reader_take(r, &identity, GK_HASH);
        if (e == GK_OK)
            e = gk_reader_u64(r, &since);
        if (e == GK_OK)
            e = gk_roster_add(&g->roster, name, identity.p, nodes[i], since);
    }
    return e;
}

static gk_err load_state(gk_group *g)
{
    gk_reader r = gk_reader_of(g->loading.p, g->loading.n);
    uint8_t format = 0;
    uint32_t *nodes = NULL, n = 0;
    gk_err e = gk_reader_u8(&r, &format);

    if (e == GK_OK && format != STATE_FORMAT)
        e = GK_ERR_VERSION;
    if (e == GK_OK)
        e = gk_reader_u64(&r, &g->last.controller_epoch);
    if (e == GK_OK)
        e = gk_reader_u64(&r, &g->last.authority);
    if (e == GK_OK)
        e = gk_reader_u64(&r, &g->last.issued_ms);
    if (e == GK_OK)
        e = gk_reader_u32(&r, &g->last.max_age_s);
    if (e == GK_OK)
        e = gk_reader_u32(&r, &g->last.ring);
    if (e == GK_OK)
        e = gk_reader_u8(&r, &g->last.reason);
    if (e == GK_OK)
        e = gk_reader_copy(&r, g->last.body_hash, GK_HASH);
    if (e == GK_OK)
        e = gk_lkh_load(&g->lkh, &r, &nodes, &n);
    if (e == GK_OK)
        e = load_rows(g, &r, nodes, n);
    if (e == GK_OK)
        e = gk_side_load(&g->side, &r, true);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    free(nodes);
    g->snapshot_bytes = g->loading.n;
    gk_mem_free(&g->loading);
    g->least_key = g->sealed_with;
    g->ready = e == GK_OK;
    g->broken = e != GK_OK;
    return e;
}

gk_err gk_group_chunk(gk_group *g, size_t i, gk_bytes data)
{
    uint8_t aad[96];
    gk_mem plain = {0};
    size_t at = i * GK_CHUNK, want = 0;
    gk_err e = g->ready || i != g->chunks_seen || i >= g->snapshot_chunks || at >= g->loading.n ? GK_ERR_STATE : GK_OK;

    if (e == GK_OK)
        e = gk_state_open(g->control->state_keys, &plain,
                          gk_group_aad(g, aad, "chunk", g->snapshot_epoch, (uint32_t)i, g->snapshot_chunks, g->last.hash), data);
    want = g->loading.n - at < GK_CHUNK ? g->loading.n - at : GK_CHUNK;
    if (e == GK_OK && plain.n != want)
        e = GK_ERR_MALFORMED;
    if (e == GK_OK) {
        g->sealed_with = gk_state_index(data);
        memcpy(g->loading.p + at, plain.p, want);
        g->chunks_seen++;
    }
    gk_mem_free(&plain);
    return e == GK_OK && g->chunks_seen == g->snapshot_chunks ? load_state(g) : e;
}
