#include "gk_epoch.h"

#include <string.h>

#define LABEL GK_LABEL "epoch"
#define OPS_MAX 65536
#define WRAPS_MAX 65536

const char *gk_reason_str(gk_reason r)
{
    static const char *const text[] = {"?", "create", "join", "leave", "evict", "period", "manual", "batch", "recover"};

    return (unsigned)r < sizeof(text) / sizeof(text[0]) ? text[r] : text[0];
}

/* put_before: all before confirm. */
static void put_before(gk_writer *w, const void *arg)
{
    const gk_epoch *e = arg;

    gk_writer_put(w, "GKE1", 4);
    gk_writer_put(w, e->group_id, sizeof(e->group_id));
    gk_writer_u64(w, e->epoch);
    gk_writer_u64(w, e->controller_epoch);
    gk_writer_u64(w, e->authority);
    gk_writer_u64(w, e->issued_ms);
    gk_writer_u32(w, e->max_age_s);
    gk_writer_u32(w, e->ring);
    gk_writer_u32(w, e->members);
    gk_writer_u8(w, e->reason);
    gk_writer_u8(w, e->flags);
    gk_writer_u64(w, e->root);
    gk_writer_put(w, e->prev, sizeof(e->prev));
    gk_writer_put(w, e->salt, sizeof(e->salt));
    gk_writer_u32(w, (uint32_t)(e->ops.n / GK_EPOCH_OP));
    gk_writer_put(w, e->ops.p, e->ops.n);
    gk_writer_u32(w, (uint32_t)(e->wraps.n / GK_EPOCH_WRAP));
    gk_writer_put(w, e->wraps.p, e->wraps.n);
}

static void put_all(gk_writer *w, const void *arg)
{
    const gk_epoch *e = arg;

    put_before(w, arg);
    gk_writer_put(w, e->confirm, sizeof(e->confirm));
}

/* context: group id | epoch | SHA-256(all before confirm) */
static gk_bytes context(uint8_t buf[GK_GROUP_ID + 8 + GK_HASH], const uint8_t *group_id, uint64_t epoch, const uint8_t *body_hash)
{
    gk_writer w = gk_writer_of(buf, GK_GROUP_ID + 8 + GK_HASH);

    gk_writer_put(&w, group_id, GK_GROUP_ID);
    gk_writer_u64(&w, epoch);
    gk_writer_put(&w, body_hash, GK_HASH);
    return (gk_bytes){buf, w.len};
}

/* The body's hash stands in the key's context and, as the message, for the body itself. */
static gk_err confirm_of(uint8_t out[32], const gk_epoch *e, const gk_key *root)
{
    uint8_t buf[GK_GROUP_ID + 8 + GK_HASH];
    gk_bytes part = {e->body_hash, GK_HASH};
    gk_key *k = NULL;
    gk_err err = gk_expand(&k, GK_PURPOSE_MAC, root, "confirm", context(buf, e->group_id, e->epoch, e->body_hash));

    if (err == GK_OK)
        err = gk_hmac_sha256(out, k, &part, 1);
    gk_key_free(k);
    return err;
}

gk_err gk_epoch_make(gk_mem *out, gk_epoch *e, const gk_key *root, const gk_key *controller)
{
    gk_mem body = {0};
    gk_bytes view = {0};
    gk_err err = gk_mem_write(&body, put_before, e);

    *out = (gk_mem){0};
    view = gk_mem_view(&body);
    if (err == GK_OK)
        err = gk_sha256(e->body_hash, &view, 1);
    gk_mem_free(&body);
    if (err == GK_OK)
        err = confirm_of(e->confirm, e, root);
    if (err == GK_OK)
        err = gk_message_write(out, LABEL, put_all, e, controller);
    view = gk_mem_view(out);
    if (err == GK_OK)
        err = gk_sha256(e->hash, &view, 1);
    if (err != GK_OK)
        gk_mem_free(out);
    return err;
}

static gk_err read_head(gk_epoch *e, gk_reader *r)
{
    uint64_t *longs[] = {&e->epoch, &e->controller_epoch, &e->authority, &e->issued_ms};
    uint32_t *ints[] = {&e->max_age_s, &e->ring, &e->members};
    gk_err err = gk_reader_magic(r, "GKE1");

    if (err == GK_OK)
        err = gk_reader_copy(r, e->group_id, sizeof(e->group_id));
    for (size_t i = 0; i < 4 && err == GK_OK; i++)
        err = gk_reader_u64(r, longs[i]);
    for (size_t i = 0; i < 3 && err == GK_OK; i++)
        err = gk_reader_u32(r, ints[i]);
    if (err == GK_OK)
        err = gk_reader_u8(r, &e->reason);
    if (err == GK_OK)
        err = gk_reader_u8(r, &e->flags);
    if (err == GK_OK)
        err = gk_reader_u64(r, &e->root);
    if (err == GK_OK)
        err = gk_reader_copy(r, e->prev, sizeof(e->prev));
    if (err == GK_OK)
        err = gk_reader_copy(r, e->salt, sizeof(e->salt));
    return err;
}

static gk_err read_rows(gk_reader *r, gk_bytes *out, size_t row, size_t most)
{
    uint32_t n = 0;
    gk_err err = gk_reader_u32(r, &n);

    if (err == GK_OK && n > most)
        err = GK_ERR_LIMIT;
    return err == GK_OK ? gk_reader_take(r, out, n * row) : err;
}

static bool ops_ok(gk_bytes ops)
{
    for (size_t i = 0; i < ops.n; i += GK_EPOCH_OP) {
        if (ops.p[i] < GK_TREE_ADD || ops.p[i] > GK_TREE_DERIVE)
            return false;
    }
    return true;
}

