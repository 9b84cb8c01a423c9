/* Messages of runs: docs/FORMAT.md, "Runs". */
#include <openssl/crypto.h>
#include <string.h>

#include "../crypto/gk_sign.h"
#include "gk_run_internal.h"

#define MESSAGE_LABEL GK_LABEL "run message"
/* A message without its payload: label, protocol, run id, party, seq, node, the payload's length, signature */
#define FRAME (2 + sizeof(MESSAGE_LABEL) - 1 + 1 + GK_RUN_HASH + 8 + 4 + 4 + 2 + GK_SIGNATURE)

gk_err gk_run_send(gk_run *r, size_t node, gk_bytes payload)
{
    size_t cap = FRAME + payload.n;
    uint8_t *buf = NULL;
    uint8_t *signature = NULL;
    gk_writer w = {0};
    size_t body = 0;
    gk_err e = GK_OK;

    if (r->n_sent == GK_RUN_SENT || payload.n > UINT16_MAX)
        return GK_ERR_LIMIT;
    buf = OPENSSL_zalloc(cap);
    if (buf == NULL)
        return GK_ERR_NOMEM;
    w = gk_writer_of(buf, cap);
    gk_run_label(&w, MESSAGE_LABEL);
    gk_writer_u8(&w, (uint8_t)r->protocol);
    gk_writer_put(&w, r->id, GK_RUN_HASH);
    gk_writer_u64(&w, r->parties[r->me].id);
    gk_writer_u32(&w, (uint32_t)r->n_sent);
    gk_writer_u32(&w, (uint32_t)node);
    gk_writer_u16(&w, (uint16_t)payload.n);
    gk_writer_put(&w, payload.p, payload.n);
    body = w.len;
    signature = gk_writer_reserve(&w, GK_SIGNATURE);
    e = w.err;
    if (e == GK_OK)
        e = gk_sign_make(signature, r->identity, (gk_bytes){buf, body});
    if (e != GK_OK) {
        OPENSSL_free(buf);
        return e;
    }
    r->counts.signatures++;
    r->sent[r->n_sent++] = (gk_run_value){.p = buf, .n = w.len};
    return GK_OK;
}

static gk_err put_value(gk_run_value *v, gk_bytes payload)
{
    if (payload.n != v->n)
        return GK_ERR_ARG;
    v->p = OPENSSL_memdup(payload.p, payload.n);
    return v->p == NULL ? GK_ERR_NOMEM : GK_OK;
}

gk_err gk_run_fill(gk_run *r, size_t node, gk_bytes payload)
{
    gk_err e = put_value(&r->values[node], payload);

    if (e == GK_OK)
        e = gk_run_send(r, node, payload);
    if (e != GK_OK) {
        OPENSSL_free(r->values[node].p);
        r->values[node].p = NULL;
    }
    return e;
}

/* --- messages in ---------------------------------------------------------------------------------------------------------- */

/* A message's fields; the views are into the message. */
typedef struct message {
    uint8_t protocol;
    uint8_t id[GK_RUN_HASH];
    uint64_t party;
    uint32_t seq;
    uint32_t node;
    gk_bytes payload;
    gk_bytes body; /* what is signed */
    uint8_t signature[GK_SIGNATURE];
} message;

static gk_err parse(message *m, gk_bytes in)
{
    gk_reader r = gk_reader_of(in.p, in.n);
    uint16_t n = 0;
    gk_err e = gk_run_expect(&r, MESSAGE_LABEL);

    if (e == GK_OK)
        e = gk_reader_u8(&r, &m->protocol);
    if (e == GK_OK)
        e = gk_reader_copy(&r, m->id, sizeof(m->id));
    if (e == GK_OK)
        e = gk_reader_u64(&r, &m->party);
    if (e == GK_OK)
        e = gk_reader_u32(&r, &m->seq);
    if (e == GK_OK)
        e = gk_reader_u32(&r, &m->node);
    if (e == GK_OK)
        e = gk_reader_u16(&r, &n);
    if (e == GK_OK)
        e = gk_reader_take(&r, &m->payload, n);
    m->body = (gk_bytes){in.p, in.n - r.n};
    if (e == GK_OK)
        e = gk_reader_copy(&r, m->signature, sizeof(m->signature));
    return e == GK_OK ? gk_reader_end(&r) : e;
}

static size_t find_party(const gk_run *r, uint64_t id)
{
    size_t lo = 0;
    size_t hi = r->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (r->parties[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < r->n && r->parties[lo].id == id ? lo : r->n;
}

/* may_send: whether this place in the run is the sender's, with that length and number. */
static bool may_send(const gk_run *r, const message *m, size_t from)
{
    const gk_run_value *v = NULL;

    if (m->node == GK_RUN_CONFIRM)
        return m->payload.n == 32 && m->seq == r->own_nodes[from];
    if (m->node >= r->n_values)
        return false;
    v = &r->values[m->node];
    return v->n != 0 && v->party == from && m->payload.n == v->n && m->seq == v->seq;
}

static gk_err accept(gk_run *r, const message *m)
{
    size_t from = find_party(r, m->party);
    gk_run_value *v = NULL;
    gk_bytes known = {0};
    gk_err e = GK_OK;

    if (m->protocol != (uint8_t)r->protocol || memcmp(m->id, r->id, sizeof(m->id)) != 0)
        return GK_ERR_NOTFOUND;
    if (from == r->n || !may_send(r, m, from))
        return GK_ERR_AUTH;
    if (m->node != GK_RUN_CONFIRM) {
        v = &r->values[m->node];
        known = (gk_bytes){v->p, v->n};
    } else if (r->confirmed[from]) {
        known = (gk_bytes){r->confirms[from], 32};
    }
    if (known.p != NULL && gk_bytes_equal(known, m->payload))
        return GK_OK; /* nothing to learn, so nothing to check */
    if (from == r->me)
        return GK_ERR_AUTH; /* this party knows best what it said */
    r->counts.checks++;
    e = gk_sign_check(r->parties[from].public_key, m->body, m->signature);
    if (e != GK_OK)
        return e;
    if (known.p != NULL)
        return GK_ERR_EXISTS;
    if (v != NULL)
        return put_value(v, m->payload);
    memcpy(r->confirms[from], m->payload.p, 32);
    r->confirmed[from] = true;
    return GK_OK;
}

gk_err gk_run_receive(gk_run *r, gk_bytes in)
{
    message m = {0};
    gk_err e = parse(&m, in);

    if (e == GK_OK)
        e = accept(r, &m);
    r->counts.refused += e != GK_OK;
    return e;
}