gk_err gk_epoch_parse(gk_epoch *out, gk_bytes message)
{
    gk_epoch e = {0};
    gk_bytes body = {0};
    gk_reader r = {0};
    gk_err err = gk_message_split(message, &body, e.signer);

    r = gk_reader_of(body.p, body.n);
    if (err == GK_OK)
        err = read_head(&e, &r);
    if (err == GK_OK)
        err = read_rows(&r, &e.ops, GK_EPOCH_OP, OPS_MAX);
    if (err == GK_OK)
        err = read_rows(&r, &e.wraps, GK_EPOCH_WRAP, WRAPS_MAX);
    if (err == GK_OK)
        err = gk_sha256(e.body_hash, &(gk_bytes){body.p, body.n - r.n}, 1);
    if (err == GK_OK)
        err = gk_reader_copy(&r, e.confirm, sizeof(e.confirm));
    if (err == GK_OK)
        err = gk_reader_end(&r);
    if (err == GK_OK && (e.epoch == 0 || e.root == 0 || e.ring == 0 || e.max_age_s == 0 || e.flags > GK_EPOCH_NEEDS_KEK ||
                         e.reason < GK_REASON_CREATE || e.reason > GK_REASON_RECOVER || !ops_ok(e.ops)))
        err = GK_ERR_MALFORMED;
    if (err == GK_OK)
        err = gk_sha256(e.hash, &message, 1);
    if (err == GK_OK)
        *out = e;
    return err;
}

gk_err gk_epoch_verify(gk_epoch *out, gk_bytes message, const gk_authority *a)
{
    gk_bytes body = {0};
    gk_err err = gk_epoch_parse(out, message);

    return err == GK_OK ? gk_authority_check(a, false, message, &body, LABEL) : err;
}

gk_err gk_epoch_verify_then(const gk_epoch *e, gk_bytes message, const gk_authority *a)
{
    gk_bytes body = {0};

    return gk_authority_check_then(a, e->authority, message, &body, LABEL);
}

gk_err gk_epoch_confirm(const gk_epoch *e, const gk_key *root)
{
    uint8_t want[32] = {0};
    gk_err err = confirm_of(want, e, root);

    if (err == GK_OK && !gk_bytes_equal((gk_bytes){want, sizeof(want)}, (gk_bytes){e->confirm, sizeof(e->confirm)}))
        err = GK_ERR_AUTH;
    gk_wipe(want, sizeof(want));
    return err;
}

gk_err gk_epoch_group_key(gk_key **out, const uint8_t group_id[GK_GROUP_ID], uint64_t epoch, const uint8_t body_hash[GK_HASH], const gk_key *root)
{
    uint8_t buf[GK_GROUP_ID + 8 + GK_HASH];

    return gk_expand(out, GK_PURPOSE_GROUP, root, "group key", context(buf, group_id, epoch, body_hash));
}

gk_err gk_key_fingerprint(uint8_t out[8], const gk_key *group_key)
{
    static const char text[] = "groupkeeper fingerprint";
    gk_bytes part = {(const uint8_t *)text, sizeof(text) - 1};
    uint8_t mac[32] = {0};
    gk_err err = gk_hmac_sha256(mac, group_key, &part, 1);

    memcpy(out, mac, 8);
    return err;
}

gk_err gk_epoch_znode(gk_bytes *message, gk_bytes *delta, gk_bytes znode)
{
    gk_reader r = gk_reader_of(znode.p, znode.n);
    gk_err err = gk_reader_var32(&r, message, GK_NODE_MAX);

    if (err == GK_OK)
        err = gk_reader_take(&r, delta, r.n);
    return err;
}

/* --- freshness ------------------------------------------------------------------------------------------------------------------ */

static void put_fresh(gk_writer *w, const void *arg)
{
    const gk_fresh *f = arg;

    gk_writer_put(w, "GKF1", 4);
    gk_writer_put(w, f->group_id, sizeof(f->group_id));
    gk_writer_u64(w, f->epoch);
    gk_writer_put(w, f->hash, sizeof(f->hash));
    gk_writer_u64(w, f->time_ms);
    gk_writer_u64(w, f->controller_epoch);
    gk_writer_u64(w, f->authority);
}

gk_err gk_fresh_make(gk_mem *out, const gk_fresh *f, const gk_key *controller)
{
    return gk_message_write(out, GK_LABEL "fresh", put_fresh, f, controller);
}

gk_err gk_fresh_read(gk_fresh *out, gk_bytes record, const gk_authority *a)
{
    gk_fresh f = {0};
    gk_bytes body = {0};
    gk_reader r = {0};
    uint8_t signer[GK_SIGNER];
    gk_err err = gk_message_split(record, &body, signer);

    r = gk_reader_of(body.p, body.n);
    if (err == GK_OK)
        err = gk_reader_magic(&r, "GKF1");
    if (err == GK_OK)
        err = gk_reader_copy(&r, f.group_id, sizeof(f.group_id));
    if (err == GK_OK)
        err = gk_reader_u64(&r, &f.epoch);
    if (err == GK_OK)
        err = gk_reader_copy(&r, f.hash, sizeof(f.hash));
    if (err == GK_OK)
        err = gk_reader_u64(&r, &f.time_ms);
    if (err == GK_OK)
        err = gk_reader_u64(&r, &f.controller_epoch);
    if (err == GK_OK)
        err = gk_reader_u64(&r, &f.authority);
    if (err == GK_OK)
        err = gk_reader_end(&r);
    if (err == GK_OK)
        err = gk_authority_check(a, false, record, &body, GK_LABEL "fresh");
    if (err == GK_OK)
        *out = f;
    return err;
}
